"""The judges of behaviour, recommenders both: `item_knn` (items like those that a user had) and `sequence` (a small
recurrent net over a user's last items).

`item_knn` chooses its neighbourhood by cross-validation on its own training rows, children of one parent in one fold,
asked of collected users alone; `sequence` takes equal steps whatever the rows, and its last step counts.
"""

from __future__ import annotations

from synth.behaviour.judges.item_knn import fit_item_knn
from synth.behaviour.judges.popularity import fit_popularity
from synth.behaviour.judges.sequence import fit_sequence
from synth.behaviour.rows import Judge, Rows
from synth.judges import Effort

KINDS = {"item_knn": fit_item_knn, "sequence": fit_sequence, "popularity": fit_popularity}


def fit(kind: str, rows: Rows, effort: Effort, seed: int = 0) -> Judge:
    """Train a judge of this kind on the rows. Raises ValueError for an unknown kind, or no rows."""
    if not len(rows):
        raise ValueError("a judge needs at least one row to learn from")
    if kind not in KINDS:
        raise ValueError(f"{kind} is not a judge of behaviour; there are {', '.join(KINDS)}")
    return KINDS[kind](rows, effort, seed)


__all__ = ["KINDS", "fit"]

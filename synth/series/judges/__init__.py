"""The judges of series: `nearest` (the nearest train window, Euclidean over scaled channels), `rocket` (ridge
regression on features of random convolutions).

Both tune themselves by cross-validation on their own training rows, children of one parent in one fold, asked of
collected rows alone.
"""

from __future__ import annotations

from synth.judges import Effort
from synth.series.judges.nearest import fit_nearest
from synth.series.judges.rocket import fit_rocket
from synth.series.rows import Judge, Rows

KINDS = {"nearest": fit_nearest, "rocket": fit_rocket}


def fit(kind: str, rows: Rows, effort: Effort, seed: int = 0) -> Judge:
    """Train a judge of this kind on the rows. Raises ValueError for an unknown kind, or no rows."""
    if not len(rows):
        raise ValueError("a judge needs at least one row to learn from")
    if kind not in KINDS:
        raise ValueError(f"{kind} is not a judge of series; there are {', '.join(KINDS)}")
    return KINDS[kind](rows, effort, seed)


__all__ = ["KINDS", "fit"]

"""The judges of texts: `words` (logistic regression on TF-IDF of words and pairs of words), `characters` (the same on
runs of characters within words), `bag` (averaged embeddings of hashed words and runs, fastText's manner).

The linear ones tune their regularisation by cross-validation on their own training rows, children of one parent in one
fold, asked of collected rows alone; `bag` takes equal steps whatever the rows, and its last step counts.
"""

from __future__ import annotations

from synth.judges import Effort
from synth.texts.judges.bag import fit_bag
from synth.texts.judges.tfidf import fit_characters, fit_words
from synth.texts.rows import Judge, Rows

KINDS = {"words": fit_words, "characters": fit_characters, "bag": fit_bag}


def fit(kind: str, rows: Rows, effort: Effort, seed: int = 0) -> Judge:
    """Train a judge of this kind on the rows. Raises ValueError for an unknown kind, or no rows."""
    if not len(rows):
        raise ValueError("a judge needs at least one row to learn from")
    if kind not in KINDS:
        raise ValueError(f"{kind} is not a judge of texts; there are {', '.join(KINDS)}")
    return KINDS[kind](rows, effort, seed)


__all__ = ["KINDS", "fit"]

"""What judges of tables are tuned by: losses on rows that they were not fitted on, real ones where there are any.

Children of one parent are in one fold, or a judge would be asked what it has seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from synth.judges.folds import folds
from synth.tables.rows import Codes, Numbers, Rows

LEAST_PROBABILITY = 1e-7


def parts(rows: Rows, count: int, seed: int) -> Iterator[tuple[Codes, Codes]]:
    """(places to learn from, places to be asked about) of each fold; folds without anything to ask are passed over."""
    fold = folds(rows.labels, rows.group_codes(), count, seed)
    real = rows.real_mask()
    askable = real if real.any() else np.ones(len(rows), bool)
    for each in np.unique(fold):
        learned, asked = np.flatnonzero(fold != each), np.flatnonzero((fold == each) & askable)
        if len(learned) and len(asked):
            yield learned, asked


def loss(said: Numbers, targets: Numbers) -> float:
    """Mean cross-entropy (nats) of probabilities, or mean squared error of numbers (one column)."""
    if said.shape[1] == 1:
        return float(((said[:, 0] - targets) ** 2).mean())
    told = said[np.arange(len(targets)), targets.astype(np.int64)]
    return float(-np.log(np.maximum(told, LEAST_PROBABILITY)).mean())


def spread_over(said: Numbers, known: Codes, classes: int) -> Numbers:
    """float64[N, classes] of probabilities of the `known` classes alone: the others have none."""
    whole = np.zeros((len(said), classes))
    whole[:, known] = said
    return whole

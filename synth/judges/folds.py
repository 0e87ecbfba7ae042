"""Cross-validation in which what belongs together stays together."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synth.judges.rows import Codes


class Told(Protocol):
    """Rows of any modality that say which of them were collected."""

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]."""


def folds(labels: Codes, groups: Codes, count: int, seed: int) -> Codes:
    """int64[N]: each row's fold. Groups stay whole; labels (of a group's first row) are spread evenly."""
    kinds, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng([seed, 0xF01D]).permutation(len(kinds))
    by_label = shuffled[np.argsort(labels[first][shuffled], kind="stable")]
    fold = np.empty(len(kinds), np.int64)
    fold[by_label] = np.arange(len(kinds)) % count
    return fold[inverse]


def tuning_rows(rows: Told, limit: int) -> Codes:
    """Places of at most `limit` rows to tune on: real rows first, up to half, then evenly spaced others, as their
    order is random.
    """
    real = np.flatnonzero(rows.real_mask())
    made = np.flatnonzero(~rows.real_mask())
    chosen = _spread(real, limit if len(made) == 0 else max(limit // 2, limit - len(made)))
    return np.sort(np.concatenate([chosen, _spread(made, limit - len(chosen))]))


def _spread(places: Codes, count: int) -> Codes:
    """At most `count` of the places, evenly spaced."""
    if len(places) <= count:
        return places
    return places[(np.arange(count) * len(places)) // count]

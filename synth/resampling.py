"""Which rows a bootstrap draws: single ones, or whole groups where rows of one group tell much the same.

Windows of one stretch of time overlap: drawn one by one they would make every difference look sure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]
LEAST_GROUPS = 5  # of fewer a bootstrap of groups knows no spread: rows are drawn


def row_weights(random: np.random.Generator, count: int, draws: int, groups: Codes | None = None) -> Numbers:
    """float64[draws, count]: how often each row is drawn with replacement, as shares."""
    if groups is None:
        return random.multinomial(count, np.full(count, 1 / count), size=draws) / count
    kinds, place = np.unique(groups, return_inverse=True)
    if len(kinds) < LEAST_GROUPS or len(kinds) == count:
        return row_weights(random, count, draws)
    drawn = random.multinomial(len(kinds), np.full(len(kinds), 1 / len(kinds)), size=draws)[:, place]
    shares: Numbers = drawn / drawn.sum(1, keepdims=True)
    return shares

"""Draws by the value: sixteen bits each, four of a hashed word.

A whole word and the Box-Muller transform for each value would cost ten times what the steps themselves do. The normals
are those at the middles of 65,536 equal shares, so none lies further than 4.3 deviations out.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from udfs.rng import RowRandom
from udfs.series.values import Flags, Floats

WORDS = 1 << 16


def words(random: RowRandom, size: tuple[int, ...]) -> NDArray[np.uint16]:
    """uint16[N, *size], uniform."""
    count = math.prod(size)
    bits = random.bits((-(-count // 4),)).astype("<u8", copy=False)
    return bits.view("<u2")[:, :count].reshape(len(random), *size)


def fired(random: RowRandom, size: tuple[int, ...], p: float) -> Flags:
    """bool[N, *size], each true with probability `p`, to 1 / 65,536."""
    return words(random, size) < np.uint32(round(p * WORDS))


@lru_cache(maxsize=1)
def normal_table() -> Floats:
    """Standard normals at the middles of equal shares, with a deviation of 1."""
    table = ndtri((np.arange(WORDS) + 0.5) / WORDS)
    return table / table.std()


def normals(random: RowRandom, size: tuple[int, ...]) -> Floats:
    """float64[N, *size], standard normal."""
    return normal_table().take(words(random, size))

"""Sums of floating-point numbers without rounding, so that they do not depend on order, batches or partitions.

A pass takes the leading bits of all numbers at once: added to a power of two that is far above them, they lose what
does not fit beside it, and what is left of them are multiples of one unit whose sum still fits a float. The rest goes
into the next pass (Rump, Ogita, Oishi 2008, "accurate floating-point summation I", algorithm 3.2). Squares are split
into a product and its rounding error first (Dekker 1971). A pass costs a few nanoseconds a number.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHUNK = 1 << 16  # numbers at a time: their sums keep 36 bits a pass, and they stay in the cache
_BITS = 17  # CHUNK + 2 numbers are below 2^17
_LARGE = 2.0**960  # above, the power of two of a pass would not be finite
_SPLITTER = 2.0**27 + 1
_SAFE = (2.0**-480, 2.0**480)  # squares of these, and the errors of the squares, are exact
_BAND = 400


def exact_sum(values: Floats) -> Fraction:
    """The sum of finite numbers, exactly."""
    return sum((_sum_of(values[at : at + CHUNK]) for at in range(0, len(values), CHUNK)), Fraction(0))


def _sum_of(values: Floats) -> Fraction:
    """The sum of at most CHUNK numbers."""
    top = float(np.abs(values).max(initial=0.0))
    if top > _LARGE:
        large = np.abs(values) > 1.0
        return _sum_of(values[large] * 2.0**-128) * 2**128 + _sum_of(values[~large])
    total = Fraction(0)
    while top > 0:
        above = np.ldexp(1.0, int(np.frexp(top)[1]) + _BITS)
        leading = (above + values) - above
        total += Fraction(float(leading.sum()))
        values = values - leading
        top = float(np.abs(values).max())
    return total


def exact_squares(values: Floats) -> Fraction:
    """The sum of the squares of finite numbers, exactly."""
    return sum((_squares_of(values[at : at + CHUNK]) for at in range(0, len(values), CHUNK)), Fraction(0))


def _squares_of(values: Floats) -> Fraction:
    """The sum of the squares of at most CHUNK numbers."""
    sizes = np.abs(values)
    top = float(sizes.max(initial=0.0))
    if top < 2.0**26 and bool((np.rint(values) == values).all()):
        return _sum_of(values * values)
    least = float(sizes.min(where=sizes > 0, initial=np.inf))
    if _SAFE[0] < least and top < _SAFE[1]:
        product, error = _square(values)
        return _sum_of(product) + _sum_of(error)
    return _banded(values)


def _square(values: Floats) -> tuple[Floats, Floats]:
    """Each square as a float and what that one is off by."""
    scaled = values * _SPLITTER
    high = scaled - (scaled - values)
    low = values - high
    product = values * values
    return product, ((high * high - product) + 2 * high * low) + low * low


def _banded(values: Floats) -> Fraction:
    """The sum of squares of numbers so large or small that squares would not fit: by bands of their exponents."""
    bands = np.frexp(values)[1] // _BAND
    total = Fraction(0)
    for band in np.unique(bands[values != 0]).tolist():
        shift = band * _BAND + _BAND // 2
        product, error = _square(np.ldexp(values[(bands == band) & (values != 0)], -shift))
        total += (_sum_of(product) + _sum_of(error)) * Fraction(4) ** shift
    return total

"""Contrast of a colour against what lies below it: relative luminance and its ratio, 1 to 21 (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
GLARE = 0.05
_LINEAR_BELOW, _SLOPE, _OFFSET, _POWER = 0.04045, 12.92, 0.055, 2.4
QUANTILES = (0.05, 0.95)  # of what lies below: the darkest and the lightest that count
WHITE, BLACK = 255, 0


def luminance(colours: NDArray[np.uint8] | Numbers) -> Numbers:
    """float64[...] in 0 to 1 of levels [..., C], C of 1 or 3."""
    levels = np.asarray(colours, np.float64) / 255
    linear = np.where(levels <= _LINEAR_BELOW, levels / _SLOPE, ((levels + _OFFSET) / (1 + _OFFSET)) ** _POWER)
    return linear[..., 0] if linear.shape[-1] == 1 else linear @ WEIGHTS


def ratio(one: Numbers | float, other: Numbers | float) -> Numbers:
    """1 to 21."""
    high, low = np.maximum(one, other), np.minimum(one, other)
    return np.asarray((high + GLARE) / (low + GLARE))


def against(colour: NDArray[np.uint8], below: NDArray[np.uint8]) -> float:
    """The ratio of a colour (C,) to the pixels below it (K, C): to the darkest or the lightest, whichever is nearer."""
    ends = np.quantile(luminance(below), QUANTILES)
    return float(ratio(luminance(colour), ends).min())


def chosen(drawn: NDArray[np.uint8], below: NDArray[np.uint8], least: float) -> tuple[NDArray[np.uint8], float]:
    """(colour, ratio): the first of the drawn colours (K, C) that reaches `least`, else black or white, whichever has
    more.
    """
    for colour in drawn:
        found = against(colour, below)
        if found >= least:
            return colour, found
    ends = [np.full(drawn.shape[1], level, np.uint8) for level in (BLACK, WHITE)]
    return max(((end, against(end, below)) for end in ends), key=lambda each: each[1])

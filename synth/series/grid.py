"""The values that a channel takes: those that were seen, where they come again and again, or any of so many decimals.

Sensors and clerks round. What is made is set to values that the channel takes, or a glance at its decimals tells it
from what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.series.rows import Numbers

MOST_DECIMALS = 6
MOST_VALUES = 1 << 16  # that are kept of a channel
REPEATS = 4.0  # times that a value comes, on average, where the values are said to be those that were seen
FLOAT32 = 2.0**-24  # relative rounding of what rows hold


@dataclass(frozen=True)
class Grid:
    """Values, rising (none: all), or decimals (-1: any number); nothing beyond `low` and `high`."""

    low: float
    high: float
    decimals: int = -1
    values: Numbers | None = None

    def snap(self, made: Numbers) -> Numbers:
        """The nearest values that the channel takes, as float32 holds them."""
        inside = np.clip(made, self.low, self.high)
        if self.values is not None:
            middles = (self.values[1:] + self.values[:-1]) / 2
            inside = self.values[np.searchsorted(middles, inside)]
        elif self.decimals >= 0:
            inside = np.round(inside, self.decimals)
        return inside.astype(np.float32).astype(np.float64)


def grid_of(values: Numbers, apart: Numbers) -> Grid:
    """The grid of a channel's values, at least one; `apart` are values of different moments, of which none is the same
    measurement twice.
    """
    told, times = np.unique(values), len(apart) / max(len(np.unique(apart)), 1)
    low, high = float(told[0]), float(told[-1])
    if len(told) <= MOST_VALUES and times >= REPEATS:
        return Grid(low, high, values=told)
    return Grid(low, high, decimals=_decimals(told))


def _decimals(told: Numbers) -> int:
    """The fewest decimals that write all values as float32 has them; -1 where there is no such number."""
    for decimals in range(MOST_DECIMALS + 1):
        if np.abs(told).max() * 10.0**decimals * FLOAT32 > 0.05:  # float32 cannot tell these decimals
            return -1
        if np.array_equal(np.round(told, decimals).astype(np.float32), told.astype(np.float32)):
            return decimals
    return -1

"""Bounds beyond which a number is an outlier of its column, from the column's statistics.

`robust_z`: 0.6745 (x - median) / MAD (Iglewicz, Hoaglin 1993, "How to Detect and Handle Outliers"), with the mean
absolute deviation where more than half of the values are one; `z_score`: (x - mean) / deviation; `iqr`: distance from
the quartiles in distances between them (Tukey 1977). A constant column has no outliers.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from udfs.table.statistics import ColumnStatistics

Method = Literal["robust_z", "z_score", "iqr"]
NONE = (-math.inf, math.inf)
MAD_TO_DEVIATION = 1 / 0.6745
MEAN_TO_DEVIATION = 1.253314


def outlier_bounds(facts: ColumnStatistics, method: Method, threshold: float) -> tuple[float, float]:
    """(low, high): beyond them lies what is more than `threshold` away by the method's measure."""
    if not facts.told:
        return NONE
    if method == "iqr":
        low, high = facts.quantile(0.25), facts.quantile(0.75)
        reach = threshold * (high - low)
        return (low - reach, high + reach) if reach > 0 else NONE
    middle, spread = (facts.mean or 0.0, facts.std or 0.0) if method == "z_score" else robust_scale(facts.grid)
    reach = threshold * spread
    return (middle - reach, middle + reach) if reach > 0 else NONE


def robust_scale(values: NDArray[np.float64]) -> tuple[float, float]:
    """The median, and a deviation about it that outliers do not move; 0 where all values are one."""
    middle = float(np.median(values))
    away = np.abs(values - middle)
    median = float(np.median(away))
    return middle, MAD_TO_DEVIATION * median if median > 0 else MEAN_TO_DEVIATION * float(away.mean())

"""What steps of time series take and give.

Series are float64[N, T, C]: N windows, all of T steps and C channels. NaN is a missing value: steps give NaN for NaN,
those that move time move what is missing along. A step does not change its input, gives as many windows, steps and
channels as it takes, and makes each window of nothing but the window, its partner and its own draws. Sums run over
steps in one order (`udfs/series/sums.py`), so that a window comes out the same to the last bit in any batch.

Deviations must fit a float64 when squared: values up to 1e150 do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from udfs.options import Span, Within
from udfs.rng import RowRandom

Series: TypeAlias = NDArray[np.float64]  # (N, T, C)
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.int64]
Counts: TypeAlias = NDArray[np.uint16]
Reasons: TypeAlias = list[str | None]
Mixed: TypeAlias = tuple[Series, Floats]  # and the partner's share in each window
Value = TypeVar("Value", bound=np.generic)
Partners = Literal["any", "same_label", "nearest"]

Deviations = Annotated[float, Within(0, 10)]  # in standard deviations of the window's channel
Knots = Annotated[int, Within(2, 100)]
FactorSpan = Annotated[Span, Within(0.01, 100)]

BLOCK_VALUES = 1 << 16  # so many values at once stay in the processor's cache


def changed(
    random: RowRandom, series: Series, p: float, change: Callable[[RowRandom, Series], Series], width: int = 1
) -> Series:
    """`change` of each window with probability `p`, the others as they were.

    It works block by block; `width` is how many times the block's own size the change needs of memory.
    """
    fires = np.flatnonzero(random.bernoulli(p))
    out = np.empty(series.shape) if len(fires) == len(series) else np.array(series, order="C")
    for part in blocks(fires, series, width):
        where = as_slice(part)
        out[where] = change(random.take(part), np.ascontiguousarray(series[where]))
    return out


def as_slice(rows: Indices) -> Indices | slice:
    """Ascending rows that leave none out as a slice, which copies nothing."""
    return slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] + 1 == len(rows) else rows


def blocks(rows: Indices, series: Series, width: int = 1) -> list[Indices]:
    """The rows in runs that the cache holds."""
    step = max(1, BLOCK_VALUES // max(1, series.shape[1] * series.shape[2] * width))
    return [rows[at : at + step] for at in range(0, len(rows), step)]

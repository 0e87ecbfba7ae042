"""Sums and quantiles over the steps of windows, the same to the last bit in any batch.

numpy adds in an order that depends on the shape of the whole array; here steps are added one after the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from udfs.series.values import Floats, Indices, Series, Value


def by_steps(series: NDArray[Value]) -> NDArray[Value]:
    """(T, N, C), a copy: steps first, so that work on a step is one run over memory."""
    return series.swapaxes(0, 1).copy(order="C")


def by_rows(steps: NDArray[Value]) -> NDArray[Value]:
    """Back from `by_steps`."""
    return steps.swapaxes(0, 1).copy(order="C")


def over_steps(values: Floats, steps: int) -> Series:
    """(N, T, C): values (N, 1, C) at every step; much faster than to leave it to broadcasting over few channels."""
    return np.repeat(values, steps, axis=1)


def total(steps: Series) -> Floats:
    """The sum over the first axis, one after the other: numpy's own order depends on the shape."""
    out = np.zeros(steps.shape[1:])
    for each in steps:
        out += each
    return out


def mean_steps(steps: Series) -> Floats:
    """(N, C): the mean over the steps that are there, by steps; 0 where none is."""
    sums = total(steps)
    if not np.isnan(sums).any():
        return sums / len(steps)
    there = ~np.isnan(steps)
    return total(np.where(there, steps, 0.0)) / np.maximum(there.sum(axis=0), 1)


def deviations(series: Series) -> Floats:
    """(N, 1, C): each channel's standard deviation over the steps that it has; 0 for a constant or missing one."""
    steps = by_steps(series)
    steps -= np.where(np.isnan(steps[0]), 0.0, steps[0])  # a constant is exactly 0 then
    steps -= mean_steps(steps)
    steps *= steps
    return np.sqrt(mean_steps(steps))[:, None, :]


def quantile_steps(steps: Series, share: float) -> Floats:
    """(N, C): the value with `share` of those that are there below it, between two on a straight line; NaN for none."""
    return ordered_quantile(np.sort(steps, axis=0), (~np.isnan(steps)).sum(axis=0), share)


def ordered_quantile(ordered: Series, count: Indices, share: float) -> Floats:
    """`quantile_steps` of steps in ascending order, the missing ones last, of which `count` (N, C) are there."""
    place = share * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.int64)
    first, second = (np.take_along_axis(ordered, at[None], 0)[0] for at in (low, np.ceil(place).astype(np.int64)))
    return first + (second - first) * (place - low)

"""One recording made regular: its steps in order, on a grid, its short gaps filled, cut into windows.

Times are int64[T] of any unit; values are float64[T, C], NaN where missing. What is filled is told beside it, and a gap
longer than a limit stays a gap: nobody measured anything there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from udfs.series.values import Flags, Floats, Indices, Series

REVISION = 1
MAX_STEPS = 100_000_000  # of a grid: more come of one wrong time

Recording = NDArray[np.float64]  # (T, C)
Times = NDArray[np.int64]  # (T,)
Duplicates = Literal["first", "last", "mean"]
Onto = Literal["mean", "linear", "hold"]
Filling = Literal["linear", "polynomial", "spline", "seasonal", "hold"]
_SEASON_TURNS = 3


def sorted_steps(times: Times, values: Recording, *, duplicates: Duplicates = "last") -> tuple[Times, Recording]:
    """In the order of time; of steps of one time the `first` or `last` that came, or each channel's `mean`."""
    order = np.argsort(times, kind="stable")
    later, moved = times[order], values[order]
    fresh = np.ones(len(later), bool)
    fresh[1:] = later[1:] != later[:-1]
    if duplicates == "mean":
        return later[fresh], group_means(moved, np.flatnonzero(fresh))
    kept = fresh if duplicates == "first" else np.roll(fresh, -1)
    return later[fresh], moved[kept]


def group_means(values: Recording, starts: Indices) -> Recording:
    """(G, C): the mean of what is there in each run of steps from `starts` on; NaN where nothing is."""
    if not len(starts):
        return values[:0]
    there = ~np.isnan(values)
    sums = np.add.reduceat(np.where(there, values, 0.0), starts, axis=0)
    counts = np.add.reduceat(there.astype(np.int64), starts, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def regular(times: Times, values: Recording, step: int, *, method: Onto = "mean") -> tuple[Times, Recording]:
    """On a grid of whole multiples of `step`, from the one at or before the first time to the last.

    `mean`: of what falls into [t, t + step); `linear`: between the neighbours, each less than a step away; `hold`: the
    last value, if less than a step old. Else NaN. Times ascend, as `sorted_steps` gives them. Raises ValueError for a
    grid of more than MAX_STEPS.
    """
    if step < 1:
        raise ValueError(f"a grid needs a step of 1 or more; it has {step}")
    if not len(times):
        return times, values
    first, last = int(times[0]) // step, int(times[-1]) // step
    if last - first >= MAX_STEPS:
        raise ValueError(f"the grid would have {last - first + 1} steps, from {times[0]} to {times[-1]} by {step}")
    grid = np.arange(first, last + 1, dtype=np.int64) * step
    if method == "mean":
        return grid, _bin_means(times // step - first, values, len(grid))
    channels = [_on_grid(grid, times, channel, step, method) for channel in values.T]
    return grid, np.stack(channels, axis=1)


def _bin_means(places: Indices, values: Recording, count: int) -> Recording:
    """(count, C): the mean of the steps at each place of the grid."""
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    out = np.full((count, values.shape[1]), np.nan)
    out[places[starts]] = group_means(values, starts)
    return out


def _on_grid(grid: Times, times: Times, channel: Floats, step: int, method: Onto) -> Floats:
    """One channel by `linear` or `hold`."""
    known = ~np.isnan(channel)
    when, what = times[known], channel[known]
    if not len(when):
        return np.full(len(grid), np.nan)
    after = np.searchsorted(when, grid, "left")
    before = np.searchsorted(when, grid, "right") - 1
    low, high = np.maximum(before, 0), np.minimum(after, len(when) - 1)
    fresh = (before >= 0) & (grid - when[low] < step)
    if method == "hold":
        return np.where(fresh, what[low], np.nan)
    near = fresh & (after < len(when)) & (when[high] - grid < step)
    part = (grid - when[low]) / np.maximum(when[high] - when[low], 1)
    return np.where(near, what[low] + (what[high] - what[low]) * part, np.nan)


def fill_gaps(
    values: Recording, *, method: Filling = "linear", limit: int = 6, period: int = 24
) -> tuple[Recording, Flags]:
    """(values, which of them were filled): gaps of at most `limit` steps, each channel by itself.

    `linear`: a straight line; `polynomial`: the cubic through two known steps on either side; `spline`: the natural
    cubic spline through all; `seasonal`: a straight line in what is left without the season of `period` steps; `hold`:
    the last value. A gap before the first value stays, and one after the last too but for `hold`.
    """
    out, flags = np.array(values, np.float64), np.zeros(values.shape, bool)
    for place in range(values.shape[1]):
        channel = out[:, place]
        gaps = short_gaps(np.isnan(channel), limit, open_end=method == "hold")
        if gaps.any():
            out[:, place] = np.where(gaps, _fillers(method, period)(channel), channel)
            flags[:, place] = gaps
    return out, flags


def short_gaps(missing: Flags, limit: int, *, open_end: bool) -> Flags:
    """bool[T]: gaps of at most `limit` steps with a value before them and, but with an `open_end`, after."""
    edges = np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    fits = (ends - starts <= limit) & (starts > 0) & (open_end | (ends < len(missing)))
    out = np.zeros(len(missing), bool)
    for start, end in zip(starts[fits], ends[fits], strict=True):
        out[start:end] = True
    return out


def _fillers(method: Filling, period: int) -> Callable[[Floats], Floats]:
    """The way that one channel is filled by."""
    ways: dict[Filling, Callable[[Floats], Floats]] = {
        "linear": _linear,
        "polynomial": _cubic,
        "spline": _spline,
        "hold": _hold,
        "seasonal": lambda channel: _seasonal(channel, period),
    }
    return ways[method]


def _linear(channel: Floats) -> Floats:
    known = np.flatnonzero(~np.isnan(channel))
    return np.interp(np.arange(len(channel)), known, channel[known])


def _hold(channel: Floats) -> Floats:
    last = np.maximum.accumulate(np.where(np.isnan(channel), 0, np.arange(len(channel))))
    return channel[last]


def _spline(channel: Floats) -> Floats:
    from scipy.interpolate import CubicSpline

    known = np.flatnonzero(~np.isnan(channel))
    if len(known) < 3:
        return _linear(channel)
    return CubicSpline(known, channel[known], bc_type="natural")(np.arange(len(channel)))


def _cubic(channel: Floats) -> Floats:
    """Lagrange's cubic; a straight line where there are not two known steps on either side."""
    known = np.flatnonzero(~np.isnan(channel))
    times = np.arange(len(channel))
    after = np.searchsorted(known, times)
    inside = (after >= 2) & (after <= len(known) - 2)
    out = _linear(channel)
    near = known[after[inside, None] + np.arange(-2, 2)]  # (M, 4)
    made = np.zeros(len(near))
    for own in range(4):
        weight = np.ones(len(near))
        for other in set(range(4)) - {own}:
            weight *= (times[inside] - near[:, other]) / (near[:, own] - near[:, other])
        made += weight * channel[near[:, own]]
    out[inside] = made
    return out


def _seasonal(channel: Floats, period: int) -> Floats:
    """Straight lines less the season, and the season again; it and the trend are found in turn."""
    known, phase = ~np.isnan(channel), np.arange(len(channel)) % period
    season = np.zeros(period)
    if len(channel) >= 2 * period:
        for _ in range(_SEASON_TURNS):
            left = channel - _average(_linear(channel - season[phase]), period)
            sums = np.bincount(phase[known], left[known], minlength=period)
            means = sums / np.maximum(np.bincount(phase[known], minlength=period), 1)
            season = means - means.mean()
    return _linear(channel - season[phase]) + season[phase]


def _average(channel: Floats, period: int) -> Floats:
    """The mean over a period about each step, of fewer steps at the ends."""
    kernel = np.ones(period + 1 - period % 2)
    if period % 2 == 0:
        kernel[[0, -1]] = 0.5
    return np.convolve(channel, kernel, "same") / np.convolve(np.ones(len(channel)), kernel, "same")


def windows(values: Recording, length: int, stride: int) -> Series:
    """(N, length, C): a window from every `stride`-th step on, as long as there are steps for it."""
    if len(values) < length:
        return np.zeros((0, length, values.shape[1]))
    return np.ascontiguousarray(sliding_window_view(values, length, axis=0)[::stride].swapaxes(1, 2))

"""One recording from its observations to windows: in order, in its units, on a grid, mended, cut.

What each observation was is kept beside the grid as two words, from which windows have their identity: a window is
known by what was observed in it, not by how it was mended, so that neither a recipe's repairs nor a later observation
change what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs import hashing
from udfs.rng import Words, mix
from udfs.series import faults
from udfs.series.repair import (
    MAX_STEPS,
    Duplicates,
    Filling,
    Onto,
    Recording,
    Times,
    fill_gaps,
    regular,
    sorted_steps,
    windows,
)
from udfs.series.values import Flags, Indices, Series

REVISION = 1
_ONE, _TWO = hashing.word_of("observation", 1), hashing.word_of("observation", 2)
REPAIRS = FILLED, ODD, STUCK = ("gaps_filled", "outliers", "stuck")  # flags of windows


@dataclass(frozen=True)
class Conversion:
    """One channel told in another unit, where its values lie between two bounds, if there are some."""

    channel: int
    scale: float
    offset: float
    between: tuple[float, float] | None = None


@dataclass(frozen=True)
class Mending:
    """How a recording is made regular; what is None is not done."""

    channels: tuple[str, ...]
    every: int | None = None
    duplicates: Duplicates = "last"
    onto: Onto = "mean"
    conversions: tuple[Conversion, ...] = ()
    stuck: tuple[int, float, str] | None = None  # steps, tolerance, what becomes of the values
    odd: tuple[Literal["hampel", "rolling_median"], int, float, str] | None = None  # and window, threshold
    fill: tuple[Filling, int, int] | None = None  # method, limit, period


@dataclass(frozen=True)
class Regular:
    """A recording on its steps: their times, values and flags, and the observations behind them."""

    times: Times  # (T,) of the steps
    values: Recording  # (T, C) mended
    flags: Mapping[str, Flags]  # bool[T], by name
    observed: Times  # (O,) of the observations
    words: tuple[Words, Words]  # of the observations
    counts: Mapping[str, int] = field(default_factory=dict)

    def observations(self, first: Indices, length: int, every: int | None) -> tuple[Indices, Indices]:
        """(from, to) of the observations that lie within windows of `length` steps from step `first` on."""
        if every is None:
            return first, first + length
        starts = self.times[first]
        return np.searchsorted(self.observed, starts), np.searchsorted(self.observed, starts + length * every)


def mended(times: Times, values: Recording, plan: Mending) -> Regular:
    """A recording made regular. Raises ValueError where its times lie so far apart that the grid would be too long."""
    observed, seen = sorted_steps(times, values, duplicates=plan.duplicates)
    observed, seen, blank = _trimmed(observed, seen)
    counts = {"doubled": len(times) - len(observed) - blank, "blank_ends": blank}
    counts["unsorted"] = int((np.diff(times) < 0).sum())
    words = _words(observed, seen, plan.channels)
    converted, counts["converted"] = _converted(seen, plan.conversions)
    steps, grid = observed, converted
    if plan.every is not None and len(observed):
        _check_length(observed, plan)
        steps, grid = regular(observed, converted, plan.every, method=plan.onto)
    grid, flags = _repaired(grid, plan, counts)
    return Regular(steps, grid, flags, observed, words, counts)


def _trimmed(times: Times, values: Recording) -> tuple[Times, Recording, int]:
    """Without the observations at either end in which nothing was observed, and how many those are."""
    there = np.flatnonzero(~np.isnan(values).all(axis=1))
    kept = slice(there[0], there[-1] + 1) if len(there) else slice(0, 0)
    return times[kept], values[kept], len(times) - len(times[kept])


def _check_length(times: Times, plan: Mending) -> None:
    assert plan.every is not None
    steps = int(times[-1]) // plan.every - int(times[0]) // plan.every + 1
    if steps * len(plan.channels) > MAX_STEPS:
        raise ValueError(f"the grid would have {steps:,} steps of {len(plan.channels)} channels: is one time wrong?")


def _words(times: Times, values: Recording, channels: tuple[str, ...]) -> tuple[Words, Words]:
    """Two words of each observation, of its time and of what is there in it, whatever the order of the channels."""
    columns = {name: pa.array(values[:, place], from_pandas=True) for place, name in enumerate(channels)}
    one, two = hashing.record_words(pa.table(columns), channels, (_ONE, _TWO))
    at = mix(times.view(np.uint64))
    return mix(one ^ at), mix(two ^ at)


def _converted(values: Recording, conversions: tuple[Conversion, ...]) -> tuple[Recording, int]:
    """The values in their units, and how many were told in another."""
    out, count = values.copy(), 0
    for each in conversions:
        channel = out[:, each.channel]
        low, high = each.between or (-np.inf, np.inf)
        mine = (channel >= low) & (channel <= high)
        out[mine, each.channel] = channel[mine] * each.scale + each.offset
        count += int(mine.sum())
    return out, count


def _repaired(values: Recording, plan: Mending, counts: dict[str, int]) -> tuple[Recording, dict[str, Flags]]:
    """The values mended: stuck ones, odd ones, short gaps, in this order; and which steps each touched."""
    out, flags = values.copy(), dict[str, Flags]()
    counts["missing"] = int(np.isnan(out).sum())
    if plan.stuck:
        min_run, tolerance, action = plan.stuck
        found = faults.stuck(out, min_run=min_run, tolerance=tolerance)
        out = np.where(found, np.nan, out) if action == "missing" else out
        flags[STUCK], counts[STUCK] = np.asarray(found.any(axis=1)), int(found.sum())
    if plan.odd:
        out, found = _without_odd(out, plan.odd)
        flags[ODD], counts[ODD] = np.asarray(found.any(axis=1)), int(found.sum())
    if plan.fill:
        method, limit, period = plan.fill
        out, found = fill_gaps(out, method=method, limit=limit, period=period)
        flags[FILLED], counts["filled"] = np.asarray(found.any(axis=1)), int(found.sum())
    return out, flags


def _without_odd(
    values: Recording, odd: tuple[Literal["hampel", "rolling_median"], int, float, str]
) -> tuple[Recording, Flags]:
    """The values with odd ones replaced by the median about them, taken away or left; and which they are."""
    method, width, threshold, action = odd
    find = faults.hampel if method == "hampel" else faults.rolling_outliers
    found = find(values, window_steps=width, threshold=threshold)
    out = values.copy()
    for place in np.flatnonzero(found.any(axis=0)).tolist():
        mine = found[:, place]
        if action == "replace":
            out[mine, place] = faults.rolling_median(values[:, place], width)[mine]
        elif action == "missing":
            out[mine, place] = np.nan
    return out, found


@dataclass(frozen=True)
class Cut:
    """Windows of one recording: the steps they begin at, their values, and what they are known by."""

    first: Indices  # (N,)
    series: Series  # (N, length, C)
    low: Indices  # (N,) of the observations
    high: Indices
    words: tuple[Words, Words]
    flags: list[list[str]]


def starts(recording: Regular, length: int, stride: int, every: int | None) -> tuple[Indices, int]:
    """(first steps of windows, how many windows were left out as nothing was observed in them)."""
    first = np.arange(0, max(0, len(recording.times) - length + 1), stride)
    low, high = recording.observations(first, length, every)
    return first[low < high], int((low >= high).sum())


def cut(recording: Regular, first: Indices, length: int, every: int | None, entity: str) -> Cut:
    """The windows of `length` steps that begin at the steps `first`."""
    low, high = recording.observations(first, length, every)
    places = first[:, None] + np.arange(length)
    series = recording.values[places] if len(first) else windows(recording.values[:0], length, 1)
    salt, at = hashing.word_of("window", entity, length), mix(recording.times[first].view(np.uint64))
    words = tuple(mix(_sums(each, low, high) ^ salt ^ at) for each in recording.words)
    return Cut(first, series, low, high, (words[0], words[1]), _flags(recording.flags, places))


def _sums(words: Words, low: Indices, high: Indices) -> Words:
    """The sum of the words of each run of observations, modulo 2^64."""
    with np.errstate(over="ignore"):
        whole = np.concatenate([np.zeros(1, np.uint64), np.cumsum(words, dtype=np.uint64)])
        return whole[high] - whole[low]


def _flags(flags: Mapping[str, Flags], places: NDArray[np.int64]) -> list[list[str]]:
    """What touched a step of each window."""
    told: list[list[str]] = [[] for _ in places]
    for name, steps in flags.items():
        for row in np.flatnonzero(steps[places].any(axis=1)).tolist():
            told[row].append(name)
    return told


def uncovered(steps: int, length: int, stride: int) -> int:
    """Steps that lie in no window."""
    count = max(0, (steps - length) // stride + 1)
    covered = (count - 1) * min(stride, length) + length if count else 0
    return steps - covered

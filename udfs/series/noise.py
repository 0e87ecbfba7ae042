"""Steps that add to values or multiply them: jitter, scaling, warped magnitude, drift, dropped runs.

What is added is measured in deviations of the window's own channel, so that a channel's unit does not matter and a
constant one stays as it is.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from udfs.options import Probability, Share, Within
from udfs.rng import RowRandom
from udfs.series.curves import curve_through
from udfs.series.draws import WORDS, normals, words
from udfs.series.sums import by_rows, by_steps, deviations, over_steps
from udfs.series.values import Counts, Deviations, Flags, Floats, Knots, Series, changed

REVISION = 1


def jitter(random: RowRandom, series: Series, *, std: Deviations = 0.05, p: Probability = 1.0) -> Series:
    """Add normal noise of `std` of the channel's deviation to every value."""

    def change(draws: RowRandom, part: Series) -> Series:
        noise = normals(draws, part.shape[1:])
        noise *= over_steps(std * deviations(part), part.shape[1])
        noise += part
        return noise

    return changed(random, series, p, change)


def channel_scaling(
    random: RowRandom, series: Series, *, std: Annotated[float, Within(0, 2)] = 0.1, p: Probability = 1.0
) -> Series:
    """Multiply each channel by a factor about 1, whose logarithm is normal of `std`."""
    steps, channels = series.shape[1:]

    def change(draws: RowRandom, part: Series) -> Series:
        factors = np.exp(std * normals(draws, (1, channels)))
        return part * over_steps(factors, steps)

    return changed(random, series, p, change)


def magnitude_warp(
    random: RowRandom,
    series: Series,
    *,
    std: Annotated[float, Within(0, 2)] = 0.2,
    knots: Knots = 6,
    p: Probability = 1.0,
) -> Series:
    """Multiply each channel by a smooth curve about 1 through normal `knots` of `std` (Um et al. 2017)."""

    def change(draws: RowRandom, part: Series) -> Series:
        curve = curve_through(1 + std * normals(draws, (knots, part.shape[2])), part.shape[1])
        curve *= part
        return curve

    return changed(random, series, p, change)


def drift(
    random: RowRandom, series: Series, *, max_drift: Deviations = 0.5, knots: Knots = 5, p: Probability = 1.0
) -> Series:
    """Add a smooth random walk from 0 that reaches at most `max_drift` of the channel's deviation at its knots."""

    def change(draws: RowRandom, part: Series) -> Series:
        walk = _walk(draws, knots, part.shape[2])
        size = draws.uniform(0, max_drift, (1, part.shape[2])) * deviations(part)
        curve = curve_through(walk * size, part.shape[1])
        curve += part
        return curve

    return changed(random, series, p, change)


def _walk(random: RowRandom, knots: int, channels: int) -> Floats:
    """(N, K, C): sums of normals, from 0 on, the furthest from 0 at a distance of 1."""
    walk = np.cumsum(normals(random, (knots, channels)), axis=1)
    walk -= walk[:, :1].copy()
    furthest = np.abs(walk).max(axis=1, keepdims=True)
    return walk / np.where(furthest > 0, furthest, 1.0)


def dropout(
    random: RowRandom,
    series: Series,
    *,
    share: Share = 0.1,
    max_run_steps: Annotated[int, Within(1, 1000)] = 4,
    fill: Literal["hold", "zero", "missing"] = "hold",
    p: Probability = 1.0,
) -> Series:
    """Lose about `share` of each channel in runs of up to `max_run_steps`, as a sensor that stalls does.

    The value before is held, or 0 stands in its place, or it is missing; before a first value there is none to hold.
    """

    lengths = _run_lengths(share, max_run_steps)

    def change(draws: RowRandom, part: Series) -> Series:
        lost = _lost(by_steps(lengths.take(words(draws, part.shape[1:]))))
        steps = by_steps(part)
        if fill == "hold":
            return by_rows(_held(steps, lost))
        return by_rows(np.where(lost & ~np.isnan(steps), 0.0 if fill == "zero" else np.nan, steps))

    return changed(random, series, p, change)


def _run_lengths(share: float, longest: int) -> Counts:
    """How long the run is that begins at a step, 0 for none, by the step's word: so that runs cover about `share`."""
    rate = 1 - (1 - share) ** (2 / (longest + 1))  # a step is free where none of the runs that could reach it began
    begin = round(rate * WORDS)
    out = np.zeros(WORDS, np.uint16)
    out[:begin] = np.arange(begin) * longest // max(1, begin) + 1
    return out


def _lost(lengths: Counts) -> Flags:
    """bool[T, N, C]: where runs of these lengths lie, each from its step on."""
    lost = np.empty(lengths.shape, bool)
    left = np.zeros(lengths.shape[1:], np.uint16)
    for length, gone in zip(lengths, lost, strict=True):
        left -= left > 0
        np.maximum(left, length, out=left)
        np.greater(left, 0, out=gone)
    return lost


def _held(steps: Series, lost: Flags) -> Series:
    """What is lost takes the value before it, by steps; what was missing stays so."""
    out = steps.copy()
    whole = not np.isnan(steps).any()
    last = out[0] if whole else np.full(steps.shape[1:], np.nan)
    for now, gone in zip(out, lost, strict=True):
        if whole:
            np.copyto(now, last, where=gone)
            last = now
        else:
            there = ~np.isnan(now)
            np.copyto(now, last, where=gone & there & ~np.isnan(last))
            np.copyto(last, now, where=there)
    return out

"""Steps that move time: warped pace, slices stretched to the window, windows within it, segments changed about.

All channels of a window move alike, so that what belongs together stays so. A window of one step stays as it is.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from udfs.options import Probability, ShareSpan, Within
from udfs.rng import RowRandom
from udfs.series.curves import curve_through, read_at, take_steps
from udfs.series.draws import normals
from udfs.series.values import FactorSpan, Floats, Knots, Series, changed

REVISION = 1


def time_warp(
    random: RowRandom,
    series: Series,
    *,
    std: Annotated[float, Within(0, 2)] = 0.2,
    knots: Knots = 6,
    p: Probability = 1.0,
) -> Series:
    """Let time run at a pace about 1 that changes smoothly; its logarithm is normal of `std` at `knots`."""

    def change(draws: RowRandom, part: Series) -> Series:
        pace = curve_through(std * normals(draws, (knots, 1)), part.shape[1])[:, :, 0]
        return read_at(part, _positions(np.exp(np.ascontiguousarray(pace))))

    return changed(random, series, p, change)


def _positions(pace: Floats) -> Floats:
    """(N, T): when each step is read, from 0 to exactly T - 1, for the pace (N, T) at each step."""
    last = pace.shape[1] - 1
    out = np.zeros(pace.shape)
    np.cumsum((pace[:, 1:] + pace[:, :-1]) / 2, axis=1, out=out[:, 1:])
    if last:
        out *= last / out[:, -1:]
        out[:, -1] = last
    return out


def window_slice(random: RowRandom, series: Series, *, share: ShareSpan = (0.7, 0.95), p: Probability = 1.0) -> Series:
    """Cut a `share` of the window out and stretch it to the whole (Le Guennec et al. 2016)."""
    last = series.shape[1] - 1

    def change(draws: RowRandom, part: Series) -> Series:
        length = draws.uniform(*share) * last
        start = draws.uniform() * (last - length)
        unit = np.arange(last + 1) / max(1, last)
        return read_at(part, start[:, None] + length[:, None] * unit)

    return changed(random, series, p, change)


def window_warp(
    random: RowRandom,
    series: Series,
    *,
    share: ShareSpan = (0.1, 0.4),
    factor: FactorSpan = (0.5, 2.0),
    p: Probability = 1.0,
) -> Series:
    """Make a `share` of the window last `factor` times as long and the rest share what is left (Le Guennec 2016)."""
    last = series.shape[1] - 1

    def change(draws: RowRandom, part: Series) -> Series:
        length = (draws.uniform(*share) * last)[:, None]
        start = draws.uniform()[:, None] * (last - length)
        times = np.exp(draws.uniform(np.log(factor[0]), np.log(factor[1])))[:, None]
        return read_at(part, _warped(np.arange(last + 1.0)[None, :], last, start, length, times))

    return changed(random, series, p, change)


def _warped(steps: Floats, last: int, start: Floats, length: Floats, times: Floats) -> Floats:
    """When each step is read if the run from `start` of `length` is `times` as long, and all is then fitted to T."""
    stretched = steps * ((last + length * (times - 1)) / max(1, last))
    inside = start + (stretched - start) / times
    after = stretched - length * (times - 1)
    out = np.where(stretched < start, stretched, np.where(stretched < start + length * times, inside, after))
    out[:, -1] = last  # but for rounding it is
    return out


def segment_permutation(
    random: RowRandom, series: Series, *, segments: Annotated[int, Within(2, 100)] = 4, p: Probability = 1.0
) -> Series:
    """Cut the window at random into up to `segments` and change their order."""
    steps = series.shape[1]

    def change(draws: RowRandom, part: Series) -> Series:
        cuts = draws.integers(1, max(2, steps), (segments - 1,))
        order = draws.permutation(segments)
        times = np.arange(steps)[None, :]
        place = np.zeros((len(part), steps), np.int64)
        for cut in range(segments - 1):
            place += times >= cuts[:, cut, None]
        rank = np.take_along_axis(order, place, axis=1)
        return take_steps(part, np.argsort(rank, axis=1, kind="stable"))

    return changed(random, series, p, change)

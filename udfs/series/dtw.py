"""Mixing along the path of dynamic time warping, so that peaks meet peaks.

The partner is aligned to the window by the cheapest path (Sakoe, Chiba 1978) within a band about the diagonal; each
step of the window meets the mean of the partner's steps that the path joins to it, and goes a share of the way there.
That is one step of barycentre averaging (Petitjean et al. 2011) of two series, weighted. Distances are squares, each
channel in deviations of the window's own; what is missing costs nothing. All windows run through the grid of T steps
times the band at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from udfs.options import Probability, Share, ShareSpan
from udfs.rng import RowRandom
from udfs.series.curves import take_steps
from udfs.series.mixing import drawn_shares, mixed, towards
from udfs.series.sums import deviations
from udfs.series.values import Floats, Indices, Mixed, Partners, Series

REVISION = 1
_DIAGONAL, _WINDOW, _PARTNER = 0, 1, 2  # who moves on: both, the window alone, the partner alone
Moves = NDArray[np.uint8]  # (T, band, N)


def dtw_mix(
    random: RowRandom,
    series: Series,
    others: Series,
    *,
    share: ShareSpan = (0.2, 0.5),
    band: Share = 0.1,
    partners: Partners = "same_label",
    p: Probability = 1.0,
) -> Mixed:
    """Go `share` of the way to the partner aligned by dynamic time warping, at most `band` of the steps apart."""
    part = drawn_shares(random, share, p)
    reach = min(series.shape[1] - 1, max(1, round(band * series.shape[1])))

    def change(_: RowRandom, own: Series, other: Series, some: Floats) -> Series:
        return towards(own, aligned(own, other, reach), some)

    return mixed(random, series, others, part, change), part


def aligned(series: Series, others: Series, reach: int) -> Series:
    """The partner in the window's time: at each step the mean of its steps that the path joins to it; NaN for none."""
    low, high = path(moves(distances(series, others, reach)))
    there = ~np.isnan(others)
    known = np.where(there, others, 0.0)
    sums, counts = np.zeros_like(known), np.zeros_like(known)
    for late in range(2 * reach + 1):
        inside = (low + late <= high)[:, :, None]
        places = np.minimum(low + late, high)
        sums += np.where(inside, take_steps(known, places), 0.0)
        counts += take_steps(there, places) & inside
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def distances(series: Series, others: Series, reach: int) -> Floats:
    """(T, 2 reach + 1, N): what it costs that step t meets the partner's step t + offset; infinite beyond its ends."""
    scale = deviations(series)
    scale = np.where(scale > 0, scale, 1.0)
    own, other = (np.ascontiguousarray((each / scale).transpose(2, 1, 0)) for each in (series, others))  # (C, T, N)
    steps = own.shape[1]
    out = np.full((steps, 2 * reach + 1, own.shape[2]), np.inf)
    for place in range(2 * reach + 1):
        away = place - reach
        low, high = max(0, -away), min(steps, steps - away)
        cost = np.zeros((high - low, own.shape[2]))
        for mine, theirs in zip(own, other, strict=True):
            apart = mine[low:high] - theirs[low + away : high + away]
            apart *= apart
            cost += np.where(np.isnan(apart), 0.0, apart)
        out[low:high, place] = cost
    return out


def moves(cost: Floats) -> Moves:
    """By which move the cheapest path comes to each cell; of equals the diagonal, then the window's."""
    steps, width, count = cost.shape
    out = np.zeros(cost.shape, np.uint8)
    before = np.full((width + 1, count), np.inf)  # one more place: none lies beyond the band
    before[width // 2] = 0.0  # the path begins with a diagonal move from outside
    for step in range(steps):
        now = np.full((width + 1, count), np.inf)
        best = np.minimum(before[:width], before[1:])
        np.less(before[1:], before[:width], out=out[step].view(np.bool_))
        for place in range(width):
            if place:
                later = now[place - 1] < best[place]
                out[step, place][later] = _PARTNER
                np.minimum(best[place], now[place - 1], out=best[place])
            np.add(best[place], cost[step, place], out=now[place])
        before = now
    return out


def path(taken: Moves) -> tuple[Indices, Indices]:
    """(N, T) both: the first and last of the partner's steps that each step meets."""
    steps, width, count = taken.shape
    rows, half = np.arange(count), width // 2
    mine = np.full(count, steps - 1)
    theirs = mine.copy()
    low, high = np.zeros((count, steps), np.int64), np.zeros((count, steps), np.int64)
    for _ in range(2 * steps - 1):
        low[rows, mine] = theirs
        high[rows, mine] = np.maximum(high[rows, mine], theirs)
        move = taken[mine, theirs - mine + half, rows]
        mine = np.maximum(mine - (move != _PARTNER), 0)
        theirs = np.maximum(theirs - (move != _WINDOW), 0)
    return low, high

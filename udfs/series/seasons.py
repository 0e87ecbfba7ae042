"""A window as trend, season and what is left, and steps that change one of the three.

Season and trend are found in turn, twice, as STL does (Cleveland et al. 1990) but without its robust weights: the trend
by a smoother of fixed weights over the window less the season, the season as the means of the steps of one phase over
the window less the trend. A window of less than two periods has no season. What is missing is bridged by straight
lines, and missing again in what the steps give.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

import numpy as np

from udfs.options import Probability, Within
from udfs.rng import RowRandom
from udfs.series.curves import filled, take_steps
from udfs.series.sums import by_rows, by_steps, total
from udfs.series.values import FactorSpan, Floats, Series, changed

REVISION = 1
Trend = Literal["moving_average", "loess"]
Period = Annotated[int, Within(1, 100_000)]
_LOESS_PERIODS = 1.5  # the reach of loess in periods, as STL has it
_TURNS = 2


def residual_bootstrap(
    random: RowRandom,
    series: Series,
    *,
    period: Period = 24,
    trend: Trend = "moving_average",
    block_steps: Annotated[int, Within(1, 10_000)] = 4,
    p: Probability = 1.0,
) -> Series:
    """Put what is left by trend and season together anew from blocks of it (Bergmeir, Hyndman, Benitez 2016).

    All channels take the same blocks.
    """
    steps = series.shape[1]
    length = min(block_steps, steps)
    times = np.arange(steps)

    def change(draws: RowRandom, part: Series) -> Series:
        starts = draws.integers(0, steps - length + 1, (-(-steps // length),))
        left = decompose(part, period, trend)[2]
        return part + (take_steps(left, starts[:, times // length] + times % length) - left)

    return changed(random, series, p, change)


def trend_scaling(
    random: RowRandom,
    series: Series,
    *,
    period: Period = 24,
    trend: Trend = "moving_average",
    factor: FactorSpan = (0.7, 1.4),
    p: Probability = 1.0,
) -> Series:
    """Multiply the trend's distance from its mean by a `factor`, one for all channels."""

    def change(draws: RowRandom, part: Series) -> Series:
        course = by_steps(decompose(part, period, trend)[0])
        course -= total(course) / len(course)
        return part + by_rows(course) * (draws.uniform(*factor) - 1)[:, None, None]

    return changed(random, series, p, change)


def season_scaling(
    random: RowRandom,
    series: Series,
    *,
    period: Period = 24,
    trend: Trend = "moving_average",
    factor: FactorSpan = (0.7, 1.4),
    p: Probability = 1.0,
) -> Series:
    """Multiply the season by a `factor`, one for all channels; without a season nothing changes."""

    def change(draws: RowRandom, part: Series) -> Series:
        season = decompose(part, period, trend)[1]
        return part + season * (draws.uniform(*factor) - 1)[:, None, None]

    return changed(random, series, p, change)


def decompose(series: Series, period: int, trend: Trend = "moving_average") -> tuple[Series, Series, Series]:
    """(trend, season, what is left), which add up to the window with its gaps bridged."""
    steps = by_steps(filled(series))
    weights = smoother(len(steps), period, trend)
    seasonal = 2 <= period <= len(steps) // 2
    season = np.zeros_like(steps)
    for _ in range(_TURNS if seasonal else 1):
        course = smooth(steps - season if seasonal else steps, weights)
        if seasonal:
            season = phase_means(steps - course, period)
    return by_rows(course), by_rows(season), by_rows(steps - course - season)


def phase_means(steps: Series, period: int) -> Series:
    """(T, N, C): the mean of each step's phase, by steps; over a period they add up to 0."""
    means = np.stack([total(steps[phase::period]) / len(steps[phase::period]) for phase in range(period)])
    means -= total(means) / period
    return means[np.arange(len(steps)) % period]


def smooth(steps: Series, weights: Floats) -> Series:
    """Each step as a weighted sum of those about it, by steps; weights are (2 H + 1, T)."""
    half, count = len(weights) // 2, len(steps)
    out = np.zeros_like(steps)
    for place, weight in enumerate(weights[:, :, None, None]):
        away = place - half
        low, high = max(0, -away), min(count, count - away)
        out[low:high] += weight[low:high] * steps[low + away : high + away]
    return out


@lru_cache(maxsize=64)
def smoother(steps: int, period: int, trend: Trend) -> Floats:
    """(2 H + 1, T): the weights of the neighbours from H before to H after, for each step; 0 beyond the ends.

    The moving average spans one period, half of each end where that is even; at the ends of the window it has fewer
    neighbours. Loess fits a straight line by tricube weights.
    """
    half = min(steps - 1, max(1, period // 2 if trend == "moving_average" else round(_LOESS_PERIODS * period / 2)))
    away = np.arange(-half, half + 1)[:, None]
    inside = (np.arange(steps) + away >= 0) & (np.arange(steps) + away < steps)
    if trend == "moving_average":
        ends = (period % 2 == 0) & (np.abs(away) == period // 2)
        weights = np.where(inside, np.where(ends, 0.5, 1.0), 0.0)
        return weights / weights.sum(axis=0)
    weights = np.where(inside, (1 - (np.abs(away) / (half + 1)) ** 3) ** 3, 0.0)
    zeroth, first, second = (sum(weights * away**power) for power in range(3))
    spread = zeroth * second - first * first
    line = weights * (second - first * away) / np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, line, weights / zeroth)

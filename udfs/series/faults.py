"""What sensors get wrong in one recording, flagged value by value: spikes, levels that do not fit, readings that stick.

Values are float64[T, C], NaN where missing; a missing value is never flagged.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from udfs.series.repair import Recording
from udfs.series.values import Flags, Floats
from udfs.table.bounds import MAD_TO_DEVIATION, MEAN_TO_DEVIATION

REVISION = 1
_CHUNK = 1 << 18  # values of windows at a time


def hampel(values: Recording, *, window_steps: int = 11, threshold: float = 3.0) -> Flags:
    """Further than `threshold` robust deviations from the median of the window about it (Hampel 1974).

    Where most of a window are equal, its mean absolute deviation stands for the median one.
    """
    flags = np.zeros(values.shape, bool)
    for place, channel in enumerate(values.T):
        for at, near in _neighbourhoods(channel, window_steps):
            middle = medians(near)
            away = np.abs(near - middle[:, None])
            spread = _deviation(away)
            now = channel[at : at + len(near)]
            flags[at : at + len(near), place] = np.abs(now - middle) > threshold * spread
    return flags


def rolling_outliers(values: Recording, *, window_steps: int = 25, threshold: float = 5.0) -> Flags:
    """Further from the median of the window about it than `threshold` robust deviations of all such distances."""
    flags = np.zeros(values.shape, bool)
    for place, channel in enumerate(values.T):
        away = np.abs(channel - rolling_median(channel, window_steps))
        flags[:, place] = away > threshold * _deviation(away[None, :])[0]
    return flags


def rolling_median(channel: Floats, window_steps: int) -> Floats:
    """(T,): the median of what is there in the window about each step; NaN where nothing is."""
    parts = [medians(near) for _, near in _neighbourhoods(channel, window_steps)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _neighbourhoods(channel: Floats, window_steps: int) -> list[tuple[int, Floats]]:
    """(first step, (M, W) windows about M steps), with NaN beyond the ends; an even W is one longer."""
    half = window_steps // 2
    if not len(channel):
        return []
    padded = np.concatenate([np.full(half, np.nan), channel, np.full(half, np.nan)])
    views = sliding_window_view(padded, 2 * half + 1)[: len(channel)]
    step = max(1, _CHUNK // (2 * half + 1))
    return [(at, views[at : at + step]) for at in range(0, len(views), step)]


def medians(rows: Floats) -> Floats:
    """(M,): the median of what is there in each row; NaN where nothing is."""
    ordered = np.sort(rows, axis=1)  # missing ones come last
    count = np.maximum((~np.isnan(rows)).sum(axis=1, keepdims=True), 1)
    low, high = (np.take_along_axis(ordered, place, 1)[:, 0] for place in ((count - 1) // 2, count // 2))
    return low + (high - low) / 2


def _deviation(away: Floats) -> Floats:
    """(M,): a deviation from rows of distances: by their median, by their mean where that is 0."""
    middle = medians(away)
    there = ~np.isnan(away)
    mean = np.where(there, away, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return np.where(middle > 0, MAD_TO_DEVIATION * middle, MEAN_TO_DEVIATION * mean)


def stuck(values: Recording, *, min_run: int = 12, tolerance: float = 0.0) -> Flags:
    """In a run of at least `min_run` steps, none missing, each no more than `tolerance` from the one before."""
    flags = np.zeros(values.shape, bool)
    for place, channel in enumerate(values.T):
        still = np.abs(np.diff(channel)) <= tolerance
        starts = np.flatnonzero(np.concatenate([[True], ~still])) if len(channel) else np.zeros(0, np.int64)
        lengths = np.diff(np.append(starts, len(channel)))
        flags[:, place] = np.repeat(lengths >= min_run, lengths) & ~np.isnan(channel)
    return flags

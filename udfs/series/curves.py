"""Smooth curves through few knots, and windows read at times between their steps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from udfs.series.sums import by_rows
from udfs.series.values import Flags, Floats, Indices, Series, Value


@lru_cache(maxsize=64)
def spline_basis(steps: int, knots: int) -> Floats:
    """(K, T): what each of K even knots adds at each of T steps to the natural cubic spline through them."""
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(np.arange(knots), np.eye(knots), bc_type="natural")
    return np.ascontiguousarray(spline(np.linspace(0, knots - 1, steps)).T)


def curve_through(knots: Floats, steps: int) -> Series:
    """(N, T, C): natural cubic splines over T steps through knots (N, K, C)."""
    count, width, channels = knots.shape
    basis = spline_basis(steps, width)
    out = np.zeros((steps, count * channels))
    for place in range(width):
        out += basis[place][:, None] * np.ascontiguousarray(knots[:, place]).reshape(-1)
    return by_rows(out.reshape(steps, count, channels))


def take_steps(series: NDArray[Value], places: Indices) -> NDArray[Value]:
    """(N, T', C): the steps at `places` (N, T') of each window."""
    count, steps, channels = series.shape
    flat = np.ascontiguousarray(series).reshape(count * steps, channels)
    return flat.take(places + np.arange(0, count * steps, steps)[:, None], axis=0)


def read_at(series: Series, positions: Floats) -> Series:
    """(N, T', C): each window at `positions` (N, T') in steps, on straight lines between its steps.

    Between a step that is there and a missing one lies the nearer of them.
    """
    last = series.shape[1] - 1
    held = np.clip(positions, 0, last)
    low = held.astype(np.int64)
    part = (held - low)[:, :, None]
    first, second = take_steps(series, low), take_steps(series, np.minimum(low + 1, last))
    out = second - first
    out *= part
    out += first
    missing = np.isnan(out)
    return np.where(missing, np.where(part < 0.5, first, second), out) if missing.any() else out


def filled(series: Series) -> Series:
    """Missing values on the straight line between their neighbours; at the ends the last one held; 0 where none is."""
    missing = np.isnan(series)
    if not missing.any():
        return series
    rows = np.flatnonzero(missing.any(axis=(1, 2)))
    out = series.copy()
    out[rows] = _filled(series[rows], missing[rows])
    return out


def _filled(series: Series, missing: Flags) -> Series:
    """`filled` for windows that miss something."""
    before, after = neighbours(missing)
    steps = np.arange(series.shape[1])[None, :, None]
    last = series.shape[1] - 1
    first, second = np.where(before < 0, after, before), np.where(after > last, before, after)
    empty = (before < 0) & (after > last)
    first, second = np.clip(first, 0, last), np.clip(second, 0, last)
    low, high = np.take_along_axis(series, first, 1), np.take_along_axis(series, second, 1)
    part = (steps - first) / np.maximum(second - first, 1)
    return np.where(empty, 0.0, np.where(missing, low + (high - low) * part, series))


def neighbours(missing: Flags) -> tuple[Indices, Indices]:
    """(N, T, C) both: the step itself or the nearest known one before it, -1 for none, and after it, T for none."""
    steps = missing.shape[1]
    places = np.arange(steps)[None, :, None]
    before = np.maximum.accumulate(np.where(missing, -1, places), axis=1)
    after = np.minimum.accumulate(np.where(missing, steps, places)[:, ::-1], axis=1)[:, ::-1]
    return before, after

"""Rules that refuse windows: each gives a reason code per window, or null where it finds nothing wrong."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from udfs.options import Share, Within
from udfs.series.curves import neighbours
from udfs.series.sums import by_steps, mean_steps, quantile_steps
from udfs.series.values import Floats, Reasons, Series, Value

REVISION = 1
_MAD_TO_DEVIATION = 1.4826
_MEAN_TO_DEVIATION = 1.2533


def _reasons(refused: Any, code: str) -> Reasons:
    """The code where refused."""
    return [code if bad else None for bad in refused.tolist()]


def flattened(series: NDArray[Value]) -> NDArray[Value]:
    """(N, T C): the values of each window."""
    return series.reshape(len(series), series.shape[1] * series.shape[2])


def reject_gaps(series: Series, *, max_share: Share = 0.2) -> Reasons:
    """`gaps` where a channel misses more than `max_share` of its steps."""
    missing = np.isnan(series)
    if not missing.any():
        return [None] * len(series)
    return _reasons((missing.sum(axis=1) > max_share * series.shape[1]).any(axis=1), "gaps")


def reject_constant(
    series: Series,
    *,
    channels: Literal["all", "any"] = "all",
    max_spread: Annotated[float, Within(0, None)] = 0.0,
) -> Reasons:
    """`constant` where `all` channels, or `any` one, span no more than `max_spread`; a missing channel is constant."""
    steps = by_steps(series)
    flat = ~(np.fmax.reduce(steps, axis=0) - np.fmin.reduce(steps, axis=0) > max_spread)
    return _reasons(flat.all(axis=1) if channels == "all" else flat.any(axis=1), "constant")


def reject_too_short(series: Series, *, min_steps: Annotated[int, Within(1, 1_000_000)] = 8) -> Reasons:
    """`too_short` where the first and the last step that have a value are less than `min_steps` apart, both counted."""
    missing = np.isnan(series)
    lengths = np.full(len(series), series.shape[1])
    rows = np.flatnonzero(flattened(missing).any(axis=1))
    before, after = neighbours(missing[rows])
    lengths[rows] = before[:, -1].max(axis=1) - after[:, 0].min(axis=1) + 1
    return _reasons(lengths < min_steps, "too_short")


def reject_not_finite(series: Series) -> Reasons:
    """`not_finite` where a value is infinite; what is missing is `reject_gaps`' to judge."""
    infinite = np.isinf(series)
    if not infinite.any():
        return [None] * len(series)
    return _reasons(flattened(infinite).any(axis=1), "not_finite")


def reject_spikes(
    series: Series, *, threshold: Annotated[float, Within(1, 1000)] = 12.0, max_share: Share = 0.0
) -> Reasons:
    """`spikes` where more than `max_share` of a channel's steps leap away and back.

    A leap is one step further than `threshold` from both neighbours, on the same side, in robust deviations of the
    channel's differences between steps.
    """
    if series.shape[1] < 3:
        return [None] * len(series)
    rises = by_steps(np.diff(series, axis=1))
    up, down = rises[:-1], -rises[1:]
    leap = np.where(up * down > 0, np.minimum(np.abs(up), np.abs(down)), 0.0)
    with np.errstate(invalid="ignore"):
        count = (leap > threshold * _typical(np.abs(rises))).sum(axis=0)
    return _reasons((count > max_share * series.shape[1]).any(axis=1), "spikes")


def _typical(sizes: Floats) -> Floats:
    """(N, C): a deviation from the median of sizes, by steps; from their mean where more than half are 0."""
    middle = _MAD_TO_DEVIATION * quantile_steps(sizes, 0.5)
    return np.where(middle > 0, middle, _MEAN_TO_DEVIATION * mean_steps(sizes))

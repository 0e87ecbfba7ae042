"""Windows as differences between their steps, and back."""

from __future__ import annotations

import numpy as np

from udfs.series.sums import by_rows, by_steps
from udfs.series.values import Series

REVISION = 1


def difference(series: Series, *, lag: int = 1) -> Series:
    """Each value less the last known one of its phase, `lag` steps before; the first known one of a phase is itself.

    What is taken away is what `undifference` will have there, so that roundings do not add up.
    """
    steps = by_steps(series)
    out = np.empty_like(steps)
    known = np.zeros((lag, *steps.shape[1:]))
    for step, now in enumerate(steps):
        last = known[step % lag]
        out[step] = now - last
        last[...] = np.where(np.isnan(now), last, last + out[step])
    return by_rows(out)


def undifference(differences: Series, *, lag: int = 1) -> Series:
    """Back."""
    steps = by_steps(differences)
    out = np.empty_like(steps)
    known = np.zeros((lag, *steps.shape[1:]))
    for step, rise in enumerate(steps):
        last = known[step % lag]
        out[step] = last + rise
        last[...] = np.where(np.isnan(rise), last, out[step])
    return by_rows(out)

"""Windows without labels: what their judges are asked is how a window ends, and what their answers come to.

A judge sees the first steps of a window and forecasts the last quarter. The error is the mean absolute one in
deviations of each channel, over the rows that are asked; what is missing in a window's end is not asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.decide import Losses
from synth.series.rows import Numbers

ERROR = "MAE of forecasts"


def units(targets: Numbers) -> Numbers:
    """(C,): each channel's deviation over the rows asked; 1 where it is constant."""
    count = np.maximum((~np.isnan(targets)).sum((0, 1)), 1)
    mean = np.nansum(targets, axis=(0, 1)) / count
    found = np.sqrt(np.nansum((targets - mean) ** 2, axis=(0, 1)) / count)
    return np.where(found > 0, found, 1.0)


def row_errors(said: Numbers, targets: Numbers, question: Any = None) -> Numbers:
    """float64[N] whose mean is the error; 0 for a row of whose end nothing is known."""
    return _mean_over_ends(np.abs(said - targets) / units(targets))


def measures(said: Numbers, targets: Numbers, question: Any = None, focus: int = 0, rare: int = 0) -> dict[str, float]:
    """`mae` and `rmse`, in deviations."""
    off = np.abs(said - targets) / units(targets)
    return {"mae": float(_mean_over_ends(off).mean()), "rmse": float(np.sqrt(_mean_over_ends(off**2).mean()))}


def error_name(question: Any = None) -> str:
    """What the error is, in words."""
    return ERROR


def losses_of(said: Any, rows: Any) -> Losses:
    """By judge each row's error; it stands for the Brier score as well, which is one of probabilities."""
    errors = {judge: np.stack([row_errors(each, rows.targets) for each in seeds]) for judge, seeds in said.items()}
    return Losses(errors, errors)


def _mean_over_ends(off: Numbers) -> Numbers:
    """float64[N]: over what is there of each row."""
    told = off.reshape(len(off), int(np.prod(off.shape[1:])))
    return np.nansum(told, axis=1) / np.maximum((~np.isnan(told)).sum(1), 1)

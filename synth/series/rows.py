"""What judges of series learn from, and the question that is asked of them: a label, or how a window ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synth.labelled.rows import Codes, Labelled, Numbers, Places, joined_labels

Windows = NDArray[np.float64]  # (N, T, C); NaN is missing
FORECAST_SHARE = 0.25  # of the steps, at a window's end: what is asked where there are no classes


def horizon(steps: int) -> int:
    """How many steps are forecast."""
    return max(1, round(FORECAST_SHARE * steps))


def known(windows: Windows) -> Windows:
    """(N, T - H, C): what judges see of a window that they forecast."""
    return windows[:, : windows.shape[1] - horizon(windows.shape[1])]


def ends(windows: Windows) -> Numbers:
    """(N, H, C): what they are asked for."""
    return windows[:, windows.shape[1] - horizon(windows.shape[1]) :]


@dataclass(frozen=True)
class Question:
    """Which of the classes is a window of? Where there are none: how does it end (synth/series/forecasts.py)?"""

    classes: tuple[str, ...]


@dataclass(frozen=True)
class Rows(Labelled):
    """N windows with their labels (all 0 where there are no classes).

    What `soft`, `groups` and `real` are: synth/labelled/rows.py.
    """

    windows: Windows
    labels: Codes
    question: Question
    soft: Numbers | None = None
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    @property
    def payload(self) -> Windows:
        """What judges are asked: whole windows, or without classes all but their ends."""
        return self.windows if self.question.classes else known(self.windows)

    @property
    def targets(self) -> Numbers:
        """float64[N]: the place of each row's class; float64[N, H, C]: its end, where there are none."""
        return self.labels.astype(np.float64) if self.question.classes else ends(self.windows)

    def take(self, places: Places) -> Rows:
        """Some of the rows."""
        return Rows(self.windows[places], *self.labels_of(places))


class Judge(Protocol):
    """Who tells the label of a window, or its end."""

    def predict(self, windows: Windows) -> Numbers:
        """float64[N, classes], rows summing to one; or float64[N, H, C]."""


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several sets one after the other; groups keep their codes across sets."""
    return Rows(np.concatenate([part.windows for part in parts]), *joined_labels(parts))

"""What judges of series learn from, and the question that is asked of them: a label, or how a window ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
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
class Rows:
    """N windows with their labels (all 0 where there are no classes).

    `soft` holds label probabilities float64[N, classes] where rows are mixed; `groups` says which rows stem from one
    parent (rows of their own by default); `real` marks the rows that were collected, not made (all by default).
    """

    windows: Windows
    labels: Codes
    question: Question
    soft: Numbers | None = None
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def payload(self) -> Windows:
        """What judges are asked: whole windows, or without classes all but their ends."""
        return self.windows if self.question.classes else known(self.windows)

    @property
    def targets(self) -> Numbers:
        """float64[N]: the place of each row's class; float64[N, H, C]: its end, where there are none."""
        return self.labels.astype(np.float64) if self.question.classes else ends(self.windows)

    @property
    def shares(self) -> Numbers:
        """float64[N, classes]: soft labels, or hard ones as ones."""
        return np.eye(len(self.question.classes))[self.labels] if self.soft is None else self.soft

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        cut = lambda values: None if values is None else values[places]  # noqa: E731
        return Rows(
            self.windows[places], self.labels[places], self.question, cut(self.soft), cut(self.groups), cut(self.real)
        )

    def group_codes(self) -> Codes:
        """int64[N]: equal where rows stem from one parent."""
        return np.arange(len(self)) if self.groups is None else self.groups

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]: the rows that were collected."""
        return np.ones(len(self), bool) if self.real is None else self.real


class Judge(Protocol):
    """Who tells the label of a window, or its end."""

    def predict(self, windows: Windows) -> Numbers:
        """float64[N, classes], rows summing to one; or float64[N, H, C]."""


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several sets one after the other; groups keep their codes across sets."""
    soft = np.concatenate([part.shares for part in parts]) if any(part.soft is not None for part in parts) else None
    return Rows(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.labels for part in parts]),
        parts[0].question,
        soft,
        np.concatenate([part.group_codes() for part in parts]),
        np.concatenate([part.real_mask() for part in parts]),
    )

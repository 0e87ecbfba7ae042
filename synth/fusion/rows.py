"""What judges of rows with several payloads learn from, and the question that is asked of them.

Each payload is as its own modality's judges have it: images uint8[N, H, W, C], texts, windows, or cells as a matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from synth.tables.rows import Question as Cells

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
Payload = Mapping[str, Any]  # of `image`, `text`, `series`, `table` those that there are


@dataclass(frozen=True)
class Question:
    """Which of the classes is a row of? `cells` says what its columns are, where it has some."""

    classes: tuple[str, ...]
    cells: Cells | None = None


@dataclass(frozen=True)
class Rows:
    """N rows with their labels.

    `soft` holds label probabilities float64[N, classes] where labels are mixed; `groups` says which rows stem from one
    parent (rows of their own by default); `real` marks the rows that were collected, not made (all by default).
    """

    payload: Payload
    labels: Codes
    question: Question
    soft: Numbers | None = None
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def targets(self) -> Numbers:
        """float64[N]: the place of each row's class."""
        return self.labels.astype(np.float64)

    @property
    def shares(self) -> Numbers:
        """float64[N, classes]: soft labels, or hard ones as ones."""
        return np.eye(len(self.question.classes))[self.labels] if self.soft is None else self.soft

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        chosen = np.arange(len(self))[places]
        cut = lambda values: None if values is None else values[chosen]  # noqa: E731
        payload = {name: taken(part, chosen) for name, part in self.payload.items()}
        return Rows(payload, self.labels[chosen], self.question, cut(self.soft), cut(self.groups), cut(self.real))

    def group_codes(self) -> Codes:
        """int64[N]: equal where rows stem from one parent."""
        return np.arange(len(self)) if self.groups is None else self.groups

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]: the rows that were collected."""
        return np.ones(len(self), bool) if self.real is None else self.real


class Judge(Protocol):
    """Who tells the label of a row."""

    def predict(self, payload: Payload) -> Numbers:
        """float64[N, classes], rows summing to one."""


def taken(part: Any, places: Codes) -> Any:
    """Some values of one payload."""
    return part[places] if isinstance(part, np.ndarray) else tuple(part[place] for place in places.tolist())


def count(payload: Payload) -> int:
    """How many rows a payload is of."""
    return len(next(iter(payload.values())))


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several sets one after the other; groups keep their codes across sets."""
    soft = np.concatenate([part.shares for part in parts]) if any(part.soft is not None for part in parts) else None
    payload = {name: _after([part.payload[name] for part in parts]) for name in parts[0].payload}
    return Rows(
        payload,
        np.concatenate([part.labels for part in parts]),
        parts[0].question,
        soft,
        np.concatenate([part.group_codes() for part in parts]),
        np.concatenate([part.real_mask() for part in parts]),
    )


def _after(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return tuple(value for part in parts for value in part)

"""What judges of texts learn from, and the question that is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
Texts = Sequence[str]


@dataclass(frozen=True)
class Question:
    """Which of the classes is a text of?"""

    classes: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """N texts with their labels.

    `soft` holds label probabilities float64[N, classes] where rows are mixed; `groups` says which rows stem from one
    parent (rows of their own by default); `real` marks the rows that were collected, not made (all by default).
    """

    texts: tuple[str, ...]
    labels: Codes
    question: Question
    soft: Numbers | None = None
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def payload(self) -> tuple[str, ...]:
        """What judges are asked."""
        return self.texts

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
        texts = tuple(self.texts[place] for place in chosen.tolist())
        cut = lambda values: None if values is None else values[chosen]  # noqa: E731
        return Rows(texts, self.labels[chosen], self.question, cut(self.soft), cut(self.groups), cut(self.real))

    def group_codes(self) -> Codes:
        """int64[N]: equal where rows stem from one parent."""
        return np.arange(len(self)) if self.groups is None else self.groups

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]: the rows that were collected."""
        return np.ones(len(self), bool) if self.real is None else self.real


class Judge(Protocol):
    """Who tells the label of a text."""

    def predict(self, texts: Texts) -> Numbers:
        """float64[N, classes], rows summing to one."""


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several sets one after the other; groups keep their codes across sets."""
    soft = np.concatenate([part.shares for part in parts]) if any(part.soft is not None for part in parts) else None
    return Rows(
        tuple(text for part in parts for text in part.texts),
        np.concatenate([part.labels for part in parts]),
        parts[0].question,
        soft,
        np.concatenate([part.group_codes() for part in parts]),
        np.concatenate([part.real_mask() for part in parts]),
    )

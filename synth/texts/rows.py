"""What judges of texts learn from, and the question that is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synth.labelled.rows import Codes, Labelled, Numbers, Places, joined_labels

Texts = Sequence[str]


@dataclass(frozen=True)
class Question:
    """Which of the classes is a text of?"""

    classes: tuple[str, ...]


@dataclass(frozen=True)
class Rows(Labelled):
    """N texts with their labels.

    What `soft`, `groups` and `real` are: synth/labelled/rows.py.
    """

    texts: tuple[str, ...]
    labels: Codes
    question: Question
    soft: Numbers | None = None
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    @property
    def payload(self) -> tuple[str, ...]:
        """What judges are asked."""
        return self.texts

    def take(self, places: Places) -> Rows:
        """Some of the rows."""
        texts = tuple(self.texts[place] for place in np.arange(len(self))[places].tolist())
        return Rows(texts, *self.labels_of(places))


class Judge(Protocol):
    """Who tells the label of a text."""

    def predict(self, texts: Texts) -> Numbers:
        """float64[N, classes], rows summing to one."""


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several sets one after the other; groups keep their codes across sets."""
    return Rows(tuple(text for part in parts for text in part.texts), *joined_labels(parts))

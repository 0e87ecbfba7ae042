"""What judges of rows with several payloads learn from, and the question that is asked of them.

Each payload is as its own modality's judges have it: images uint8[N, H, W, C], texts, windows, or cells as a matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from synth.labelled.rows import Codes, Labelled, Numbers, Places, joined_labels
from synth.tables.rows import Question as Cells

Payload = Mapping[str, Any]  # of `image`, `text`, `series`, `table` those that there are


@dataclass(frozen=True)
class Question:
    """Which of the classes is a row of? `cells` says what its columns are, where it has some."""

    classes: tuple[str, ...]
    cells: Cells | None = None


@dataclass(frozen=True)
class Rows(Labelled):
    """N rows with their labels.

    What `soft`, `groups` and `real` are: synth/labelled/rows.py.
    """

    payload: Payload
    labels: Codes
    question: Question
    soft: Numbers | None = None
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    def take(self, places: Places) -> Rows:
        """Some of the rows."""
        chosen = np.arange(len(self))[places]
        return Rows({name: taken(part, chosen) for name, part in self.payload.items()}, *self.labels_of(places))


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
    payload = {name: _after([part.payload[name] for part in parts]) for name in parts[0].payload}
    return Rows(payload, *joined_labels(parts))


def _after(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return tuple(value for part in parts for value in part)

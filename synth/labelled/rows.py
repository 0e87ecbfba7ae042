"""What rows of payloads and a label have in common for judges, whatever the payload: labels, groups, where they are
from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
Places = NDArray[np.int64] | NDArray[np.bool_]
Labels = tuple[Codes, Any, Numbers | None, Codes | None, NDArray[np.bool_] | None]


class HasLabels(Protocol):
    """What dataclasses of rows hold behind their payload, in this order."""

    @property
    def labels(self) -> Codes:
        """int64[N]: the places of the rows' classes."""

    @property
    def question(self) -> Any:
        """What is asked of the rows: `classes`, and what else the modality has."""

    @property
    def soft(self) -> Numbers | None:
        """float64[N, classes]: label probabilities where rows are mixed."""

    @property
    def groups(self) -> Codes | None:
        """int64[N]: which rows stem from one parent; rows of their own by default."""

    @property
    def real(self) -> NDArray[np.bool_] | None:
        """bool[N]: the rows that were collected, not made; all by default."""


class Labelled:
    """What follows from these fields."""

    def __len__(self: HasLabels) -> int:
        return len(self.labels)

    @property
    def targets(self: HasLabels) -> Numbers:
        """float64[N]: the place of each row's class."""
        return self.labels.astype(np.float64)

    @property
    def shares(self: HasLabels) -> Numbers:
        """float64[N, classes]: soft labels, or hard ones as ones."""
        shares: Numbers = np.eye(len(self.question.classes))[self.labels] if self.soft is None else self.soft
        return shares

    def group_codes(self: HasLabels) -> Codes:
        """int64[N]: equal where rows stem from one parent."""
        return np.arange(len(self.labels)) if self.groups is None else self.groups

    def real_mask(self: HasLabels) -> NDArray[np.bool_]:
        """bool[N]: the rows that were collected."""
        return np.ones(len(self.labels), bool) if self.real is None else self.real

    def labels_of(self: HasLabels, places: Places) -> Labels:
        """The fields behind the payload, of some of the rows."""
        cut = lambda values: None if values is None else values[places]  # noqa: E731
        return self.labels[places], self.question, cut(self.soft), cut(self.groups), cut(self.real)


class LabelledRows(HasLabels, Protocol):
    """Rows of some payload."""

    @property
    def shares(self) -> Numbers:
        """float64[N, classes]."""

    def group_codes(self) -> Codes:
        """int64[N]."""

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]."""


def joined_labels(parts: Sequence[LabelledRows]) -> Labels:
    """The fields behind the payload, of several sets one after the other; groups keep their codes across sets."""
    return (
        np.concatenate([part.labels for part in parts]),
        parts[0].question,
        np.concatenate([part.shares for part in parts]) if any(part.soft is not None for part in parts) else None,
        np.concatenate([part.group_codes() for part in parts]),
        np.concatenate([part.real_mask() for part in parts]),
    )

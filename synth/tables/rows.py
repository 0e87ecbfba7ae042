"""What judges of tables learn from: rows as one matrix, and the question that is asked of them.

A judge tells the label from the other columns: a class, or a number. Matrices are those of `udfs/table/form.py`, the
label's column among the others, so that rows stay whole where they are compared as rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from udfs.table.form import Column, Matrix, TableForm

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
STRATA = 10  # equal parts of a number's order, which stand in for classes where rows are spread evenly
FALSE_WORDS = frozenset({"false", "no", "n", "f", "0"})


@dataclass(frozen=True)
class Question:
    """Which column is to be told from which others. `classes` is empty where the label is a number."""

    inputs: tuple[Column, ...]
    place: int  # of the label in a matrix
    classes: tuple[str, ...]
    label: Column

    @staticmethod
    def of(form: TableForm) -> Question:
        """The question of a table's task."""
        place = form.label_place
        inputs = tuple(column for column in form.modelled if column.name != form.label)
        classes = form.classes if form.task == "classification" else ()
        return Question(inputs, place, classes, form.modelled[place])

    @property
    def width(self) -> int:
        """Columns of an answer: a probability for each class, or one number."""
        return max(len(self.classes), 1)

    def cells(self, matrix: Matrix) -> Matrix:
        """float64[N, D - 1]: what the label is told from."""
        return np.delete(matrix, self.place, axis=1)

    def targets(self, matrix: Matrix) -> Numbers:
        """float64[N]: the place of each row's class among `classes`, or its number; NaN where it is neither."""
        values = matrix[:, self.place]
        if not self.classes:
            return values.copy()
        if self.label.kind == "category":
            return np.where(values < len(self.classes), values, np.nan)
        return self._places(values)

    def _places(self, values: Numbers) -> Numbers:
        """Places of booleans and whole numbers among the classes, which are written as words."""
        if self.label.kind == "boolean":
            false = next((at for at, word in enumerate(self.classes) if word.lower() in FALSE_WORDS), 0)
            told = {0.0: float(false), 1.0: float(next(at for at in range(2) if at != false))}
        else:
            told = {float(word): float(at) for at, word in enumerate(self.classes)}
        found = np.full(len(values), np.nan)
        for value, at in told.items():
            found[values == value] = at
        return found


@dataclass(frozen=True)
class Rows:
    """N rows of a table whose label is known.

    `groups` says which rows stem from one parent (rows of their own by default); `real` marks the rows that were
    collected, not made (all by default).
    """

    matrix: Matrix  # (N, D), the label included
    question: Question
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def cells(self) -> Matrix:
        """float64[N, D - 1]: what the label is told from."""
        return self.question.cells(self.matrix)

    @property
    def targets(self) -> Numbers:
        """float64[N]: the place of each row's class, or its number."""
        return self.question.targets(self.matrix)

    @property
    def labels(self) -> Codes:
        """int64[N]: classes; of numbers, which of STRATA equal parts of their order they lie in."""
        targets = self.targets
        if self.question.classes:
            return targets.astype(np.int64)
        order = np.empty(len(targets), np.int64)
        order[np.argsort(targets, kind="stable")] = np.arange(len(targets))
        return order * STRATA // max(len(targets), 1)

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        groups = None if self.groups is None else self.groups[places]
        real = None if self.real is None else self.real[places]
        return Rows(self.matrix[places], self.question, groups, real)

    def group_codes(self) -> Codes:
        """int64[N]: equal where rows stem from one parent."""
        return np.arange(len(self)) if self.groups is None else self.groups

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]: the rows that were collected."""
        return np.ones(len(self), bool) if self.real is None else self.real


class Judge(Protocol):
    """Who tells the label from the other columns."""

    def predict(self, cells: Matrix) -> Numbers:
        """float64[N, classes], rows summing to one; or float64[N, 1] of numbers."""


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several sets one after the other; groups keep their codes across sets."""
    return Rows(
        np.concatenate([part.matrix for part in parts]),
        parts[0].question,
        np.concatenate([part.group_codes() for part in parts]),
        np.concatenate([part.real_mask() for part in parts]),
    )

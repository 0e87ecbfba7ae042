"""What steps of tables take and give: a matrix with the form and the statistics that it goes by.

A step does not change its input. It leaves the label alone, and what is missing missing; a number that it makes is
held to what the column may be: whole where it is, with its decimals, within the declared bounds or else the measured
ones. Inflated values, such as a zero that most rows have, are kept apart: no step moves them a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from udfs.options import Names
from udfs.table.form import Column, Matrix, TableForm, fitted
from udfs.table.statistics import ColumnStatistics, Statistics

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Partners = Literal["any", "same_label", "nearest", "borderline"]

NORMAL_QUARTILES = 1.349  # between the quartiles of a normal distribution, in deviations


@dataclass(frozen=True)
class Rows:
    """float64[N, D] rows, as `udfs/table/form.py` has them, and what is known of their columns."""

    matrix: Matrix
    form: TableForm
    statistics: Statistics

    def __len__(self) -> int:
        return len(self.matrix)

    def with_matrix(self, matrix: Matrix) -> Rows:
        """Other rows of the same columns."""
        return replace(self, matrix=matrix)

    def facts(self, column: Column) -> ColumnStatistics:
        """What was measured of a column."""
        return self.statistics.columns[column.name]

    def features(self, wanted: Names | None = None) -> Iterator[tuple[int, Column, ColumnStatistics]]:
        """Place, column and facts of all columns but the label, or of the `wanted` ones.

        Raises ValueError for a name that is no such column.
        """
        known = [column.name for column in self.form.modelled if column.name != self.form.label]
        for name in wanted or ():
            if name == self.form.label:
                raise ValueError(f"{name} is the label, which no step changes")
            if name not in known:
                raise ValueError(f"{name} is not a modelled column; there are {', '.join(known)}")
        for place, column in enumerate(self.form.modelled):
            if column.name in (wanted or known) and column.name != self.form.label:
                yield place, column, self.facts(column)


def scale_of(facts: ColumnStatistics) -> float:
    """A deviation that outliers and inflated values do not stretch; 0 for a constant."""
    between = facts.quantile(0.75) - facts.quantile(0.25) if facts.told else 0.0
    std = facts.std or 0.0
    return min(std, between / NORMAL_QUARTILES) if between > 0 else std


def held(values: Floats, column: Column, facts: ColumnStatistics) -> Floats:
    """The numbers as the column may have them."""
    made = fitted(values, column)
    if column.size or not facts.told:
        return made
    low = facts.min if column.low is None else column.low
    high = facts.max if column.high is None else column.high
    return np.clip(made, low, high)


def is_inflated(values: Floats, facts: ColumnStatistics) -> Flags:
    """bool[N]: which are one of the column's inflated values."""
    return np.isin(values, facts.inflated)

"""Columns that follow from another: found in the train rows, derived instead of sampled.

Column y follows from x where each value of x has one value of y in all train rows, and so many rows say so that it is
no accident: were y drawn apart from x, the values of x seen again would have shown it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth.tables.column import ColumnTokens, Floats, Tokens

MIN_EVIDENCE = 100.0  # nats: minus the log chance that columns which do not belong together look as if they did
LOOKS = (100, 2000)  # rows that rule most pairs out


@dataclass(frozen=True)
class Derived:
    """A column of the matrix that is known once another is."""

    place: int
    source: int  # the place that it follows from; -1 for a column of one value
    table: Floats  # (V + 1,) its value for each token of the source; NaN is missing

    def of(self, tokens: Tokens) -> Floats:
        """float64[N]: its values, from the source's tokens."""
        return self.table[tokens]


def find(matrix: Floats, columns: Sequence[ColumnTokens], tokens: Tokens, kept: int) -> list[Derived]:
    """Columns that follow from others or never change, by float64[N, D] train rows and their int64[N, D] tokens.

    The column `kept` is never derived. Of columns that follow from each other the first stays.
    """
    found = [
        Derived(place, -1, matrix[:1, place].copy())
        for place in range(matrix.shape[1])
        if place != kept and _is_constant(matrix[:, place])
    ]
    gone = {each.place for each in found}
    for source in range(matrix.shape[1]):
        if source in gone or not _exact(columns[source]):
            continue
        others = [place for place in range(matrix.shape[1]) if place not in gone and place not in (source, kept)]
        for place in _following(matrix, tokens[:, source], others):
            found.append(Derived(place, source, _table(matrix[:, place], tokens[:, source], columns[source].size)))
            gone.add(place)
    return _from_roots(found, matrix, tokens, columns)


def _from_roots(found: list[Derived], matrix: Floats, tokens: Tokens, columns: Sequence[ColumnTokens]) -> list[Derived]:
    """Each derived column from one that is sampled: what follows from a derived column follows from its source."""
    sources = {each.place: each.source for each in found}
    rooted = []
    for each in found:
        source = each.source
        while sources.get(source, -1) >= 0:
            source = sources[source]
        table = each.table
        if source != each.source:
            table = _table(matrix[:, each.place], tokens[:, source], columns[source].size)
        rooted.append(Derived(each.place, source, table))
    return rooted


def _is_constant(values: Floats) -> bool:
    return bool(np.isnan(values).all() or (values == values[0]).all())


def _exact(column: ColumnTokens) -> bool:
    """Whether each token is one value."""
    return bool((column.bin < 0).all())


def _following(matrix: Floats, source: Tokens, others: list[int]) -> list[int]:
    """Which of the columns `others` follow from a column with these tokens."""
    for rows in (*(look for look in LOOKS if look < len(matrix)), len(matrix)):
        if not others:
            return []
        order = np.argsort(source[:rows], kind="stable")
        starts = np.flatnonzero(np.diff(source[order], prepend=-1))
        values = matrix[:rows][order][:, others]
        holes = np.isnan(values)
        filled = np.where(holes, np.inf, values)
        same = np.minimum.reduceat(filled, starts) == np.maximum.reduceat(filled, starts)
        others = [place for place, alike in zip(others, same.all(0), strict=True) if alike]
    again = len(matrix) - len(starts)
    return [place for place in others if again * _surprise(matrix[:, place]) >= MIN_EVIDENCE]


def _surprise(values: Floats) -> float:
    """Nats by which one more agreement speaks against chance."""
    _, counts = np.unique(values, return_counts=True, equal_nan=True)
    return float(-np.log(np.square(counts / counts.sum()).sum()))


def _table(values: Floats, source: Tokens, size: int) -> Floats:
    """The value that goes with each token; missing for a token that no row has."""
    table = np.full(size, np.nan)
    table[source] = values
    return table

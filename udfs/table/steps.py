"""Steps that change cells of tables: jitter, swaps, dropout.

There are none that change how many rows there are, for a step gives as many rows as it takes. Oversampling is a plan:
`augment: copies` makes children of every row, `generate: rows: {balance: majority}` or `{per_label: {...}}` fills up
the rare classes. So is undersampling: `split: {train: 1000}` takes so many.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from udfs.options import Names, Probability, Within
from udfs.rng import RowRandom
from udfs.table.values import Floats, Rows, held, is_inflated, scale_of

REVISION = 1

Deviations = Annotated[float, Within(0, 10)]


def gaussian_jitter(
    random: RowRandom, rows: Rows, *, std: Deviations = 0.05, columns: Names | None = None, p: Probability = 1.0
) -> Rows:
    """Move numbers by normal noise of `std` of their column's deviation; inflated values stay."""
    where = random.bernoulli(p)
    noise = random.normal(size=(rows.matrix.shape[1],))
    matrix = rows.matrix.copy()
    for place, column, facts in rows.features(columns):
        if column.is_numeric:
            values = matrix[:, place]
            moved = held(values + std * scale_of(facts) * noise[:, place], column, facts)
            matrix[:, place] = np.where(where & ~is_inflated(values, facts), moved, values)
    return rows.with_matrix(matrix)


def category_swap(random: RowRandom, rows: Rows, *, columns: Names | None = None, p: Probability = 0.1) -> Rows:
    """Draw a category or boolean anew, each with probability `p`, by how frequent its values are."""
    width = rows.matrix.shape[1]
    fires, drawn = random.uniform(size=(width,)) < p, random.uniform(size=(width,))
    matrix = rows.matrix.copy()
    for place, column, facts in rows.features(columns):
        if column.size:
            share = facts.marginal(column)
            share[len(column.vocabulary) :] *= column.kind == "boolean"  # what is outside the vocabulary has no name
            where = fires[:, place] & ~np.isnan(matrix[:, place]) & bool(share.sum() > 0)
            matrix[where, place] = by_share(drawn[where, place], share)
    return rows.with_matrix(matrix)


def by_share(uniform: Floats, share: Floats) -> Floats:
    """The code that each number of [0, 1) falls on when the codes have these shares, in proportion."""
    ends = np.cumsum(share)
    last = int(np.flatnonzero(share)[-1]) if share.any() else 0
    return np.minimum(np.searchsorted(ends, uniform * ends[-1], side="right"), last).astype(np.float64)


def column_dropout(random: RowRandom, rows: Rows, *, columns: Names | None = None, p: Probability = 0.05) -> Rows:
    """Make cells missing, each with probability `p`."""
    fires = random.uniform(size=(rows.matrix.shape[1],)) < p
    matrix = rows.matrix.copy()
    for place, _, _ in rows.features(columns):
        matrix[fires[:, place], place] = np.nan
    return rows.with_matrix(matrix)

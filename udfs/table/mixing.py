"""Steps that mix a row with another row, its partner, which the caller chose by identity (`udfs/table/space.py`).

They give the mixed rows and the partner's share in each (0 where the step did not fire), from which labels are mixed
in the same proportion; the number that a regression learns is mixed like any other. `partners` says who may be one:
`any` row, one of the `same_label`, one of the `nearest` of the same label, or such a one for rows on the `borderline`
alone. What a partner lacks (a missing cell, a word outside the vocabulary) is not taken. An inflated value is taken
or left whole, never blended.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from udfs.options import Probability, ShareSpan
from udfs.rng import RowRandom
from udfs.table.form import Column
from udfs.table.statistics import ColumnStatistics
from udfs.table.values import Flags, Floats, Partners, Rows, held, is_inflated

REVISION = 1
Mixed = tuple[Rows, Floats]


def mixup(
    random: RowRandom,
    rows: Rows,
    others: Rows,
    *,
    share: ShareSpan = (0.1, 0.5),
    partners: Partners = "any",
    p: Probability = 0.5,
) -> Mixed:
    """Go `share` of the way to the partner: numbers blended, categories drawn (Zhang et al. 2017)."""
    return _mixed(random, rows, others, share, p, numbers=True, words=True)


def smote(
    random: RowRandom,
    rows: Rows,
    others: Rows,
    *,
    share: ShareSpan = (0.0, 1.0),
    partners: Partners = "nearest",
    p: Probability = 1.0,
) -> Mixed:
    """Go part of the way to one of the nearest rows of the same label in all numbers (Chawla et al. 2002)."""
    return _mixed(random, rows, others, share, p, numbers=True, words=False)


def smote_nc(
    random: RowRandom,
    rows: Rows,
    others: Rows,
    *,
    share: ShareSpan = (0.0, 1.0),
    partners: Partners = "nearest",
    p: Probability = 1.0,
) -> Mixed:
    """`smote` for mixed types: a category is the partner's with the probability `share`.

    Chawla's takes what most of k neighbours have; a draw between two keeps the rare ones.
    """
    return _mixed(random, rows, others, share, p, numbers=True, words=True)


def borderline_smote(
    random: RowRandom,
    rows: Rows,
    others: Rows,
    *,
    share: ShareSpan = (0.0, 1.0),
    partners: Partners = "borderline",
    p: Probability = 1.0,
) -> Mixed:
    """`smote_nc` of the rows that have as many neighbours of other labels as of their own (Han, Wang, Mao 2005)."""
    return _mixed(random, rows, others, share, p, numbers=True, words=True)


def knn(
    random: RowRandom,
    rows: Rows,
    others: Rows,
    *,
    share: ShareSpan = (0.2, 0.5),
    partners: Partners = "nearest",
    p: Probability = 1.0,
) -> Mixed:
    """Take each cell from one of the nearest rows of the same label with the probability `share`, none blended."""
    return _mixed(random, rows, others, share, p, numbers=False, words=True)


def _mixed(
    random: RowRandom, rows: Rows, others: Rows, share: ShareSpan, p: float, *, numbers: bool, words: bool
) -> Mixed:
    """Mix the rows that fire: blend `numbers`, or take them whole; take `words`, or leave them."""
    where = random.bernoulli(p)
    part = random.uniform(*share) * where
    taken = random.uniform(size=(rows.matrix.shape[1],)) < part[:, None]
    matrix = rows.matrix.copy()
    for place, column, facts in _columns(rows):
        own, other = matrix[:, place], others.matrix[:, place]
        there = where & ~np.isnan(own) & ~np.isnan(other) & (other != _nameless(column))
        if column.size and words:
            matrix[:, place] = np.where(there & taken[:, place], other, own)
        elif not column.size and numbers:
            blended = _blended(own, other, part, taken[:, place], column, facts)
            matrix[:, place] = np.where(there, blended, own)
        elif not column.size:
            matrix[:, place] = np.where(there & taken[:, place], other, own)
    return rows.with_matrix(matrix), part


def _columns(rows: Rows) -> Iterator[tuple[int, Column, ColumnStatistics]]:
    """The columns that are mixed: all but the label, which is one of them where it is a number to be learnt."""
    yield from rows.features()
    if rows.form.task == "regression":
        label = rows.form.modelled[rows.form.label_place]
        yield rows.form.label_place, label, rows.facts(label)


def _nameless(column: Column) -> int:
    """The code of `other`; -1 for a column that has none."""
    return len(column.vocabulary) if column.kind == "category" else -1


def _blended(own: Floats, other: Floats, part: Floats, taken: Flags, column: Column, facts: ColumnStatistics) -> Floats:
    """`part` of the way from one to the other; one of the two where either is inflated."""
    between = held(own * (1 - part) + other * part, column, facts)
    whole = is_inflated(own, facts) | is_inflated(other, facts)
    return np.where(whole, np.where(taken, other, own), np.where(part == 0, own, between))

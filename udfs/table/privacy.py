"""What made rows of a table give away: how near they come to the rows that a generator was trained on.

Distances go by `udfs/table/space.py`: numbers by their quantiles, a category is met or not; they are root mean squares
over the columns but the label, 0 for rows that look alike and 1 for rows that differ as far as they can in all. A
distance to the closest record (DCR) says nothing by itself: read it against that of held-out rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from udfs.rng import Words, mix
from udfs.table.form import Matrix, TableForm
from udfs.table.space import LEVELS, nearest, places
from udfs.table.statistics import Statistics
from udfs.table.values import Flags, Floats

Codes = NDArray[np.int64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_NAN = np.uint64(0x7FF8000000000000)


@dataclass(frozen=True)
class Nearness:
    """Of each row asked: distance to its closest record, which one that is, and that distance over the next one's."""

    distance: Floats
    place: Codes
    ratio: Floats  # NNDR: near 0 where one record stands out as its model, 1 where the two nearest are as near


def nearness(asked: Matrix, among: Matrix, form: TableForm, statistics: Statistics) -> Nearness:
    """The exact nearest of `among` for each row asked, ties by place; with one record alone, ratios are 1."""
    laid, theirs = (places(each, form, statistics) for each in (asked, among))
    squares, found = nearest(laid, theirs, max(1, min(2, len(among))))
    root = np.sqrt(squares)
    ratio = np.divide(root[:, 0], root[:, -1], out=np.ones(len(root)), where=root[:, -1] > 0)
    return Nearness(root[:, 0] / _unit(form), found[:, 0], ratio)


def _unit(form: TableForm) -> float:
    """The distance of rows that differ as far as they can in all columns."""
    return LEVELS * float(np.sqrt(max(1, len(form.modelled) - 1)))


def dcr_share(made: Matrix, train: Matrix, held_out: Matrix, form: TableForm, statistics: Statistics) -> float:
    """The share of made rows that are nearer to a train row than to any of equally many held-out ones, ties half.

    About .5 where nothing was learnt by heart. Raises ValueError where the two sets differ in size.
    """
    if len(train) != len(held_out):
        raise ValueError(
            f"{len(train):,} train rows and {len(held_out):,} held-out ones: the share of the nearer set needs equally "
            f"many of both, so draw from the larger one"
        )
    laid, *both = (places(each, form, statistics) for each in (made, train, held_out))
    to_train, to_held = (nearest(laid, each)[0][:, 0] for each in both)
    return float(((to_train < to_held) + (to_train == to_held) / 2).mean()) if len(made) else float("nan")


def copies(asked: Matrix, among: Matrix) -> Flags:
    """bool[N]: which rows equal one of `among` in every cell, the label included, missing cells equal to missing."""
    return np.isin(_words(asked), _words(among))


def _words(matrix: Matrix) -> Words:
    """A word for each row, of 64 bits: two that differ share one as good as never."""
    words = np.full(len(matrix), _GAMMA)
    for column in matrix.T:
        bits = np.where(np.isnan(column), _NAN, (column + 0.0).view(np.uint64))
        with np.errstate(over="ignore"):
            words = mix(words * _GAMMA + mix(bits + _GAMMA))
    return words

"""Which rows of a table are near each other: places in a space of whole numbers, and the nearest ones there.

A number stands at its quantile, a category in a direction of its own, so that two categories are about as far apart
as least and greatest of a number. What is missing stands in the middle and in a direction of its own. All coordinates
are whole, so squared distances are exact and equal ones are equal: neighbours do not depend on blocks or machines.
The label is not in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from udfs.hashing import word_of
from udfs.table.encoding import share_below
from udfs.table.form import OTHER, Column, Matrix, TableForm
from udfs.table.statistics import Statistics
from udfs.table.values import Flags, Floats

Places = NDArray[np.float32] | NDArray[np.float64]
Codes = NDArray[np.int64]

LEVELS = 1000  # steps from a number's least to its greatest
VIEW_LEVELS = 255  # of places that fit bytes
BUCKETS = 64  # directions that the categories of a column have at most; beyond, some share one by their hash
NEIGHBOURS = 5  # rows that a partner is taken from in turn
JUDGED = 10  # nearest rows by whose labels a row is on the borderline
_BLOCK_CELLS = 1 << 25  # distances at a time
_EXACT = 2**24  # whole numbers up to it, and even ones up to twice as much, are floats of 32 bits


def places(matrix: Matrix, form: TableForm, statistics: Statistics, levels: int = LEVELS) -> Places:
    """(N, F) whole numbers, of a type in which squared distances are exact."""
    side = round(levels / np.sqrt(2))
    parts: list[Floats] = []
    for place, column in enumerate(form.modelled):
        if column.name == form.label:
            continue
        values = matrix[:, place]
        if column.size:
            parts.append(_directions(values, column) * side)
        else:
            parts.append(_along(values, column, statistics, levels))
            parts.append(np.isnan(values)[:, None] * float(side))
    laid = np.concatenate(parts, axis=1) if parts else np.zeros((len(matrix), 1))
    features = [column for column in form.modelled if column.name != form.label]
    farthest = sum(levels**2 if column.is_numeric else side**2 for column in features)  # of a row's squared length
    return laid.astype(np.float32) if farthest < _EXACT else laid


def views(matrix: Matrix, form: TableForm, statistics: Statistics) -> NDArray[np.uint8]:
    """`places` in bytes, coarser: for those who carry them."""
    return places(matrix, form, statistics, VIEW_LEVELS).astype(np.uint8)


def _along(values: Floats, column: Column, statistics: Statistics, levels: int) -> Floats:
    """(N, 1): a number's quantile in steps."""
    facts = statistics.columns[column.name]
    share = share_below(values, facts) if len(facts.grid) else np.full(len(values), np.nan)
    return np.rint(np.where(np.isnan(share), 0.5, share) * levels)[:, None]


def _directions(codes: Floats, column: Column) -> Floats:
    """(N, at most BUCKETS + 1): 1 where the code is, the last for what is missing."""
    count = min(column.size, BUCKETS)
    known = np.where(np.isnan(codes), column.size, codes).astype(np.int64)
    if column.size > BUCKETS:
        words = [*(word_of(word) for word in (*column.vocabulary, OTHER)), np.uint64(0)]
        bucket = (np.array(words, np.uint64) % np.uint64(BUCKETS)).astype(np.int64)
        bucket[-1] = count
        known = bucket[known]
    return (known[:, None] == np.arange(count + 1)).astype(np.float64)


def nearest(asked: Places, among: Places, count: int = 1, *, itself: bool = False) -> tuple[Floats, Codes]:
    """(squared distances, places) of each asked row's nearest ones, (N, count), nearest first, ties by place.

    With `itself` the asked rows are those `among`, and none is its own neighbour. Fewer than `count` rows: ValueError.
    """
    if len(among) - itself < count:
        raise ValueError(f"the {count} nearest of {len(among)} rows: there are too few")
    norms = (among**2).sum(axis=1)
    squares, found = np.zeros((len(asked), count)), np.zeros((len(asked), count), np.int64)
    rows = max(1, _BLOCK_CELLS // max(1, len(among)))
    for at in range(0, len(asked), rows):
        block = asked[at : at + rows]
        apart = (block * -2) @ among.T
        apart += norms
        if itself:
            apart[np.arange(len(block)), at + np.arange(len(block))] = np.inf
        own = (block**2).sum(axis=1)
        for turn in range(count):
            best = apart.argmin(axis=1)
            found[at : at + rows, turn] = best
            squares[at : at + rows, turn] = apart[np.arange(len(block)), best] + own
            apart[np.arange(len(block)), best] = np.inf
    return squares, found


def neighbours(laid: Places, count: int = NEIGHBOURS) -> Codes:
    """(N, up to `count`): the nearest other rows."""
    return nearest(laid, laid, min(count, len(laid) - 1), itself=True)[1]


def borderline(laid: Places, labels: Codes, count: int = NEIGHBOURS) -> tuple[Flags, Codes]:
    """Which rows are on the borderline, and (N, count) partners for them: their nearest rows of the same label.

    A row is on it where half or more of the JUDGED rows nearest to it are of another label, but not all: those are
    noise (Han, Wang, Mao 2005). A partner is -1 where there is none.
    """
    near = neighbours(laid, JUDGED) if len(laid) > 1 else np.zeros((len(laid), 0), np.int64)
    strange = (labels[near] != labels[:, None]).sum(axis=1)
    on = (2 * strange >= near.shape[1]) & (strange < near.shape[1])
    partners = np.full((len(laid), count), -1, np.int64)
    for label in np.unique(labels[on]):
        asked, among = np.flatnonzero(on & (labels == label)), np.flatnonzero(labels == label)
        _, found = nearest(laid[asked], laid[among], min(count + 1, len(among)))
        for row, order in zip(asked, among[found], strict=True):
            others = order[order != row][:count]
            partners[row, : len(others)] = others
    return on & (partners[:, 0] >= 0), partners

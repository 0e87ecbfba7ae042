"""How near rows of a table come to each other.

The distance of two rows is the root of the mean square of their cells' distances, so it lies in 0 to 1 for tables of
any width: numbers are compared by their places in the order of the train rows (beyond its ends by how far beyond, in
ranges), categories are equal or not, a missing cell is at 1 from any other and at 0 from a missing one. Candidates come
from one matrix product over short vectors; their distances are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.tables.rows import Codes, Numbers
from udfs.table.form import Column, Matrix

CANDIDATES = 16  # checked cell by cell
BLOCK = 1000  # rows whose distances are held at a time
GRID = 1001  # quantiles that places are read off
FEW_CODES = 32  # categories up to here have a column each in the vectors, others SIGNS of them
SIGNS = 24
FARTHEST = 10.0  # ranges beyond the ends of the train rows: farther is as far
MISSING = -1e6  # no place, no code
_HALF = np.sqrt(0.5)
_GAP = np.sqrt(11 / 12)  # with places spread evenly on 0-1, a missing number is at about 1 from any
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Near:
    """The nearest rows that were found for N rows: the nearest one's place, its distance, and the next one's."""

    place: Codes
    distance: Numbers
    second: Numbers  # infinite where there is one row only


@dataclass(frozen=True)
class Space:
    """Train rows and how cells are compared with theirs."""

    columns: tuple[Column, ...]
    grids: tuple[Numbers | None, ...]  # of a number its rising quantiles
    cells: Matrix  # (N, D) of the train rows, comparable
    vectors: NDArray[np.float32]  # (N, W)

    @staticmethod
    def of(columns: Sequence[Column], train: Matrix) -> Space:
        """Measure the train rows. Raises ValueError where there are none."""
        if not len(train):
            raise ValueError("nearness needs at least one train row")
        grids = tuple(_grid(values) if each.is_numeric else None for each, values in zip(columns, train.T, strict=True))
        bare = Space(tuple(columns), grids, np.zeros((0, len(columns))), np.zeros((0, 0), np.float32))
        cells = bare.comparable(train)
        return Space(bare.columns, grids, cells, bare.as_vectors(cells))

    def among(self, rows: Matrix) -> Space:
        """The same way of comparing, with other rows to look among."""
        cells = self.comparable(rows)
        return Space(self.columns, self.grids, cells, self.as_vectors(cells))

    def comparable(self, matrix: Matrix) -> Matrix:
        """Cells as they are compared: numbers as places, categories as codes, MISSING for what is missing."""
        out = np.empty_like(matrix, order="C")
        for place, grid in enumerate(self.grids):
            values = matrix[:, place]
            out[:, place] = values if grid is None else _places(values, grid)
        return np.where(np.isnan(matrix), MISSING, out)

    def as_vectors(self, cells: Matrix) -> NDArray[np.float32]:
        """float32[N, W] whose Euclidean distances are about those of the rows, times the root of D."""
        parts = [_embedded(values, each) for values, each in zip(cells.T, self.columns, strict=True)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def nearest(self, matrix: Matrix) -> Near:
        """Of each row the nearest ones among the rows of this space."""
        cells = self.comparable(matrix)
        vectors = self.as_vectors(cells)
        norms = (self.vectors**2).sum(1)
        found = [self._nearest(cells[:0], np.zeros((0, 1), np.int64))]
        for at in range(0, len(matrix), BLOCK):
            part = slice(at, at + BLOCK)
            scores = norms - 2 * vectors[part] @ self.vectors.T
            found.append(self._nearest(cells[part], _candidates(scores)))
        return Near(*(np.concatenate([getattr(each, name) for each in found]) for name in Near.__dataclass_fields__))

    def _nearest(self, cells: Matrix, candidates: Codes) -> Near:
        """The nearest two of each row's candidates, cell by cell."""
        squares = self._squares(cells[:, None, :], self.cells[candidates])
        order = np.argsort(squares, axis=1, kind="stable")[:, :2]
        both = np.sqrt(np.take_along_axis(squares, order, axis=1))
        first = order[:, 0]
        second = both[:, 1] if both.shape[1] > 1 else np.full(len(cells), np.inf)
        return Near(candidates[np.arange(len(cells)), first], both[:, 0], second)

    def _squares(self, ours: Matrix, theirs: Matrix) -> Numbers:
        """Mean squared distance of cells, over the last axis."""
        number = np.array([grid is not None for grid in self.grids])
        apart = np.where(number, (ours - theirs) ** 2, ours != theirs)
        apart[np.broadcast_to((ours == MISSING) != (theirs == MISSING), apart.shape)] = 1.0
        return np.asarray(apart.mean(-1), np.float64)


def _grid(values: Numbers) -> Numbers:
    """Quantiles of a number; one value where it is constant or always missing."""
    there = values[~np.isnan(values)]
    return np.quantile(there, np.linspace(0, 1, GRID)) if len(there) else np.zeros(GRID)


def _places(values: Numbers, grid: Numbers) -> Numbers:
    """Places in the order of the train rows, 0 to 1; beyond the ends by how far beyond, in ranges.

    Of a value that holds several quantiles, the middle one.
    """
    low, high = grid[0], grid[-1]
    span = (high - low) or max(abs(high), 1.0)
    left, right = np.searchsorted(grid, values, "left"), np.searchsorted(grid, values, "right")
    at = np.clip(left, 1, len(grid) - 1)
    step = grid[at] - grid[at - 1]
    within = np.divide(values - grid[at - 1], step, out=np.zeros(len(values)), where=step > 0)
    place = np.where(right > left, (left + right - 1) / 2, at - 1 + np.clip(within, 0, 1)) / (len(grid) - 1)
    place = np.where(values < low, -np.minimum((low - values) / span, FARTHEST), place)
    return np.where(values > high, 1 + np.minimum((values - high) / span, FARTHEST), place)


def _embedded(values: Numbers, column: Column) -> Numbers:
    """A column's part of the vectors: (N, 2) of a number, codes or signs of a category."""
    missing = values == MISSING
    if column.is_numeric:
        return np.stack([np.where(missing, 0.5, values), missing * _GAP], axis=1)
    codes = np.where(missing, 0, values + 1).astype(np.int64)  # a missing one is a code as well
    if column.size < FEW_CODES:
        return np.eye(column.size + 1)[np.clip(codes, 0, column.size)] * _HALF
    with np.errstate(over="ignore"):
        words = (codes.astype(np.uint64) * _MIX) ^ (codes.astype(np.uint64) * _MIX >> np.uint64(29))
        words = words * np.uint64(0xBF58476D1CE4E5B9)
    bits = (words[:, None] >> np.arange(64 - SIGNS, 64, dtype=np.uint64)) & np.uint64(1)
    return (2.0 * bits - 1) * np.sqrt(1 / (2 * SIGNS))


def _candidates(scores: NDArray[np.float32]) -> Codes:
    """(N, up to CANDIDATES): the best column of each of CANDIDATES interleaved sets of columns."""
    sets = min(CANDIDATES, scores.shape[1])
    return np.stack([scores[:, first::sets].argmin(1) * sets + first for first in range(sets)], axis=1)

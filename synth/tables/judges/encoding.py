"""A table's cells as the vectors that the logistic and the net judge learn from, measured on their own training rows.

A number becomes its place in the order of the training rows and its distance from their mean, since some columns speak
by order (incomes) and some by size; a category one column for each of its frequent codes. A missing cell is zero in all
of them and one in a column of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.tables.rows import Codes, Numbers
from udfs.table.form import Column, Matrix

Vectors = NDArray[np.float32]
GRID = 201  # quantiles that a number's place in the order is read off
ORDER_SCALE = np.sqrt(12.0)  # makes places in the order, uniform on 0-1, of unit variance
FARTHEST = 5.0  # standard deviations: what lies beyond is as far as this
MOST_CODES = 50  # columns for the codes of one category; rarer ones share none
MOST_WIDTH = 2000  # columns for all of a table's categories together


@dataclass(frozen=True)
class Scale:
    """How one column is encoded: by `values` and `order` (of a number), or by `codes` (of a category)."""

    values: Numbers  # rising quantiles
    order: Numbers  # their places, in 0-1
    mean: float
    std: float
    codes: Codes
    gaps: bool  # whether training rows have missing cells

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return (len(self.codes) or 2) + self.gaps


@dataclass(frozen=True)
class Encoding:
    """float64[N, D] cells -> float32[N, W] vectors."""

    scales: tuple[Scale, ...]

    @staticmethod
    def fitted(cells: Matrix, columns: Sequence[Column]) -> Encoding:
        """Measure the training rows."""
        categories = sum(not column.is_numeric for column in columns)
        most = max(2, min(MOST_CODES, MOST_WIDTH // max(categories, 1)))
        scales = [
            _of_number(values) if column.is_numeric else _of_category(values, most)
            for values, column in zip(cells.T, columns, strict=True)
        ]
        return Encoding(tuple(scales))

    def __call__(self, cells: Matrix) -> Vectors:
        vectors = np.zeros((len(cells), sum(scale.width for scale in self.scales)), np.float32)
        at = 0
        for values, scale in zip(cells.T, self.scales, strict=True):
            _write(vectors[:, at : at + scale.width], values, scale)
            at += scale.width
        return vectors


def _of_number(values: Numbers) -> Scale:
    there = values[~np.isnan(values)]
    if not len(there):
        return Scale(np.zeros(1), np.full(1, 0.5), 0.0, 1.0, np.zeros(0, np.int64), True)
    grid = np.quantile(there, np.linspace(0, 1, GRID))
    rising, place = np.unique(grid, return_inverse=True)
    order = np.bincount(place, np.linspace(0, 1, GRID)) / np.bincount(place)
    spread = float(there.std())
    mean, std = float(there.mean()), spread if spread > 0 else 1.0
    return Scale(rising, order, mean, std, np.zeros(0, np.int64), len(there) < len(values))


def _of_category(values: Numbers, most: int) -> Scale:
    there = values[~np.isnan(values)].astype(np.int64)
    counts = np.bincount(there) if len(there) else np.zeros(1, np.int64)
    codes = np.sort(np.argsort(-counts, kind="stable")[: min(most, max(int((counts > 0).sum()), 1))])
    return Scale(np.zeros(0), np.zeros(0), 0.0, 1.0, codes, len(there) < len(values))


def _write(vectors: Vectors, values: Numbers, scale: Scale) -> None:
    """Fill a column's part of the vectors."""
    missing = np.isnan(values)
    if scale.gaps:
        vectors[:, -1] = missing
    there = ~missing
    if len(scale.codes):
        vectors[:, : len(scale.codes)] = values[:, None] == scale.codes  # NaN equals none
        return
    places = np.interp(values[there], scale.values, scale.order)
    vectors[there, 0] = (places - 0.5) * ORDER_SCALE
    vectors[there, 1] = np.clip((values[there] - scale.mean) / scale.std, -FARTHEST, FARTHEST)

"""Missing cells filled from the other columns of their row: by the nearest train rows, or by a model of the column.

Both learn from a matrix of train rows (`udfs/table/form.py`: NaN is missing, categories are codes) and fill each row by
itself, so a row's value does not hang on its batch. The label is no other column: else it would leak into test rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs.table.form import Column, Matrix

Floats = NDArray[np.float64]
MAX_MODEL_CODES = 100  # classes that a model tells apart; of more, the most frequent
_CHUNK_CELLS = 8 << 20  # of one block of distances


@dataclass(frozen=True)
class Nearest:
    """Train rows that have the cell, scaled: numbers by their deviation, categories apart by one."""

    rows: Matrix  # (M, D) of the other columns, numbers scaled
    values: Floats  # (M,)
    centre: Floats
    scale: Floats
    is_code: NDArray[np.bool_]
    is_number: bool
    neighbours: int

    @staticmethod
    def fit(train: Matrix, columns: Sequence[Column], target: int, others: Sequence[int], neighbours: int) -> Nearest:
        """From train rows; `others` are the places of the columns that tell who is near."""
        known = train[~np.isnan(train[:, target])]
        is_code = np.array([columns[place].size > 0 for place in others], bool)
        part = known[:, list(others)]
        told = np.maximum(1, (~np.isnan(part)).sum(0))
        centre = np.where(is_code, 0.0, np.nansum(part, axis=0) / told)
        spread = np.sqrt(np.nansum(np.square(part - centre), axis=0) / told)
        scale = np.where(is_code | (spread == 0), 1.0, spread)
        return Nearest(
            (part - centre) / scale, known[:, target], centre, scale, is_code, columns[target].size == 0, neighbours
        )

    def fill(self, others: Matrix) -> Floats:
        """(N,): the median of the nearest rows' values, or the most frequent of them; NaN where nothing was learned."""
        found = np.full(len(others), np.nan)
        if not len(self.values):
            return found
        scaled = (others - self.centre) / self.scale
        step = max(1, _CHUNK_CELLS // max(1, self.rows.size))
        count = min(self.neighbours, len(self.values))
        for start in range(0, len(scaled), step):
            away = self._distances(scaled[start : start + step])
            near = np.argsort(away, axis=1, kind="stable")[:, :count]
            found[start : start + step] = [self._value(self.values[each]) for each in near]
        return found

    def _distances(self, rows: Matrix) -> Matrix:
        """(N, M): squares of differences, 1 where categories differ or one of both is missing."""
        away = np.zeros((len(rows), len(self.rows)))
        for place, is_code in enumerate(self.is_code):
            mine, theirs = rows[:, place, None], self.rows[None, :, place]
            apart = (mine != theirs).astype(np.float64) if is_code else np.square(mine - theirs)
            away += np.where(np.isnan(apart) | np.isnan(mine) | np.isnan(theirs), 1.0, apart)
        return away

    def _value(self, values: Floats) -> float:
        if self.is_number:
            return float(np.median(values))
        kinds, counts = np.unique(values, return_counts=True)
        return float(kinds[np.argmax(counts)])


@dataclass(frozen=True)
class Modelled:
    """A gradient-boosted model of one column by the others, which may be missing."""

    model: Any
    codes: Floats | None  # of a category: the codes that the model's classes stand for

    @staticmethod
    def fit(train: Matrix, columns: Sequence[Column], target: int, others: Sequence[int], seed: int) -> Modelled:
        """From train rows that have the cell. A column of one value, or of none, needs no model."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        known = train[~np.isnan(train[:, target])]
        values, part = known[:, target], known[:, list(others)]
        if not len(values) or len(np.unique(values)) == 1:
            return Modelled(float(values[0]) if len(values) else np.nan, None)
        if columns[target].size == 0:
            return Modelled(HistGradientBoostingRegressor(random_state=seed).fit(part, values), None)
        kinds, counts = np.unique(values, return_counts=True)
        kept = np.sort(kinds[np.argsort(-counts, kind="stable")[:MAX_MODEL_CODES]])
        some = np.isin(values, kept)
        model = HistGradientBoostingClassifier(random_state=seed).fit(part[some], np.searchsorted(kept, values[some]))
        return Modelled(model, kept)

    def fill(self, others: Matrix) -> Floats:
        """(N,): what the model expects; NaN where nothing was learned."""
        if isinstance(self.model, float):
            return np.full(len(others), self.model)
        if not len(others):
            return np.zeros(0)
        found = self.model.predict(others)
        return found.astype(np.float64) if self.codes is None else self.codes[found.astype(np.int64)]

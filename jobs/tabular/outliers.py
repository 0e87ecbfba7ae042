"""Outlying rows of tables: numbers beyond their column's bounds, or rows that an isolation forest sets apart.

Bounds and forest come from train rows. In train rows outliers are refused, flagged or drawn to the bounds, as the
recipe says; val and test rows are flagged alone, so that the yardstick stays whole. The label is not asked unless it is
named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf import Config
from jobs.tabular.columns import cell
from jobs.tabular.measured import gathered, measured_form
from udfs.table.bounds import NONE, outlier_bounds, robust_scale
from udfs.table.form import Column as FormColumn
from udfs.table.form import TableForm, to_matrix
from udfs.table.statistics import Statistics

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TREES = 100
ROWS_PER_TREE = 256  # Liu, Ting, Zhou 2008, "Isolation Forest"
_SCORES = pa.schema([("row_id", pa.string()), ("z", pa.float64())])


@dataclass(frozen=True)
class Far:
    """Outlying rows: (row_id, row_outlier); and the bounds of columns, where there are any."""

    rows: DataFrame
    bounds: dict[str, tuple[float, float]]


def found(config: Config, rows: DataFrame, train: DataFrame, known: Statistics) -> Far:
    """Which of `rows` (row_id and typed columns) are outlying, by their `train` rows."""
    rule = config.recipe.clean.outliers
    assert rule is not None
    form = measured_form(config, known)
    asked = _asked(config, form)
    if rule.method == "isolation_forest":
        return Far(_by_forest(config, rows, train, form, known), {})
    bounds = {column.name: outlier_bounds(known.columns[column.name], rule.method, rule.threshold) for column in asked}
    bounds = {name: pair for name, pair in bounds.items() if pair != NONE}
    return Far(_beyond(rows, form, bounds), bounds)


def _asked(config: Config, form: TableForm) -> list[FormColumn]:
    """The columns whose numbers may be outlying."""
    rule = config.recipe.clean.outliers
    assert rule is not None
    named = rule.columns or [column.name for column in form.modelled if column.name != form.label]
    return [column for column in form.columns if column.is_numeric and column.name in named]


def _beyond(rows: DataFrame, form: TableForm, bounds: dict[str, tuple[float, float]]) -> DataFrame:
    """Rows with a number beyond its bounds, with the first of them."""
    from pyspark.sql import functions as F

    kinds = {column.name: column.kind for column in form.columns}
    told: list[Column] = [F.lit(None).cast("string")]
    for name, (low, high) in bounds.items():
        value = number_of(name, kinds[name])
        where = F.lit(f" lies outside {low:.6g} to {high:.6g}")
        told.append(F.when((value < low) | (value > high), F.concat(cell(name), where)))
    return rows.select("row_id", F.coalesce(*told).alias("row_outlier")).where("row_outlier is not null")


def number_of(name: str, kind: str) -> Column:
    """A column as a matrix has it: dates as days, moments as seconds since 1970."""
    from pyspark.sql import functions as F

    if kind == "date":
        return F.unix_date(name).cast("double")
    if kind == "datetime":
        return F.unix_micros(name).cast("double") / 1e6
    return F.col(name).cast("double")


def clipped(rows: DataFrame, form: TableForm, bounds: dict[str, tuple[float, float]], where: Column) -> DataFrame:
    """Rows whose numbers beyond the bounds are drawn to them where `where` holds."""
    from pyspark.sql import functions as F

    kinds = {column.name: column.kind for column in form.columns}
    columns = {}
    for name, (low, high) in bounds.items():
        value = number_of(name, kinds[name])
        drawn = F.when(where & (value < low), as_kind(low, kinds[name], math.ceil)).when(
            where & (value > high), as_kind(high, kinds[name], math.floor)
        )
        columns[name] = F.coalesce(drawn, F.col(name))
    return rows.withColumns(columns)


def as_kind(value: float, kind: str, whole: Callable[[float], int]) -> Column:
    """A number of a matrix as a cell of its column's kind; `whole` makes it one where the kind is whole."""
    from pyspark.sql import functions as F

    if kind == "date":
        return F.date_from_unix_date(F.lit(whole(value)))
    if kind == "datetime":
        return F.timestamp_micros(F.lit(whole(value * 1e6)))
    return F.lit(whole(value)).cast("bigint") if kind == "integer" else F.lit(value)


# ---- isolation forest ----


def _by_forest(config: Config, rows: DataFrame, train: DataFrame, form: TableForm, known: Statistics) -> DataFrame:
    """Rows whose score in the forest lies far above the train rows', by the robust z of it."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    rule = config.recipe.clean.outliers
    assert rule is not None
    matrix, _ = gathered(train, form, "isolation forest")
    forest = Forest.fit(matrix, form, known, config.recipe.seed)
    columns = rows.select("row_id", *[column.name for column in form.modelled])
    far = map_rows(columns, _Scoring(forest, form), _SCORES).where(F.col("z") > rule.threshold)
    told = F.format_string(f"apart from the others by a robust z of %.1f, over {rule.threshold:g}", "z")
    return far.select("row_id", told.alias("row_outlier"))


@dataclass(frozen=True)
class Forest:
    """An isolation forest over numbers filled by their median and categories by how rare they are."""

    model: Any
    centre: float
    spread: float
    medians: np.ndarray
    rarity: dict[int, np.ndarray]
    label: int

    @staticmethod
    def fit(matrix: np.ndarray, form: TableForm, known: Statistics, seed: int) -> Forest:
        """From train rows."""
        from sklearn.ensemble import IsolationForest

        columns = form.modelled
        facts = [known.columns[column.name] for column in columns]
        medians = np.array([each.quantile(0.5) if len(each.grid) else 0.0 for each in facts])
        rarity = {
            place: -np.log(np.maximum(facts[place].marginal(column), 1e-6))
            for place, column in enumerate(columns)
            if column.size
        }
        model = IsolationForest(
            n_estimators=TREES, max_samples=min(ROWS_PER_TREE, len(matrix)), random_state=seed, n_jobs=1
        )
        plain = Forest(model, 0.0, 1.0, medians, rarity, form.label_place)
        model.fit(plain.features(matrix))
        centre, spread = robust_scale(-model.score_samples(plain.features(matrix)))
        return Forest(model, centre, spread or 1.0, medians, rarity, form.label_place)

    def features(self, matrix: np.ndarray) -> np.ndarray:
        """(N, D - 1): numbers without holes, categories by how rare they are, the label left out."""
        filled = np.where(np.isnan(matrix), self.medians, matrix)
        for place, rare in self.rarity.items():
            codes = np.where(np.isnan(matrix[:, place]), len(rare) - 1, matrix[:, place]).astype(np.int64)
            filled[:, place] = rare[codes]
        return np.delete(filled, self.label, axis=1)

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """(N,): the robust z of how easily a row is set apart."""
        return (-self.model.score_samples(self.features(matrix)) - self.centre) / self.spread


@dataclass(frozen=True)
class _Scoring:
    """Batches of rows to their scores."""

    forest: Forest
    form: TableForm

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        scores = self.forest.scores(to_matrix(batch, self.form))
        return pa.record_batch([batch.column("row_id"), pa.array(scores)], schema=_SCORES)

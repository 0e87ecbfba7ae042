"""Missing values filled by what is known of the train rows.

A constant, or a column's mean, median or mode, or the median of its group, are expressions. Nearest rows and models
learn on the driver from a bounded number of train rows and fill where the rows lie. Filled columns do not feed one
another: each is filled from the cells as they came. The label is never filled, and fills nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf import Config
from conf.schema import Column as Declared
from jobs.tabular.measured import gathered, measured_form
from jobs.tabular.outliers import as_kind, number_of
from udfs.table.form import WAS_MISSING, TableForm, from_matrix, to_matrix
from udfs.table.imputation import Modelled, Nearest
from udfs.table.statistics import Statistics

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LEARNED = ("nearest", "model")


def filled(config: Config, rows: DataFrame, train: DataFrame, known: Statistics) -> DataFrame:
    """Rows with their missing cells filled."""
    wanted = {name: said for name, said in config.recipe.columns.items() if said.fill and said.fill.method != "drop"}
    learned = [name for name, said in wanted.items() if said.fill and said.fill.method in LEARNED]
    made = rows
    if learned:
        made = _learned(config, made, train, known, learned)
    for name, said in wanted.items():
        if said.fill and said.fill.method == "group_median":
            made = _with_group_medians(made, train, name, said)
    columns = {name: _value(config, name, said, known, train) for name, said in wanted.items()}
    return made.withColumns(columns).drop(*[f"row_fill_{name}" for name in wanted])


def _value(config: Config, name: str, said: Declared, known: Statistics, train: DataFrame) -> Column:
    """The cell, or what stands in for it."""
    from pyspark.sql import functions as F

    assert said.fill is not None
    method, cell = said.fill.method, F.col(name)
    if method in LEARNED:
        return F.coalesce(cell, F.col(f"row_fill_{name}"))
    if method == "constant":
        return F.coalesce(cell, _constant(said))
    facts = known.columns.get(name)
    if facts is None or not facts.told:
        return cell
    if method == "mode":
        return F.coalesce(cell, _mode(train, name, said))
    middle = facts.mean if method == "mean" else facts.quantile(0.5)
    plain = as_kind(float(middle or 0.0), said.type, round)
    return F.coalesce(cell, F.col(f"row_fill_{name}"), plain) if method == "group_median" else F.coalesce(cell, plain)


def _constant(said: Declared) -> Column:
    from pyspark.sql import functions as F

    kind = {"integer": "bigint", "number": "double", "boolean": "boolean", "date": "date", "datetime": "timestamp"}
    assert said.fill is not None
    return F.lit(said.fill.value).cast(kind.get(said.type, "string"))


def _mode(train: DataFrame, name: str, said: Declared) -> Column:
    """The most frequent value of train rows, ties to the first in order."""
    from pyspark.sql import functions as F

    counted = train.where(F.col(name).isNotNull()).groupBy(name).agg(F.count("*").alias("row_count"))
    best = counted.orderBy(F.desc("row_count"), name).select(F.col(name).cast("string")).head()
    kind = {"integer": "bigint", "number": "double", "boolean": "boolean", "date": "date", "datetime": "timestamp"}
    return F.lit(None if best is None else best[0]).cast(kind.get(said.type, "string"))


def _with_group_medians(rows: DataFrame, train: DataFrame, name: str, said: Declared) -> DataFrame:
    """Rows with `row_fill_<name>`: the median of the train rows of their group."""
    from pyspark.sql import functions as F

    assert said.fill is not None
    by = said.fill.by
    median = F.percentile(number_of(name, said.type), 0.5)
    grouped = train.groupBy(*by).agg(median.alias("row_median")).where("row_median is not null")
    keys = [F.col(f"g.{each}").eqNullSafe(F.col(f"r.{each}")) for each in by]
    joined = rows.alias("r").join(grouped.alias("g"), keys, "left").select("r.*", "g.row_median")
    return joined.withColumn(f"row_fill_{name}", _from_number("row_median", said.type)).drop("row_median")


def _from_number(name: str, kind: str) -> Column:
    """A number of a matrix as a cell of its kind."""
    from pyspark.sql import functions as F

    if kind == "date":
        return F.date_from_unix_date(F.rint(name).cast("int"))
    if kind == "datetime":
        return F.timestamp_micros(F.rint(F.col(name) * 1e6).cast("bigint"))
    return F.rint(name).cast("bigint") if kind == "integer" else F.col(name)


# ---- learned ----


def _learned(config: Config, rows: DataFrame, train: DataFrame, known: Statistics, names: list[str]) -> DataFrame:
    """Rows with `row_fill_<name>` for each of the columns that nearest rows or a model fill."""
    from jobs.spark import map_rows

    form = measured_form(config, known)
    matrix, _ = gathered(train, form, "imputation")
    filling = Filling.fit(config, form, matrix, names)
    holes = " or ".join(f"`{name}` is null" for name in names)
    columns = rows.where(holes).select("row_id", *[column.name for column in form.modelled])
    schema = pa.schema([("row_id", pa.string()), *[(f"row_fill_{n}", form.schema().field(n).type) for n in names]])
    return rows.join(map_rows(columns, _Filler(filling, schema), schema), "row_id", "left")


def _others(form: TableForm, name: str) -> list[int]:
    """Places of the columns that tell what a cell of the column `name` may be: neither the label nor its own flag."""
    aside = (name, form.label, name + WAS_MISSING)
    return [place for place, column in enumerate(form.modelled) if column.name not in aside]


@dataclass(frozen=True)
class Filling:
    """What was learned of each column, by its name."""

    form: TableForm
    learned: dict[str, Any]

    @staticmethod
    def fit(config: Config, form: TableForm, train: np.ndarray, names: list[str]) -> Filling:
        """From a matrix of train rows."""
        places = {column.name: place for place, column in enumerate(form.modelled)}
        learned: dict[str, Any] = {}
        for name in names:
            fill = config.recipe.columns[name].fill
            assert fill is not None
            others = _others(form, name)
            if fill.method == "nearest":
                learned[name] = Nearest.fit(train, form.modelled, places[name], others, fill.neighbours)
            else:
                learned[name] = Modelled.fit(train, form.modelled, places[name], others, config.recipe.seed)
        return Filling(form, learned)

    def __call__(self, matrix: np.ndarray) -> dict[str, pa.Array]:
        """A value for every row of each column."""
        places = {column.name: place for place, column in enumerate(self.form.modelled)}
        made = np.full_like(matrix, np.nan)
        for name, model in self.learned.items():
            made[:, places[name]] = model.fill(matrix[:, _others(self.form, name)])
        cells = from_matrix(made, self.form)
        return {name: cells[name] for name in self.learned}


@dataclass(frozen=True)
class _Filler:
    """Batches of rows to what fills them."""

    filling: Filling
    schema: pa.Schema

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        cells = self.filling(to_matrix(batch, self.filling.form))
        arrays = [cells[name.removeprefix("row_fill_")] for name in self.schema.names[1:]]
        return pa.record_batch([batch.column("row_id"), *arrays], schema=self.schema)

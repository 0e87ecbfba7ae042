"""Augment, the part of tables: steps compiled with the statistics of train rows, and what partners are chosen by and
hand over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from conf import Config, runs
from conf.schema import Recipe
from udfs.table.compiled import CompiledTable, compile_table_steps
from udfs.table.form import TableForm, to_matrix
from udfs.table.space import views as views_in_space
from udfs.table.statistics import Statistics

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CALL_ROWS = 8192  # children made by one call of the steps
_VIEWS = pa.schema([pa.field("row_id", pa.string()), pa.field("label", pa.string()), pa.field("view", pa.binary())])


def check_steps(recipe: Recipe) -> None:
    """Raise StepError for a step that is none, an option that it does not take, a column that is none."""
    compile_table_steps(recipe.augment.steps if recipe.augment else [], form=TableForm.of(recipe))


def compiled(config: Config) -> CompiledTable:
    """The recipe's steps, with what normalize measured."""
    augment = config.recipe.augment
    assert augment is not None
    measured = runs.locate(config, "augment").inputs["normalize"]
    told = runs.read_json(measured.folder, "statistics.json") or {"columns": {}}
    form = TableForm.of(config.recipe, told["columns"])
    return compile_table_steps(augment.steps, form=form, statistics=Statistics.from_dict(told))


def call_rows(steps: CompiledTable) -> int:
    """Children that one call of the steps makes at most."""
    return CALL_ROWS


def label_name(steps: CompiledTable) -> str:
    """The column by whose values copies are counted."""
    return steps.form.label


def label_of(steps: CompiledTable) -> Column:
    """The label by which partners are of one class; all rows of a regression are."""
    from pyspark.sql import functions as F

    return F.col(steps.form.label).cast("string") if steps.form.task == "classification" else F.lit("")


def partner_types(steps: CompiledTable) -> dict[str, pa.DataType]:
    """The columns that a partner hands over: its id, its payload."""
    return {"partner_id": pa.string(), "partner_row": pa.struct(list(steps.form.schema()))}


def partner_columns(steps: CompiledTable) -> dict[str, Column]:
    """The same, as columns of the partner's row."""
    from pyspark.sql import functions as F

    payload = F.struct(*[F.col(column.name) for column in steps.form.columns])
    return {"partner_id": F.col("row_id"), "partner_row": payload}


def views(parents: DataFrame, steps: CompiledTable) -> DataFrame:
    """row_id, label, and the row's place in the space of `udfs/table/space.py` as bytes."""
    from jobs.spark import map_rows

    payload = [column.name for column in steps.form.columns]
    return map_rows(parents.select("row_id", label_of(steps).alias("row_of"), *payload), _Viewing(steps), _VIEWS)


@dataclass(frozen=True)
class _Viewing:
    """Batches of rows to their places."""

    steps: CompiledTable

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        laid = views_in_space(to_matrix(batch, self.steps.form), self.steps.form, self.steps.statistics)
        seen = pa.array([row.tobytes() for row in laid], pa.binary())
        return pa.table([batch.column("row_id"), batch.column("row_of"), seen], schema=_VIEWS)

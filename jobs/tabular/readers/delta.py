"""A Delta table: a path or URI, or a name in a catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.readers.delta import opened
from jobs.readers.record import Reading
from jobs.tabular import typed_cells
from jobs.tabular.cells import Cells

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def frame(spark: SparkSession, task: Reading) -> DataFrame:
    """The declared columns under our names, and each row's place: its file and a number. Raises RecipeError.

    A table's rows have no order of their own, so a number may change when files are compacted; nothing hangs on it.
    """
    from pyspark.sql import functions as F

    uri = task.need("path")
    table, place = opened(spark, task)
    return chosen(task, table, uri, F.concat(F.lit(f"{uri}#"), place))


def chosen(task: Reading, table: DataFrame, where: str, place: Any) -> DataFrame:
    """The declared columns of what Spark reads, under our names, and each row's place."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import to_arrow_schema

    wanted = typed_cells.wanted_columns(task, to_arrow_schema(table.schema), where)
    columns = [F.col(f"`{theirs}`").alias(mine) for mine, theirs in wanted.items()]
    return table.select(*columns, place.alias(typed_cells.POSITION))


def read_rows(task: Reading, batch: pa.RecordBatch) -> Cells:
    """The cells of one batch of `frame`."""
    columns = {name: batch.column(name) for name in batch.schema.names if name != typed_cells.POSITION}
    return typed_cells.cells_of(columns, batch.column(typed_cells.POSITION))

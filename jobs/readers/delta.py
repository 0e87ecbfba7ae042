"""A Delta table with images in a binary column. Spark reads it, since only Spark knows all of Delta's features; the
rows are as Parquet's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.readers.parquet import batch_records, check_schema, columns_of
from jobs.readers.record import Piece, Reading, Record

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

POSITION = "row_position"


def pieces(task: Reading) -> Iterator[Piece]:
    """None: Spark lists the table's files itself."""
    task.need("path")
    return iter(())


def read(task: Reading, batch: pa.RecordBatch) -> Iterator[Record]:
    """The records of one batch of `frame`."""
    places = batch.column(POSITION).to_pylist()
    rows = batch.drop_columns([POSITION])
    for record, place in zip(batch_records(task, rows, "", 0), places, strict=True):
        yield replace(record, position=f"{task.need('path')}#{place}")


def frame(spark: SparkSession, task: Reading) -> DataFrame:
    """The table's columns that are read, and each row's place: its file and a number. Raises RecipeError.

    A table's rows have no order of their own, so a number may change when files are compacted; nothing hangs on it.
    """
    from pyspark.sql.pandas.types import to_arrow_schema

    table, place = opened(spark, task)
    schema = to_arrow_schema(table.schema)
    check_schema(task, schema, task.need("path"))
    return table.select(*columns_of(task, schema), place.alias(POSITION))


def opened(spark: SparkSession, task: Reading) -> tuple[DataFrame, Any]:
    """A source's table, and the column that says a row's file and number. Raises RecipeError."""
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as F

    uri = task.need("path")
    try:
        table: Any = spark.read.format("delta").load(uri) if "/" in uri else spark.read.table(uri)
    except PySparkException as error:
        raise task.error(f"{uri} cannot be read as a Delta table: {str(error).splitlines()[0][:300]}") from error
    return table, F.format_string("%s:%d", "_metadata.file_name", F.monotonically_increasing_id())

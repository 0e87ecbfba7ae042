"""Rows laid down once and read many times, so that no long lineage is computed twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from conf.runs import filesystem
from jobs.spark import hand_off

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def lay_down(spark: SparkSession, rows: DataFrame, folder: str, name: str) -> DataFrame:
    """Write `rows` to `<folder>/<name>/` and return them as read from there."""
    path = hand_off(rows, folder, name)
    return spark.read.schema(rows.schema).parquet(path)


def remove(folder: str, name: str) -> None:
    """Delete `<folder>/<name>/` where it is there."""
    system, path = filesystem(f"{folder}/{name}")
    if system.get_file_info(path).type == fs.FileType.Directory:
        system.delete_dir(path)


def write_empty(folder: str, schema: pa.Schema) -> None:
    """A Parquet file without rows, so that a folder can be read whatever it holds."""
    system, path = filesystem(folder)
    system.create_dir(path, recursive=True)
    pq.write_table(schema.empty_table(), f"{path}/part-none.parquet", filesystem=system)

"""Rows laid down once and read many times, so that no long lineage is computed twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

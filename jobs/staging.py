"""Rows laid down once and read many times, so that no long lineage is computed twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pyarrow import fs

from conf.runs import filesystem
from jobs.spark import hand_off

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_WRITERS = 3  # Spark runs the jobs of several threads side by side; more would only wait for cores


def lay_down(spark: SparkSession, rows: DataFrame, folder: str, name: str) -> DataFrame:
    """Write `rows` to `<folder>/<name>/` and return them as read from there."""
    path = hand_off(rows, folder, name)
    return spark.read.schema(rows.schema).parquet(path)


def lay_down_splits(rows: DataFrame, folder: str, splits: list[str]) -> str:
    """Write `<folder>/rows/row_split=<split>/` for each split; the column `row_split` also stands in the files. Returns the path.

    Spark's own partitioned writes would leave the column out, and readers of one split's folder would miss it.
    """
    remove(folder, "rows")

    def write(split: str) -> None:
        hand_off(rows.where(rows["row_split"] == split), f"{folder}/rows", f"row_split={split}")

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write, splits))
    return f"{folder}/rows"


def remove(folder: str, name: str) -> None:
    """Delete `<folder>/<name>/` where it is there."""
    system, path = filesystem(f"{folder}/{name}")
    if system.get_file_info(path).type == fs.FileType.Directory:
        system.delete_dir(path)

"""The only session and Delta plumbing: what the stages call.

`session` starts or finds Spark, `read` and `table` find tables, `map_rows` runs a plain Arrow function over rows,
`hand_off` writes Parquet for Ray, `digests` says in a few digits what rows there are, `merge_rows` brings a table in
step in one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from conf import runs
from jobs.places import exists, read, table
from jobs.session import log_path, session
from jobs.tables import Merged, merge_rows, publish_refused

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

MAX_BATCH_BYTES = 16 << 20  # of encoded payload per call of a mapped function, and per batch that it returns
MAX_BATCH_ROWS = 4096
TASKS_PER_CORE = 3

RowsFunction = Callable[[pa.RecordBatch], pa.RecordBatch | pa.Table | Iterable[pa.RecordBatch | pa.Table]]


def map_rows(
    rows: DataFrame,
    function: RowsFunction,
    schema: pa.Schema,
    max_rows: int = MAX_BATCH_ROWS,
    max_bytes: int = MAX_BATCH_BYTES,
) -> DataFrame:
    """Rows through `function`, which gets batches of at most `max_rows` rows and about `max_bytes` and returns
    batches of `schema`.

    The function must treat each row by itself: batches differ from run to run. It runs in Python workers, so it is
    pickled.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    mapped = _Mapped(function, schema, max_rows, max_bytes)
    return rows.mapInArrow(mapped, from_arrow_schema(_all_nullable(schema)))


class _Mapped:
    """What a worker runs: slice, call, conform."""

    def __init__(self, function: RowsFunction, schema: pa.Schema, max_rows: int, max_bytes: int) -> None:
        self._function, self._schema = function, _all_nullable(schema)
        self._max_rows, self._max_bytes = max_rows, max_bytes

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in sliced(batch, self._max_rows, self._max_bytes):
                made = self._function(part)
                for each in [made] if isinstance(made, pa.RecordBatch | pa.Table) else made:
                    yield from _whole(each, self._schema)


def sliced(batch: pa.RecordBatch, max_rows: int, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """The batch in equal slices of at most `max_rows` rows and, were rows of one size, at most `max_bytes`."""
    if batch.num_rows == 0:
        return
    slices = max(-(-batch.num_rows // max_rows), min(batch.num_rows, -(-batch.nbytes // max_bytes)))
    step = -(-batch.num_rows // slices)
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def _whole(made: pa.RecordBatch | pa.Table, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """What a function returned, as batches of exactly `schema`."""
    table = pa.Table.from_batches([made]) if isinstance(made, pa.RecordBatch) else made
    if table.schema.names != schema.names:
        raise ValueError(f"the function returned columns {table.schema.names}, the schema has {schema.names}")
    yield from table.cast(schema).combine_chunks().to_batches()


def _all_nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


def spread(rows: DataFrame, tasks: int) -> DataFrame:
    """Rows of small files in at least `tasks` partitions, but not many times more than there are cores.

    Large files are in many partitions already, and moving their payload would cost more than it gains.
    """
    cores = rows.sparkSession.sparkContext.defaultParallelism
    wanted = min(tasks, TASKS_PER_CORE * cores)
    return rows.repartition(wanted, "row_id") if wanted > rows.rdd.getNumPartitions() else rows


def file_count(spark: SparkSession, size: int) -> int:
    """How many files `size` bytes are best laid down in.

    So that each is read as one partition, and a table that is written from them has files of neighbouring ids.
    """
    bytes_per_partition = int(str(spark.conf.get("spark.sql.files.maxPartitionBytes")).removesuffix("b"))
    return max(1, -(-size // (bytes_per_partition * 3 // 4)))


def in_order(rows: DataFrame, files: int) -> DataFrame:
    """Rows in the order of their ids, in about `files` partitions of neighbouring ids."""
    parted = rows.coalesce(1) if files <= 1 else rows.repartitionByRange(files, "row_id")
    return parted.sortWithinPartitions("row_id")


def hand_off(rows: DataFrame, folder: str, name: str, partition_by: Iterable[str] = ()) -> str:
    """Write rows as Parquet `<folder>/<name>/` in place of what is there, for Ray and for later stages; returns the
    path.
    """
    path = f"{folder}/{name}"
    rows.write.mode("overwrite").partitionBy(*partition_by).parquet(path)
    return path


def hash_number() -> Column:
    """`row_hash` as a decimal number, for exact sums."""
    from pyspark.sql import functions as F

    return F.conv("row_hash", 16, 10).cast("decimal(20,0)")


def digests(rows: DataFrame, by: str = "row_split") -> dict[str, str]:
    """The digest of the rows of each value of column `by` (`row_hash` must be set)."""
    from pyspark.sql import functions as F

    grouped = rows.groupBy(by).agg(F.count("*").alias("n"), F.sum(hash_number()).alias("total"))
    return {row[by]: runs.digest(row["n"], int(row["total"])) for row in grouped.collect()}


__all__ = [
    "Merged", "digests", "exists", "file_count", "hand_off", "hash_number", "in_order", "log_path", "map_rows",
    "merge_rows", "publish_refused", "read", "session", "sliced", "spread", "table",
]  # fmt: skip

"""map_rows slices by rows and bytes and holds a function to its schema; digests and hand-overs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import runs
from jobs.census import census, count, digest
from jobs.spark import digests, hand_off, in_order, map_rows, sliced, spread
from tests.jobs.merging import as_table, rows_of, staged

NUMBERS = pa.schema([pa.field("id", pa.int64()), pa.field("size", pa.int64())])


def test_slices_are_equal_and_bounded() -> None:
    """By rows and by bytes, whichever is less; nothing for nothing."""
    batch = pa.RecordBatch.from_pydict({"a": pa.array(range(1000), pa.int64())})
    assert [part.num_rows for part in sliced(batch, 300, 1 << 20)] == [250, 250, 250, 250]
    assert [part.num_rows for part in sliced(batch, 1000, 4000)] == [500, 500]
    assert [part.num_rows for part in sliced(batch, 1000, 1)] == [1] * 1000
    assert list(sliced(batch.slice(0, 0), 10, 10)) == []


def test_functions_get_bounded_batches_and_may_give_several(spark: Any) -> None:
    """All rows come through once, as the function made them."""

    def sizes(batch: pa.RecordBatch) -> Iterator[pa.Table]:
        for start in range(0, batch.num_rows, 2):
            part = batch.slice(start, 2)
            yield pa.table({"id": part.column("id"), "size": pa.array([batch.num_rows] * part.num_rows)})

    found = map_rows(spark.range(0, 100, 1, 3), sizes, NUMBERS, max_rows=7).collect()
    assert sorted(row["id"] for row in found) == list(range(100))
    assert max(row["size"] for row in found) <= 7


def test_a_function_with_other_columns_is_an_error(spark: Any) -> None:
    """Not a column of nulls."""
    with pytest.raises(Exception, match="returned columns \\['id'\\]"):
        map_rows(spark.range(3), lambda batch: batch, NUMBERS).collect()


def test_a_killed_python_worker_has_its_task_tried_again(spark: Any, tmp_path: Path) -> None:
    """The same rows, none twice."""
    mark = tmp_path / "struck"

    def dying(batch: pa.RecordBatch) -> pa.Table:
        if 40 in batch.column("id").to_pylist() and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return pa.table({"id": batch.column("id"), "size": batch.column("id")})

    found = map_rows(spark.range(0, 100, 1, 3), dying, NUMBERS, max_rows=7).collect()
    assert mark.exists()
    assert sorted(row["size"] for row in found) == list(range(100))


def test_spread_gives_small_files_more_tasks_and_loses_nothing(spark: Any, tmp_path: Path) -> None:
    """One small file is read in as many tasks as its rows are worth."""
    rows = spark.read.parquet(staged(rows_of("a", 100), tmp_path / "rows"))
    assert spread(rows, 5).rdd.getNumPartitions() == 5
    assert spread(rows, 1).rdd.getNumPartitions() == rows.rdd.getNumPartitions()
    assert spread(rows, 5).count() == 100


@pytest.mark.parametrize("files", [1, 3])
def test_in_order_lays_neighbours_together(spark: Any, tmp_path: Path, files: int) -> None:
    """Files' id ranges do not overlap, and rows in a file are in order."""
    rows = spark.read.parquet(staged(rows_of("abcdef", 50)[::-1], tmp_path / "rows"))
    path = Path(hand_off(in_order(rows, files), str(tmp_path), "sorted"))
    parts = [pq.read_table(file)["row_id"].to_pylist() for file in path.glob("*.parquet")]
    parts = sorted(part for part in parts if part)
    ids = [row_id for part in parts for row_id in part]
    assert len(parts) == files and ids == sorted(ids) and len(ids) == 300


def test_digests_are_the_contracts(spark: Any, tmp_path: Path) -> None:
    """Rows and the sum of their hashes, by split; the census agrees on which rows there are."""
    rows = [*rows_of("a", 30), *rows_of("b", 5, row_split="val")]
    hashes = as_table(rows).column("row_hash").to_pylist()
    frame = spark.read.parquet(staged(rows, tmp_path / "rows"))
    total = sum(int(each, 16) for each in hashes[:30])
    assert digests(frame)["train"] == runs.digest(30, total)
    counted = census(frame)
    assert count(counted, row_split="val") == 5 and count(counted) == 35
    assert digest(counted, row_split="val") != digest(counted, row_split="train") != digest(counted)
    assert digest(census(frame.repartition(7)), row_split="train") == digest(counted, row_split="train")

"""The last pass of clean over a row: what becomes of it, written where it belongs, and counted.

One pass writes kept rows to `rows/row_split=<split>/` and refused ones to `refused/`, with their hashes, and returns
what it counted, with a sample of the train rows' hashes. The workers write the Parquet themselves, as Ray's do:
Spark's partitioned writes would leave `row_split` out of the files, and a write per split would read every image once
per split. Names are those of the partitions, so a task that is retried overwrites its own files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from conf import runs
from conf.runs import filesystem, refresh
from jobs.staging import remove, write_empty
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEPT, REFUSED, MERGED, LEFT_OUT = "kept", "refused", "merged", "left_out"
FATE = "row_fate"  # the column of wide rows: no payload has a name that begins with row_
_TALLY = ("fate", "row_reason", "row_split", "label")
_TALLIES = pa.schema(
    [
        *((name, pa.string()) for name in _TALLY),
        ("rows", pa.int64()),
        ("hash_sum", pa.string()),
        ("train", pa.list_(pa.string())),  # beside a partition's first tally: the sample of its train rows
    ]
)
_GROUP_BYTES = 32 << 20  # of a Parquet row group


def beside(rows: DataFrame, decided: DataFrame, payload: Sequence[str] = (), more: Sequence[str] = ()) -> DataFrame:
    """Rows with what was decided of them, and `more` columns of that; of those that are neither kept nor refused the
    payload is taken away. What was refused before copies and splits keeps its own detail, which none else knows.
    """
    from pyspark.sql import functions as F

    fate = F.col("fate").alias(FATE)
    told = decided.select("row_id", fate, "row_split", "row_group", "row_reason", "row_detail", *more)
    own = rows.withColumnRenamed("row_detail", "row_own_detail").drop("row_split", "row_group", "row_reason")
    stays = F.col(FATE).isin(KEPT, REFUSED)
    columns = {"row_detail": F.coalesce("row_detail", "row_own_detail")}
    columns |= {name: F.when(stays, F.col(name)) for name in payload}
    return own.join(told, "row_id", "left").withColumns(columns).drop("row_own_detail")


@dataclass
class Tally:
    """Rows that met one fate, and the sum of their hashes."""

    rows: int = 0
    hash_sum: int = 0

    def add(self, rows: int, hash_sum: int) -> None:
        """Count more."""
        self.rows += rows
        self.hash_sum = (self.hash_sum + hash_sum) % runs.HASH_MODULUS


@dataclass
class Outcome:
    """What came of all rows, by (fate, reason, split, label)."""

    tallies: dict[tuple[str | None, ...], Tally] = field(default_factory=lambda: defaultdict(Tally))
    train: list[str] = field(default_factory=list)  # a sample of the train rows' hashes (conf/runs/refresh.py)

    def counts(self) -> dict[str, Any]:
        """in = kept + refused + merged + left out, unless a row met no fate; kept rows by split and label."""
        counts: dict[str, Any] = {"in": 0, KEPT: 0, REFUSED: {}, MERGED: 0, LEFT_OUT: 0, "splits": {}}
        for key, tally in sorted(self.tallies.items(), key=str):
            fate, reason, split, label = (part or "" for part in key)
            counts["in"] += tally.rows
            if fate == REFUSED:
                counts[REFUSED][reason] = counts[REFUSED].get(reason, 0) + tally.rows
            elif fate:
                counts[fate] += tally.rows
            if fate == KEPT:
                of = counts["splits"].setdefault(split, {})
                of[label] = of.get(label, 0) + tally.rows
        return counts

    def digest(self, fate: str, split: str | None = None) -> str:
        """Digest of the rows of one fate (and split)."""
        mine = [tally for key, tally in self.tallies.items() if key[0] == fate and split in (None, key[2])]
        return runs.digest(sum(tally.rows for tally in mine), sum(tally.hash_sum for tally in mine))


def write(rows: DataFrame, folder: str, schema: pa.Schema, label: str | None = "label") -> Outcome:
    """Write rows by their `row_fate` and `row_split` below `folder`.

    `rows` has `row_fate` and the columns of refused rows of `schema`; kept rows are counted by `label`, where given.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    for name in ("rows", "refused"):
        remove(folder, name)
    write_empty(f"{folder}/refused", records.refused_schema(schema))
    writer = _Writer(folder, schema, label)
    outcome = Outcome()
    for row in rows.select(FATE, *writer.refused.names).mapInArrow(writer, from_arrow_schema(_TALLIES)).collect():
        outcome.tallies[tuple(row[name] for name in _TALLY)].add(row["rows"], int(row["hash_sum"]))
        outcome.train = refresh.lowest([*outcome.train, *(row["train"] or [])])
    runs.write_json(folder, refresh.NAME, outcome.train)
    return outcome


class _Writer:
    """What a worker runs over a partition."""

    def __init__(self, folder: str, schema: pa.Schema, label: str | None) -> None:
        self.folder, self.label = folder, label
        self.kept = pa.schema([each.with_nullable(True) for each in schema])
        self.refused = pa.schema([each.with_nullable(True) for each in records.refused_schema(schema)])

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context = TaskContext.get()
        files = _Files(self.folder, f"part-{context.partitionId() if context else 0:05d}.parquet")
        outcome = Outcome()
        try:
            for batch in batches:
                self._take(pa.Table.from_batches([batch]), files, outcome)
        finally:
            files.close()
        rows: list[dict[str, Any]] = [
            {**dict(zip(_TALLY, key, strict=True)), "rows": tally.rows, "hash_sum": str(tally.hash_sum)}
            for key, tally in outcome.tallies.items()
        ]
        for row in rows[:1]:
            row["train"] = outcome.train
        yield pa.RecordBatch.from_pylist(rows, schema=_TALLIES)

    def _take(self, table: pa.Table, files: _Files, outcome: Outcome) -> None:
        """Write and count one batch."""
        fate = table.column(FATE)
        kept = records.with_hashes(table.filter(pc.equal(fate, KEPT)).select(self.kept.names).cast(self.kept))
        for split in pc.unique(kept.column("row_split")).to_pylist():
            files.write(f"rows/row_split={split}", kept.filter(pc.equal(kept.column("row_split"), split)))
        refused = records.with_hashes(
            table.filter(pc.equal(fate, REFUSED)).select(self.refused.names).cast(self.refused)
        )
        if refused.num_rows:
            files.write("refused", refused)
        others = table.filter(pc.invert(pc.is_in(fate, pa.array([KEPT, REFUSED]))))
        train = kept.filter(pc.equal(kept.column("row_split"), "train"))
        outcome.train = refresh.lowest([*outcome.train, *train.column("row_hash").to_pylist()])
        count(outcome, KEPT, kept, self.label)
        count(outcome, REFUSED, refused, self.label)
        for row in pc.value_counts(others.column(FATE)).to_pylist():
            outcome.tallies[(row["values"], None, None, None)].add(row["counts"], 0)


def count(outcome: Outcome, fate: str, rows: pa.Table, label: str | None = "label") -> None:
    """Add rows of one fate."""
    nothing = pa.nulls(rows.num_rows, pa.string())
    told = {
        "reason": rows.column("row_reason") if fate == REFUSED else nothing,
        "split": nothing if fate == REFUSED else rows.column("row_split"),
        "label": nothing if fate == REFUSED or label is None else rows.column(label).cast(pa.string()),
        "place": pa.array(np.arange(rows.num_rows)),
    }
    words = _words(rows.column("row_hash"))
    grouped = pa.table(told).group_by(["reason", "split", "label"]).aggregate([("place", "list")])
    for row in grouped.to_pylist():
        mine = words[row["place_list"]]
        key = (fate, row["reason"], row["split"], row["label"])
        outcome.tallies[key].add(len(mine), _sum(mine))


def _words(hashes: pa.ChunkedArray) -> NDArray[np.uint64]:
    """uint64[N] from 16 hex digits each."""
    return np.frombuffer(bytes.fromhex("".join(hashes.to_pylist())), ">u8").astype(np.uint64)


def _sum(words: NDArray[np.uint64]) -> int:
    """The sum modulo 2^64."""
    with np.errstate(over="ignore"):
        return int(words.sum(dtype=np.uint64))


class _Files:
    """Parquet files of one partition, opened when first written to."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder, self._name = folder, name
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._held: dict[str, list[pa.Table]] = defaultdict(list)

    def write(self, place: str, rows: pa.Table) -> None:
        """Add rows to the file in `<folder>/<place>/`."""
        self._held[place].append(rows)
        if sum(table.nbytes for table in self._held[place]) >= _GROUP_BYTES:
            self._flush(place)

    def close(self) -> None:
        """Write what is held and end the files."""
        for place in list(self._held):
            self._flush(place)
        for writer in self._writers.values():
            writer.close()

    def _flush(self, place: str) -> None:
        held = self._held.pop(place, [])
        if not held:
            return
        whole = pa.concat_tables(held)
        if place not in self._writers:
            system, path = filesystem(f"{self._folder}/{place}")
            system.create_dir(path, recursive=True)
            self._writers[place] = pq.ParquetWriter(f"{path}/{self._name}", whole.schema, filesystem=system)
        self._writers[place].write_table(whole)

"""Users of the dataset as events again, real and made, for any recommender to train on: user, item, rating, time.

A real user is called as the source calls them; a made one by its row's id.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf import Config
from conf.schema.behaviour import EVENT_COLUMNS
from udfs.behaviour.values import as_written

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("rating", pa.float32()),
        ("time", pa.int64()),
        ("origin", pa.string()),
    ]
)


def events(batch: pa.RecordBatch) -> pa.Table:
    """(user, item, rating, time, origin) of all users of a batch."""
    sizes = pc.fill_null(pc.list_value_length(batch.column("items")), 0)
    rows = pa.array([row for row, size in enumerate(sizes.to_pylist()) for _ in range(size)], pa.int64())
    named = pc.coalesce(batch.column("user"), batch.column("row_id"))
    lists = [batch.column(name).flatten() for name in ("items", "ratings", "times")]
    return pa.Table.from_arrays([named.take(rows), *lists, batch.column("row_origin").take(rows)], schema=SCHEMA)


def as_parquet(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`<split>-events.parquet`."""
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for batch in batches:
            for split, part in _by_split(batch):
                if split not in writers:
                    writers[split] = stack.enter_context(pq.ParquetWriter(to / f"{split}-events.parquet", SCHEMA))
                writers[split].write_table(events(part))
            yield batch


def as_csv(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`<split>-events.csv`, safe in a spreadsheet, and `<split>-users.csv` with the users' attributes."""
    form = config.recipe.behaviour
    assert form is not None
    of_users = ("user", *form.attributes, "origin")
    with ExitStack() as stack:
        files: dict[str, Any] = {}

        def lines(name: str, columns: tuple[str, ...]) -> Any:
            if name not in files:
                file = stack.enter_context((to / name).open("w", newline="", encoding="utf-8"))
                files[name] = csv.writer(file)
                files[name].writerow(columns)
            return files[name]

        for batch in batches:
            for split, part in _by_split(batch):
                told = events(part).to_pydict()
                told["rating"] = [float(as_written(rating)) for rating in told["rating"]]
                rows = zip(*(map(_safe, told[name]) for name in SCHEMA.names), strict=True)
                lines(f"{split}-events.csv", (*EVENT_COLUMNS, "origin")).writerows(rows)
                for row in part.to_pylist():
                    cells = [row["user"] or row["row_id"], *(row[name] for name in form.attributes), row["row_origin"]]
                    lines(f"{split}-users.csv", of_users).writerow(map(_safe, cells))
            yield batch


def _by_split(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    for split in pc.unique(batch.column("row_split")).to_pylist():
        yield split, batch.filter(pc.equal(batch.column("row_split"), split))


def _safe(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; whole numbers without a point."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell

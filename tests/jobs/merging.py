"""Rows to merge, and what a table holds, told without Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from conf import Config
from jobs.places import table
from udfs import records

SCHEMA = records.image_schema()


def row(maker: str, index: int, payload: str = "", origin: str = "augmented", **more: Any) -> dict[str, Any]:
    """One row of `maker`, whose payload is told apart by `payload`."""
    return {
        "row_id": records.maker("test", maker) + records.which(index),
        "row_origin": origin,
        "row_split": "train",
        "row_label_source": "given",
        "label": str(index % 3),
        "image": f"{maker} {index} {payload}".encode(),
        **more,
    }


def rows_of(makers: Iterable[str], count: int, payload: str = "", **more: Any) -> list[dict[str, Any]]:
    """`count` rows of each maker."""
    return [row(maker, index, payload, **more) for maker in makers for index in range(count)]


def as_table(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> pa.Table:
    """Whole rows with their hashes."""
    columns = {name: [each.get(name) for each in rows] for name in schema.names}
    plain = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names})
    return records.conform(records.with_hashes(plain), schema)


def staged(rows: list[dict[str, Any]], folder: Path, schema: pa.Schema = SCHEMA) -> str:
    """The rows as a folder of two Parquet files."""
    folder.mkdir(parents=True)
    half = -(-len(rows) // 2)
    for number, part in enumerate((rows[:half], rows[half:])):
        pq.write_table(as_table(part, schema), folder / f"part-{number}.parquet")
    return str(folder)


def held(config: Config, name: str) -> dict[str, Mapping[str, Any]]:
    """The table's rows by id, read by another reader than the one that wrote; fails where an id comes twice."""
    rows = DeltaTable(table(config, name)).to_pyarrow_table().to_pylist()
    found = {each["row_id"]: {key: each[key] for key in sorted(each)} for each in rows}
    assert len(found) == len(rows), "a row is in the table twice"
    return found


def expected(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> dict[str, Mapping[str, Any]]:
    """What `held` says of a table that holds exactly `rows`."""
    return {each["row_id"]: {key: each[key] for key in sorted(each)} for each in as_table(rows, schema).to_pylist()}


def log_of(config: Config, name: str) -> list[Path]:
    """The table's log entries, oldest first."""
    return sorted(Path(table(config, name), "_delta_log").glob("*.json"))

"""A small recipe of a table, and its dataset laid down without an engine: for tests of what reads finished tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

import conf
from conf import Config, runs
from udfs import records

COLUMNS: dict[str, dict[str, Any]] = {
    "age": {"type": "integer", "range": [0, 120]},
    "rate": {"type": "number"},
    "city": {"type": "category"},
    "member": {"type": "boolean"},
    "born": {"type": "date"},
    "income": {"type": "category"},
}
TASK = {"kind": "classification", "label": "income", "classes": ["low", "high"], "positive": "high"}


def recipe(folder: Path, **parts: Any) -> Config:
    """A recipe of people with an income, read from `people.csv` in `folder`, with `parts` laid over."""
    values: dict[str, Any] = {
        "name": "people",
        "modality": "table",
        "task": TASK,
        "columns": COLUMNS,
        "seed": 7,
        "data": str(folder),
        "sources": [{"name": "people", "reader": "csv", "path": "people.csv"}],
        "split": {"val": 0.2, "test": 0.2, "rest": "train"},
        **parts,
    }
    file = folder / "people.yaml"
    file.write_text(json.dumps(values))  # JSON is YAML
    return conf.load(str(file), "local", [], str(folder / "root"))


def rows(config: Config, count: int = 12, origin: str = "real") -> pa.Table:
    """Rows of the recipe's schema with their hashes; every fourth cell of `rate` is missing."""
    import datetime

    schema = records.row_schema(config.recipe)
    splits = ["train", "train", "val", "test"] if origin == "real" else ["train"]
    columns = {
        "row_id": [records.maker(origin) + records.which(number) for number in range(count)],
        "row_origin": [origin] * count,
        "row_split": [splits[number % len(splits)] for number in range(count)],
        "row_label_source": ["given"] * count,
        "age": [20 + number for number in range(count)],
        "rate": [None if number % 4 == 3 else number / 3 for number in range(count)],
        "city": [("=cmd()", "Köln", "Bern")[number % 3] for number in range(count)],
        "member": [number % 2 == 0 for number in range(count)],
        "born": [datetime.date(2000, 1, 1 + number) for number in range(count)],
        "income": [("low", "high")[number % 2] for number in range(count)],
    }
    table = pa.table({name: pa.array(cells, schema.field(name).type) for name, cells in columns.items()})
    return records.with_hashes(records.conform(table, schema))


def lay_dataset(config: Config) -> pa.Table:
    """Write the table `dataset` with real and synthetic rows; returns them."""
    whole = pa.concat_tables([rows(config), rows(config, 8, "synthetic")])
    write_deltalake(f"{runs.home(config)}/dataset", whole)
    return whole

"""What show and export make of a dataset of tables."""

from __future__ import annotations

import csv
import datetime
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conf.errors import RecipeError
from jobs import show
from jobs.export import export
from tests.jobs.made_tables import COLUMNS, lay_dataset, recipe


def test_rows_are_counted_by_the_tasks_label(tmp_path: Path) -> None:
    """Show counts the classes of the label column; a regression has rows and no classes."""
    config = recipe(tmp_path)
    there = lay_dataset(config).to_pylist()
    assert show.row_counts(config) == Counter((r["row_origin"], r["row_split"], r["income"]) for r in there)
    number = recipe(tmp_path, task={"kind": "regression", "label": "rate"}, split={"test": 0.2, "rest": "train"})
    assert {label for *_, label in show.row_counts(number)} == {""}


def test_a_csv_has_every_row_once_with_the_names_that_the_source_gave(tmp_path: Path) -> None:
    """Cells come back as they were; none of them runs in a spreadsheet; a missing cell is empty."""
    source = {"name": "people", "reader": "csv", "path": "people.csv", "columns": {"home (city)": "city"}}
    config = recipe(tmp_path, sources=[source])
    there = lay_dataset(config)
    assert export(config, None, tmp_path / "out", []) == Counter(there.column("row_split").to_pylist())
    lines = [row for file in (tmp_path / "out").glob("*.csv") for row in csv.DictReader(file.open(encoding="utf-8"))]
    by_id = {row["row_id"]: row for row in lines}
    assert len(by_id) == len(lines) == there.num_rows
    for row in there.to_pylist():
        told = by_id[row["row_id"]]
        assert told["home (city)"] == ("'=cmd()" if row["city"] == "=cmd()" else row["city"])
        assert told["age"] == str(row["age"]) and told["member"] == str(row["member"]).lower()
        assert datetime.date.fromisoformat(told["born"]) == row["born"]
        assert (float(told["rate"]) if told["rate"] else None) == row["rate"]


def test_parquet_keeps_the_types_and_images_forms_are_refused(tmp_path: Path) -> None:
    """Parquet holds the typed columns; a form of images is answered with those there are."""
    config = recipe(tmp_path)
    there = lay_dataset(config)
    export(config, "parquet", tmp_path / "out", ["train"])
    table = pq.read_table(tmp_path / "out" / "train.parquet")
    assert [table.schema.field(name).type for name in COLUMNS] == [there.schema.field(name).type for name in COLUMNS]
    with pytest.raises(RecipeError, match="for tables there are csv, parquet"):
        export(config, "webdataset", tmp_path / "other", [])

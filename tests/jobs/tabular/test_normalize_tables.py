"""Normalize of tables on Spark: statistics of train rows alone, and encoded columns that decode again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from conf import runs
from conf.errors import RecipeError
from tests.jobs.made import run, table
from tests.jobs.tabular.made import recipe
from udfs.table.encoding import decode
from udfs.table.form import TableForm, to_matrix
from udfs.table.statistics import Statistics

SOURCE = {"name": "csv", "reader": "csv", "path": "a.csv"}


def lines(count):
    random = np.random.default_rng(8)
    told = []
    for number in range(count):
        age = "" if number % 11 == 0 else str(random.integers(20, 60))
        told.append(f"n{random.integers(5)},{age},{random.normal():.6f},{('no', 'yes')[number % 2]}")
    return told


def normalized(spark, folder, text, **normalize):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.csv").write_text("\n".join(["name,age,score,label", *text]) + "\n")
    config = recipe(folder, [SOURCE], normalize=normalize)
    done = run(spark, config, "ingest", "clean", "normalize")
    return config, done, json.loads((Path(done.folder) / "statistics.json").read_text())


def test_statistics_are_those_of_train_rows_under_any_partitioning(spark, tmp_path):
    found = []
    for parts in ("1", "7"):
        spark.conf.set("spark.sql.shuffle.partitions", parts)
        config, done, told = normalized(spark, tmp_path / parts, lines(300))
        found.append(done.outputs)
    assert found[0] == found[1]
    train = [row for row in table(config, "clean") if row["row_split"] == "train"]
    ages = np.array([row["age"] for row in train if row["age"] is not None], float)
    facts = told["columns"]["age"]
    assert told["rows"] == len(train) == done.counts["rows"] < 300
    assert (facts["missing"], facts["min"], facts["max"]) == (len(train) - len(ages), ages.min(), ages.max())
    assert facts["mean"] == pytest.approx(ages.mean(), abs=1e-12)
    assert facts["std"] == pytest.approx(ages.std(), abs=1e-9)
    assert set(told["columns"]["name"]["vocabulary"]) == {row["name"] for row in train}


def test_rows_are_written_as_columns_that_decode_again(spark, tmp_path):
    config, done, told = normalized(spark, tmp_path, lines(120), write="columns", category="one_hot")
    known = Statistics.from_dict(told)
    form = TableForm.of(config.recipe, told["columns"])
    from jobs.tabular.normalize import _encodings

    chosen = _encodings(config, form, known)
    written = ds.dataset(f"{done.folder}/columns", partitioning="hive").to_table().sort_by("row_id")
    names = [name for each in chosen for name in each.names]
    assert done.counts["columns"] == len(names)
    clean = pa.Table.from_pylist(table(config, "clean"))
    assert written.column("row_id").to_pylist() == clean.column("row_id").to_pylist()
    assert written.column("row_split").cast(pa.string()).to_pylist() == clean.column("row_split").to_pylist()
    encoded = np.stack([written.column(name).to_numpy() for name in names], axis=1)
    rows = to_matrix(clean, form)
    made = decode(encoded, chosen)
    train = np.array([split == "train" for split in clean.column("row_split").to_pylist()])
    assert np.allclose(made[train], rows[train], equal_nan=True)


def test_a_method_that_does_not_go_with_a_column_is_a_sentence(spark, tmp_path):
    with pytest.raises(RecipeError, match="name is category and z_score does not go with it"):
        normalized(spark, tmp_path, lines(60), write="columns", columns={"name": "z_score"})
    assert runs

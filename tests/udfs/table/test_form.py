"""Rows as a matrix and back."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa

from udfs.table.form import OTHER, Column, TableForm, from_matrix, to_matrix

FORM = TableForm(
    (
        Column("key", "id"),
        Column("age", "integer"),
        Column("rate", "number", decimals=2),
        Column("sex", "category", ("female", "male")),
        Column("member", "boolean"),
        Column("born", "date"),
        Column("seen", "datetime"),
        Column("label", "category", ("no", "yes")),
    ),
    label="label",
    task="classification",
    classes=("no", "yes"),
)
SEEN = datetime.datetime(2024, 2, 29, 23, 59, 59, 250000, tzinfo=datetime.UTC)
ROWS = {
    "key": ["a", "b", None],
    "age": [39, None, -1],
    "rate": [0.25, 17.5, None],
    "sex": ["male", None, "female"],
    "member": [True, None, False],
    "born": [datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31)],
    "seen": [SEEN, None, SEEN],
    "label": ["no", "yes", None],
}


def test_rows_come_back_as_they_were() -> None:
    """Every kind of cell, missing ones too, survives the way into the matrix and back; ids are not in it."""
    table = pa.table(ROWS, schema=FORM.schema())
    matrix = to_matrix(table, FORM)
    assert matrix.shape == (3, 7) and FORM.label_place == 6
    back = pa.table(from_matrix(matrix, FORM))
    assert back.equals(table.drop_columns(["key"]))


def test_an_unknown_category_is_other() -> None:
    """A category outside the vocabulary has the last code, and is never taken for missing."""
    table = pa.table({**ROWS, "sex": ["x", None, "male"]}, schema=FORM.schema())
    column = to_matrix(table, FORM)[:, 2]
    assert column[0] == 2 and np.isnan(column[1]) and column[2] == 1
    assert from_matrix(to_matrix(table, FORM), FORM)["sex"].to_pylist() == [OTHER, None, "male"]

"""Small tables of every kind of column, for the tests of tables."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from udfs.hashing import hex_of, text_of
from udfs.rng import mix
from udfs.table.form import Column, TableForm
from udfs.table.statistics import Statistics, measure

COLUMNS = (
    Column("key", "id"),
    Column("age", "integer"),
    Column("rate", "number"),
    Column("price", "number"),
    Column("sex", "category"),
    Column("member", "boolean"),
    Column("born", "date"),
    Column("seen", "datetime"),
    Column("label", "category"),
)
FORM = TableForm(COLUMNS, label="label", task="classification", classes=("no", "yes"))

_CELLS: dict[str, st.SearchStrategy[Any]] = {
    "key": st.text(max_size=3),
    "age": st.integers(-3, 3) | st.integers(-(2**53), 2**53),
    "rate": st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1e300, 5e-324, 0.1]),
    "price": st.integers(-(10**9), 10**9).map(lambda cents: cents / 100),
    "sex": st.sampled_from(["female", "male", "", "ß", "男"]),
    "member": st.booleans(),
    "born": st.dates(datetime.date(1, 1, 1)),
    "seen": st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1), timezones=st.just(datetime.UTC)),
    "label": st.sampled_from(["no", "yes"]),
}


def ids(count: int, start: int = 0) -> pa.Array:
    """Row ids that look drawn, by number."""
    numbers = np.arange(start, start + count, dtype=np.uint64)
    return text_of(hex_of(*(mix(numbers + np.uint64(shift)) for shift in (1, 2**40, 2**50)))[:, :40])


def measured(table: pa.Table, form: TableForm, words: int = 1000) -> tuple[TableForm, Statistics]:
    """The form with the vocabularies and decimals of a table, and its statistics, by way of JSON."""
    told = json.loads(json.dumps(Statistics.of(measure(table, form), words).as_dict()))
    statistics = Statistics.from_dict(told)
    columns = tuple(
        replace(column, vocabulary=found.vocabulary, decimals=found.decimals)
        if (found := statistics.columns.get(column.name))
        else column
        for column in form.columns
    )
    return replace(form, columns=columns), statistics


# Numbers whose differences and ratios are numbers as well.
MODERATE = st.sampled_from([0.0, -0.0, 0.1, 1e-140, 1e140]) | st.floats(1e-140, 1e140) | st.floats(-1e140, -1e-140)


def tables(max_rows: int = 40, **cells: st.SearchStrategy[Any]) -> st.SearchStrategy[pa.Table]:
    """Tables of FORM with missing cells, and `row_id`; `cells` gives columns other values."""
    row = st.fixed_dictionaries({name: st.none() | cell for name, cell in {**_CELLS, **cells}.items()})
    return st.lists(row, min_size=1, max_size=max_rows).map(_table)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=FORM.schema()).append_column("row_id", ids(len(rows)))

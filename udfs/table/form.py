"""The form of a dataset's tables, and rows as one matrix of numbers: what all steps, measures and judges work on.

A matrix is float64[N, D], a column of it for each column of the form that is modelled (ids and columns that a recipe
leaves out of the model are not in it). NaN is missing. An integer or number is itself; a category is its place in the
column's vocabulary (`len(vocabulary)` for one that is not there, `OTHER`); a boolean is 0 or 1; a date is days, a
datetime seconds since 1970. Vocabularies are measured on train rows (`udfs/table/statistics.py`). Integers beyond
2^53 lose their last digits: such columns are ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Kind = Literal["integer", "number", "category", "boolean", "date", "datetime", "id"]
Matrix = NDArray[np.float64]
NUMERIC = ("integer", "number", "date", "datetime")
WAS_MISSING = "_was_missing"  # after a column's name: the column that says where its cell was missing
OTHER = "__other__"  # how a category outside the vocabulary is written where it must be written
_TYPES: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "category": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
    "id": pa.string(),
}
_MICROSECONDS = 1_000_000
_WHOLE = 2.0**53  # from here on floats have no digits after the point


@dataclass(frozen=True)
class Column:
    """One column: its kind, its categories in the order of their codes, and the bounds that its values keep."""

    name: str
    kind: Kind
    vocabulary: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    decimals: int | None = None  # digits after the point of a number's values; None: as they come
    modelled: bool = True

    @property
    def is_numeric(self) -> bool:
        """Whether its values have an order and distances."""
        return self.kind in NUMERIC

    @property
    def size(self) -> int:
        """How many codes a category or boolean has, OTHER included; 0 for numbers."""
        return {"category": len(self.vocabulary) + 1, "boolean": 2}.get(self.kind, 0)


@dataclass(frozen=True)
class TableForm:
    """All columns of a table in their order, and which one is the label."""

    columns: tuple[Column, ...]
    label: str
    task: Literal["classification", "regression"]
    classes: tuple[str, ...] = ()

    @staticmethod
    def of(recipe: Any, statistics: Mapping[str, Any] | None = None) -> TableForm:
        """From a recipe of tables and, for vocabularies and decimals, the measured `columns` of its statistics.

        Without statistics a category has the values that the recipe declares, or none. Where columns stand beside
        other payloads, the label is one more column, the last.
        """
        measured = statistics or {}
        columns = []
        for name, said in recipe.columns.items():
            columns.append(_column(name, said, measured.get(name), recipe.task))
            if said.flag_missing:
                columns.append(Column(name + WAS_MISSING, "boolean", modelled=said.model))
        if recipe.task is None:
            classes = tuple(recipe.labels)
            return TableForm((*columns, Column("label", "category", classes)), "label", "classification", classes)
        return TableForm(tuple(columns), recipe.task.label, recipe.task.kind, tuple(recipe.task.classes))

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that a matrix has, in its order."""
        return tuple(column for column in self.columns if column.modelled and column.kind != "id")

    @property
    def label_place(self) -> int:
        """The label's place in a matrix."""
        return next(place for place, column in enumerate(self.modelled) if column.name == self.label)

    def schema(self) -> pa.Schema:
        """The payload's columns with their types."""
        return pa.schema([pa.field(column.name, _TYPES[column.kind]) for column in self.columns])


def _column(name: str, said: Any, measured: Mapping[str, Any] | None, task: Any) -> Column:
    """A declared column with what was measured of it."""
    found = measured or {}
    words = (
        list(task.classes)
        if task and name == task.label and task.classes
        else said.values or found.get("vocabulary") or []
    )
    low, high = (_number(said.type, bound) for bound in said.range or (None, None))
    vocabulary = tuple(words) if said.type == "category" else ()
    return Column(name, said.type, vocabulary, low, high, found.get("decimals"), said.model)


def _number(kind: str, bound: Any) -> float | None:
    """A declared bound as the matrix has it; dates are written as text."""
    if bound is None or not isinstance(bound, str):
        return None if bound is None else float(bound)
    if kind == "date":
        return float(np.datetime64(bound, "D").astype(np.int64))
    return float(np.datetime64(bound, "us").astype(np.int64)) / _MICROSECONDS


def arrow_type(kind: Kind) -> pa.DataType:
    """The type of a column's cells in tables and files."""
    return _TYPES[kind]


def to_matrix(table: pa.Table | pa.RecordBatch, form: TableForm) -> Matrix:
    """float64[N, D] of the modelled columns. A category that the vocabulary does not have gets the code of OTHER."""
    matrix = np.empty((table.num_rows, len(form.modelled)), np.float64, order="F")
    for place, column in enumerate(form.modelled):
        matrix[:, place] = cells(table.column(column.name), column)
    return matrix


def cells(values: Any, column: Column) -> Matrix:
    """float64[N]: one column's cells as a matrix has them."""
    if column.kind == "category":
        codes = pc.index_in(values, value_set=pa.array(column.vocabulary, pa.string()))
        told = pc.fill_null(codes, len(column.vocabulary)).cast(pa.float64())
        return _floats(pc.if_else(pc.is_null(values), None, told))
    if column.kind == "date":
        return _floats(values.cast(pa.date32()).cast(pa.int32()))
    if column.kind == "datetime":
        return _floats(values.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())) / _MICROSECONDS
    return _floats(values)


def _floats(values: Any) -> Matrix:
    """float64 with NaN for null."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    found = (
        values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if isinstance(values, pa.Array)
        else (values.cast(pa.float64(), safe=False).to_numpy())
    )
    return np.asarray(found, np.float64)


def rounded(values: Matrix, decimals: int) -> Matrix:
    """To so many digits after the point; what is too large to have any stays as it is."""
    has_digits = np.abs(values) < _WHOLE
    return np.where(has_digits, np.round(np.where(has_digits, values, 0.0), decimals), values)


def fitted(values: Matrix, column: Column) -> Matrix:
    """The values as the column may have them: within its bounds, whole where it is, with its decimals; NaN stays."""
    if column.size:
        return np.clip(np.rint(values), 0, column.size - 1)
    if column.kind == "number":
        made = values if column.decimals is None else rounded(values, column.decimals)
    elif column.kind == "datetime":
        made = np.rint(values * _MICROSECONDS) / _MICROSECONDS
    else:
        made = np.rint(values)
    return made if column.low is None and column.high is None else np.clip(made, column.low, column.high)


def from_matrix(matrix: Matrix, form: TableForm) -> dict[str, pa.Array]:
    """The modelled columns as Arrow arrays of their types, by name; NaN becomes null, OTHER the word `OTHER`."""
    return {column.name: _array(matrix[:, place], column) for place, column in enumerate(form.modelled)}


def _array(values: Matrix, column: Column) -> pa.Array:
    """One column's numbers as cells."""
    missing = np.isnan(values)
    mask = missing if missing.any() else None
    plain = np.where(missing, 0.0, values) if mask is not None else values
    if column.kind == "category":
        words = pa.array([*column.vocabulary, OTHER], pa.string())
        return words.take(pa.array(plain.astype(np.int64), mask=mask))
    if column.kind == "boolean":
        return pa.array(plain > 0.5, mask=mask)
    if column.kind == "number":
        return pa.array(plain if column.decimals is None else rounded(plain, column.decimals), mask=mask)
    if column.kind == "date":
        return pa.array(np.rint(plain).astype(np.int32), pa.int32(), mask=mask).cast(pa.date32())
    if column.kind == "datetime":
        return pa.array(np.rint(plain * _MICROSECONDS).astype(np.int64), mask=mask).cast(_TYPES["datetime"])
    return pa.array(np.rint(plain).astype(np.int64), mask=mask)


def places(form: TableForm, names: Sequence[str]) -> list[int]:
    """Places of these columns in a matrix. Raises ValueError for one that is not modelled."""
    known = {column.name: place for place, column in enumerate(form.modelled)}
    strange = [name for name in names if name not in known]
    if strange:
        raise ValueError(f"{strange[0]} is not a modelled column; there are {', '.join(known)}")
    return [known[name] for name in names]

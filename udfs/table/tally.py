"""What is measured of a table's columns, exact under any batches and partitions: measure, merge, carry.

Sums are exact (`udfs/table/exact.py`). Values are counted by `udfs/table/lowest.py`: all of them where a column has
fewer than KEPT, else a hashed part, which says about how many there are. A sample of KEPT rows by the hash of their
ids serves the rest: quantiles and frequent values of columns that have more values than that. Memory is bounded
whatever the rows. NaN and infinities count as missing.

A worker folds its batches (`measure(batch, form, before)`), sends `to_bytes`, and the driver merges a part for each
partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from udfs import hashing
from udfs.rng import Words, mix
from udfs.table.exact import exact_squares, exact_sum
from udfs.table.form import Column, TableForm, cells, rounded
from udfs.table.lowest import Lowest

Floats = NDArray[np.float64]

KEPT = 20_000  # distinct values counted exactly, and rows sampled: shares are within 0.7 points, 19 times of 20
KEPT_CELLS = 2_000_000  # of all columns together: wide tables keep fewer of each
KEPT_LEAST = 1_000
MAX_DECIMALS = 6
_SALT = hashing.word_of("sample of rows")
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_COUNTED_SPAN = 4  # whole numbers that span up to so many times their number are counted by place


@dataclass(frozen=True)
class Sums:
    """Of one column: cells, missing ones, least, greatest, exact sum and sum of squares, digits after the point."""

    rows: int = 0
    missing: int = 0
    least: float | None = None
    greatest: float | None = None
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)
    digits: int = 0  # MAX_DECIMALS + 1: more

    def plus(self, other: Sums) -> Sums:
        """Of both."""
        return Sums(
            self.rows + other.rows,
            self.missing + other.missing,
            min((each for each in (self.least, other.least) if each is not None), default=None),
            max((each for each in (self.greatest, other.greatest) if each is not None), default=None),
            self.total + other.total,
            self.squares + other.squares,
            max(self.digits, other.digits),
        )


@dataclass(frozen=True)
class ColumnTally:
    """Of one column: its sums, its values with their counts, and a sample of its cells by the hash of their rows."""

    name: str
    kind: str
    sums: Sums
    distinct: Lowest
    sample: Lowest

    @staticmethod
    def none(name: str, kind: str, kept: int) -> ColumnTally:
        """Of no rows."""
        nothing = Lowest.none(kept, pa.string() if kind == "category" else pa.float64())
        return ColumnTally(name, kind, Sums(), nothing, nothing)

    def joined(self, other: ColumnTally) -> ColumnTally:
        """Of both."""
        if (self.name, self.kind) != (other.name, other.kind):
            raise ValueError(f"measures of {self.name} ({self.kind}) and {other.name} ({other.kind}) do not merge")
        sums, distinct = self.sums.plus(other.sums), self.distinct.joined(other.distinct)
        return replace(self, sums=sums, distinct=distinct, sample=self.sample.joined(other.sample))


Tally = dict[str, ColumnTally]  # by the name of the column, in the order of the form


def measure(rows: pa.Table | pa.RecordBatch, form: TableForm, before: Tally | None = None) -> Tally:
    """Measure all columns of the form but ids; the form needs no vocabulary, the rows a `row_id`.

    `before` is what was measured of other rows: it is merged in, and tells which values need not be looked at.
    """
    columns = [column for column in form.columns if column.kind != "id"]
    kept = min(KEPT, max(KEPT_LEAST, KEPT_CELLS // max(1, len(columns))))
    tally = before or {column.name: ColumnTally.none(column.name, column.kind, kept) for column in columns}
    if "row_id" not in rows.schema.names:
        raise ValueError(f"rows are measured by their ids: there is no row_id among {', '.join(rows.schema.names)}")
    words = hashing.id_words(rows.column("row_id"), _SALT)
    bound = max((tally[column.name].sample.bound for column in columns), default=np.uint64(0))
    some = np.flatnonzero(words <= bound)
    return {column.name: _plus(tally[column.name], rows.column(column.name), column, words, some) for column in columns}


def merge(parts: Iterable[Tally]) -> Tally:
    """Of all that the parts measured; any order, any grouping."""
    whole: Tally | None = None
    for part in parts:
        whole = part if whole is None else {name: each.joined(part[name]) for name, each in whole.items()}
    if whole is None:
        raise ValueError("there are no measures to merge")
    return whole


def _plus(tally: ColumnTally, values: Any, column: Column, words: Words, some: NDArray[np.int64]) -> ColumnTally:
    """A column's tally with more cells; those of the rows `some` may enter the sample."""
    if column.kind == "category":
        return _with_texts(tally, _text(values), words, some)
    return _with_numbers(tally, cells(values, column), words, some)


def _text(values: Any) -> pa.Array:
    """One array of strings."""
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, values.type)
    return values.cast(pa.string())


def _with_texts(tally: ColumnTally, values: pa.Array, words: Words, some: NDArray[np.int64]) -> ColumnTally:
    """With more categories."""
    counted = pc.value_counts(values.drop_null() if values.null_count else values)
    kinds, counts = counted.field("values"), counted.field("counts").to_numpy()
    return replace(
        tally,
        sums=tally.sums.plus(Sums(len(values), values.null_count)),
        distinct=tally.distinct.plus(hashing.cell_words(kinds), kinds, counts),
        sample=_sampled(tally.sample, values.take(pa.array(some)), words[some]),
    )


def _with_numbers(tally: ColumnTally, values: Floats, words: Words, some: NDArray[np.int64]) -> ColumnTally:
    """With more numbers."""
    finite = np.isfinite(values)
    values = np.where(finite, values + 0.0, np.nan)  # one zero, not two
    told = values if finite.all() else values[finite]
    return replace(
        tally,
        sums=tally.sums.plus(_sums(told, len(values), tally.sums.digits if tally.kind == "number" else None)),
        distinct=_counted(tally.distinct, told),
        sample=_sampled(tally.sample, pa.array(values[some], from_pandas=True), words[some]),
    )


def _sampled(sample: Lowest, values: pa.Array, words: Words) -> Lowest:
    """With the cells of more rows, missing ones left out."""
    if values.null_count:
        words, values = words[values.is_valid().to_numpy(zero_copy_only=False)], values.drop_null()
    return sample.plus(words, values, np.ones(len(values), np.int64))


def _sums(told: Floats, rows: int, digits: int | None) -> Sums:
    """Of the finite numbers among `rows` cells; `digits` after the point are needed by others, null: not looked at."""
    if not len(told):
        return Sums(rows, rows)
    needed = 0 if digits is None else _digits(told, digits)
    low, high = float(told.min()), float(told.max())
    return Sums(rows, rows - len(told), low, high, exact_sum(told), exact_squares(told), needed)


def _counted(distinct: Lowest, values: Floats) -> Lowest:
    """With more numbers counted."""
    if not len(values):
        return distinct
    low, high = float(values.min()), float(values.max())
    if high - low < _COUNTED_SPAN * len(values) and bool((np.rint(values) == values).all()):
        counts = np.bincount((values - low).astype(np.int64))
        there = np.flatnonzero(counts)
        kinds: Floats = there.astype(np.float64) + low
        return distinct.plus(_words_of(kinds), pa.array(kinds), counts[there])
    words = _words_of(values)
    values = values[words <= distinct.bound]
    rest, counts = np.unique(values, return_counts=True)
    return distinct.plus(_words_of(rest), pa.array(rest), counts)


def _words_of(values: NDArray[Any]) -> Words:
    """A word for each number, no two alike."""
    return mix(values.view(np.uint64) + _GAMMA)


def _digits(values: Floats, known: int) -> int:
    """The most digits after the point that any of the values needs, or `known`; MAX_DECIMALS + 1: more."""
    if known > MAX_DECIMALS or bool((rounded(values, known) == values).all()):
        return known
    for digits in range(MAX_DECIMALS + 1):
        values = values[rounded(values, digits) != values]
        if not len(values):
            return max(known, digits)
    return MAX_DECIMALS + 1


_HEAD = pa.schema(
    [
        ("name", pa.string()), ("kind", pa.string()), ("rows", pa.int64()), ("missing", pa.int64()),
        ("least", pa.float64()), ("greatest", pa.float64()), ("total", pa.string()), ("squares", pa.string()),
        ("digits", pa.int64()), ("kept", pa.int64()),
    ]
)  # fmt: skip


def to_bytes(tally: Tally) -> bytes:
    """The whole tally, for the way from a worker to the driver: an Arrow stream with a row for each column."""
    heads = [
        {"name": each.name, "kind": each.kind, "kept": each.distinct.size, **vars(each.sums)} for each in tally.values()
    ]
    told = [{**head, "total": str(head["total"]), "squares": str(head["squares"])} for head in heads]
    table = pa.Table.from_pylist(told, schema=_HEAD)
    for part in ("distinct", "sample"):
        lowest: list[Lowest] = [getattr(each, part) for each in tally.values()]
        texts = [each.values if pa.types.is_string(each.values.type) else pa.nulls(0, pa.string()) for each in lowest]
        numbers = [
            each.values if pa.types.is_float64(each.values.type) else pa.nulls(0, pa.float64()) for each in lowest
        ]
        table = table.append_column(f"{part}_words", _lists([pa.array(each.words) for each in lowest]))
        table = table.append_column(f"{part}_counts", _lists([pa.array(each.counts) for each in lowest]))
        table = table.append_column(f"{part}_texts", _lists(texts))
        table = table.append_column(f"{part}_numbers", _lists(numbers))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _lists(arrays: list[pa.Array]) -> pa.Array:
    """An array of lists, one for each of the arrays."""
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in arrays])]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(arrays))


def from_bytes(data: bytes) -> Tally:
    """Back from `to_bytes`."""
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    tally = {}
    for place, head in enumerate(table.select(_HEAD.names).to_pylist()):
        name, kind, kept = head.pop("name"), head.pop("kind"), head.pop("kept")
        sums = Sums(**{**head, "total": Fraction(head["total"]), "squares": Fraction(head["squares"])})
        tally[name] = ColumnTally(
            name, kind, sums, *(_lowest(table, part, place, kind, kept) for part in ("distinct", "sample"))
        )
    return tally


def _lowest(table: pa.Table, part: str, place: int, kind: str, kept: int) -> Lowest:
    """One column's values or sample."""
    field = "texts" if kind == "category" else "numbers"
    words, counts, values = (table.column(f"{part}_{each}")[place].values for each in ("words", "counts", field))
    return Lowest(kept, words.to_numpy(), values, counts.to_numpy())

"""A person's table profiled with Spark: types, missing tokens, ranges, categories, ids, dates, constants, copies.

Every cell is counted. What the counts mean, `facts.py` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf.errors import RecipeError
from jobs.readers.record import Reading
from jobs.staging import lay_down
from jobs.tabular import ingest
from jobs.tabular.cells import Cells
from jobs.tabular.facts import (
    ALWAYS_MISSING,
    FORMATS,
    NEVER_IN_WORDS,
    OFTEN_MISSING,
    SURE,
    Facts,
    guessed_label,
    is_regression,
)
from jobs.tabular.look import Found
from jobs.tabular.parse import BLANKS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

MAX_COLUMNS = 2000
TOP = 50
MAX_CLASSES = 50
MAX_COUNTED = 1000  # distinct values of a column whose values are counted one by one, or half of its cells
COLUMNS_AT_A_TIME = 40  # in one query: more make plans that take long to compile
FAR = 3.0  # distances between the quartiles, beyond which a number is far out (Tukey 1977)
_POSITION = "row_position"
_REASON = "row_reason"


@dataclass(frozen=True)
class Profile:
    """A whole table: its columns, rows, lines that could not be read by reason, rows that equal an earlier one in all
    but ids, the most rows that are one and the same, and the label.
    """

    found: Found
    rows: int
    refused: dict[str, int]
    copies: int
    most_alike: int
    columns: list[Facts]
    label: str

    @property
    def label_facts(self) -> Facts:
        """The label's column."""
        return next(column for column in self.columns if column.name == self.label)


def profiled(spark: SparkSession, found: Found, label: str | None, folder: str) -> Profile:
    """The table's profile; `folder` takes what is laid down meanwhile.

    Raises RecipeError where there is no row, or no such label.
    """
    if len(found.names) > MAX_COLUMNS:
        raise RecipeError(f"the table has {len(found.names):,} columns; a profile looks at {MAX_COLUMNS:,} at most.")
    cells = lay_down(spark, text_cells(spark, found.reading()), folder, "cells")
    reasons = {row[_REASON]: row["count"] for row in cells.groupBy(_REASON).count().collect()}
    rows = reasons.pop(None, 0)
    if not rows:
        raise RecipeError(f"{found.data / found.path} holds no row that can be read: {reasons or 'it is empty'}.")
    good = cells.where(f"{_REASON} is null").drop(_REASON, _POSITION)
    columns = _facts(good, found, rows)
    copies, most_alike = _alike(good.drop(*[column.name for column in columns if column.kind == "id"]), rows)
    profile = Profile(found, rows, reasons, copies, most_alike, columns, _label(columns, label))
    _check_label(profile.label_facts)
    return profile


def _check_label(label: Facts) -> None:
    """Raise RecipeError for a column that cannot be a label."""
    if is_regression(label):
        return
    if label.distinct < 2:
        raise RecipeError(f"--label {label.theirs}: all its cells are the same; a label has two classes at least.")
    if label.distinct > MAX_CLASSES or not label.top:
        raise RecipeError(
            f"--label {label.theirs}: has {label.distinct:,} different words; at most {MAX_CLASSES} classes are told"
            " apart. Is it the right column?"
        )


def _label(columns: list[Facts], wanted: str | None) -> str:
    names = {name: column.name for column in columns for name in (column.theirs, column.name)}
    if wanted is not None:
        if wanted not in names:
            raise RecipeError(f"--label {wanted}: the table has no such column; it has {', '.join(names)}.")
        return names[wanted]
    guess = guessed_label(columns)
    if guess is None:
        raise RecipeError("the table has no column that could be a label; --label names it.")
    return guess.name


def text_cells(spark: SparkSession, task: Reading) -> DataFrame:
    """Every record's cells as text, its position, and the reason where it could not be read."""
    from jobs.spark import map_rows

    names = [name for name, _ in task.columns]
    schema = pa.schema([pa.field(name, pa.string()) for name in (*names, _POSITION, _REASON)])
    frame = ingest.frame(spark, task)
    if frame is not None:
        return map_rows(frame, _frame_reader(task, schema), schema)
    pieces = [json.dumps(piece) for piece in ingest.pieces(task)]
    told = spark.createDataFrame([(piece,) for piece in pieces], "piece string")
    return map_rows(told.repartition(max(1, len(pieces))), _piece_reader(task, schema), schema)


def _piece_reader(task: Reading, schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[pa.Table]]:
    def read(batch: pa.RecordBatch) -> Iterator[pa.Table]:
        for piece in batch.column(0).to_pylist():
            for part in ingest.reader_of(task).read(task, json.loads(piece)):
                if isinstance(part, Cells):
                    yield _table(part, schema)
                elif part:
                    told = [{_POSITION: record.position, _REASON: record.reason} for record in part]
                    yield pa.Table.from_pylist(told, schema=schema)

    return read


def _frame_reader(task: Reading, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.Table]:
    def read(batch: pa.RecordBatch) -> pa.Table:
        return _table(ingest.reader_of(task).read_rows(task, batch), schema)

    return read


def _table(cells: Cells, schema: pa.Schema) -> pa.Table:
    size = len(cells.positions)
    columns = {**cells.columns, _POSITION: cells.positions}
    return pa.table([columns.get(field.name, pa.nulls(size, pa.string())) for field in schema], schema=schema)


def _alike(cells: DataFrame, rows: int) -> tuple[int, int]:
    """How many rows equal an earlier one, and the most that are one and the same."""
    if not cells.columns:
        return 0, 1
    from pyspark.sql import functions as F

    times = cells.groupBy(*cells.columns).agg(F.count(F.lit(1)).alias("times"))
    told = times.agg(F.count(F.lit(1)).alias("different"), F.max("times").alias("most")).first()
    assert told is not None
    return rows - told["different"], told["most"]


def _facts(cells: DataFrame, found: Found, rows: int) -> list[Facts]:
    """Facts of all columns, some at a time."""
    names, facts = list(found.names), []
    for start in range(0, len(names), COLUMNS_AT_A_TIME):
        some = names[start : start + COLUMNS_AT_A_TIME]
        trimmed = cells.select(*[_trimmed(name).alias(name) for name in some])
        missing = _missing(trimmed, some, rows)
        told = trimmed.select(*[_told(name, missing[name]).alias(name) for name in some])
        counted = told.agg(*[expression for name in some for expression in _counts(name)]).first()
        assert counted is not None
        facts += [_fact(name, found.names[name], rows, missing[name], counted.asDict()) for name in some]
    for start in range(0, len(facts), COLUMNS_AT_A_TIME):
        _add_values(cells, facts[start : start + COLUMNS_AT_A_TIME])
    return facts


def _trimmed(name: str) -> Column:
    from pyspark.sql import functions as F

    return F.btrim(F.coalesce(F.col(name), F.lit("")), F.lit(BLANKS))


def _missing(cells: DataFrame, names: list[str], rows: int) -> dict[str, dict[str, int]]:
    """How often each token that may mean missing stands in each column, those left out that are words there."""
    from pyspark.sql import functions as F

    tokens = (*ALWAYS_MISSING, *OFTEN_MISSING)
    asked = [F.count_if(F.col(name) == token).alias(f"{name}|{token}") for name in names for token in tokens]
    numbers = [F.count_if(_number(name).isNotNull()).alias(f"{name}|numbers") for name in names]
    row = cells.agg(*asked, *numbers).first()
    assert row is not None
    found = {}
    for name in names:
        hits = {token: row[f"{name}|{token}"] for token in tokens if row[f"{name}|{token}"]}
        told = rows - sum(hits.values())
        is_number = told and row[f"{name}|numbers"] >= SURE * told
        found[name] = {t: c for t, c in hits.items() if is_number or t not in NEVER_IN_WORDS}
    return found


def _told(name: str, missing: dict[str, int]) -> Column:
    """A cell, or null where it is missing."""
    from pyspark.sql import functions as F

    return F.when(~F.col(name).isin(*missing), F.col(name)) if missing else F.col(name)


def _number(name: str) -> Column:
    """A finite number, or null."""
    from pyspark.sql import functions as F

    value = F.col(name).try_cast("double")
    shaped = F.col(name).rlike(r"^[+-]?[0-9]*\.?[0-9]+\.?([eE][+-]?[0-9]+)?$")
    return F.when(shaped & (F.abs(value) < float("inf")), value)


def _counts(name: str) -> list[Column]:
    """What is counted of one column."""
    from pyspark.sql import functions as F

    cell, number = F.col(name), _number(name)
    found = {
        "told": F.count(cell),
        "numbers": F.count(number),
        "wholes": F.count_if(number == F.rint(number)),
        "distinct": F.approx_count_distinct(cell, 0.01),
        "low": F.min(number),
        "high": F.max(number),
        "mean": F.avg(number),
        "quartiles": F.percentile_approx(number, [0.25, 0.5, 0.75], 1000),
        "leading_zeros": F.count_if(cell.rlike("^0[0-9]")),
        "longest": F.max(F.length(cell)),
        "words": F.avg(F.size(F.split(F.trim(cell), r"\s+"))),
        "moments": F.count_if(cell.rlike("^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[T ][0-9]")),
    }
    for form in FORMATS:
        found[form] = F.count(_date(name, form))
    return [expression.alias(f"{name}|{key}") for key, expression in found.items()]


def _date(name: str, form: str) -> Column:
    from pyspark.sql import functions as F

    cell = F.col(name)
    shaped = cell.rlike("^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}")
    read = cell.try_cast("date") if form == FORMATS[0] else F.try_to_timestamp(cell, F.lit(form))
    return F.when(shaped, read)


def _fact(name: str, theirs: str, rows: int, missing: dict[str, int], counted: dict[str, Any]) -> Facts:
    def of(key: str) -> Any:
        return counted[f"{name}|{key}"]

    quartiles = of("quartiles")
    return Facts(
        name,
        theirs,
        rows,
        of("told"),
        of("numbers"),
        of("wholes"),
        of("moments"),
        {form: of(form) for form in FORMATS},
        min(of("distinct"), of("told")),
        missing,
        of("low"),
        of("high"),
        of("mean"),
        tuple(quartiles) if quartiles else None,
        leading_zeros=of("leading_zeros"),
        longest=of("longest") or 0,
        words=of("words") or 0.0,
    )


def _add_values(cells: DataFrame, columns: list[Facts]) -> None:
    """The most frequent values of columns that are no keys, and how many numbers lie far out."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    told = cells.select(*[_trimmed(column.name).alias(column.name) for column in columns])
    told = told.select(*[_told(column.name, column.missing).alias(column.name) for column in columns])
    counted = [c for c in columns if c.told and not (c.distinct > MAX_COUNTED and c.distinct > 0.5 * c.told)]
    if counted:
        values = told.unpivot([], [column.name for column in counted], "name", "value").where("value is not null")
        first = Window.partitionBy("name").orderBy(F.desc("count"), "value")
        grouped = values.groupBy("name", "value").count().withColumn("place", F.row_number().over(first))
        top: dict[str, list[tuple[str, int]]] = {}
        for row in grouped.where(F.col("place") <= TOP).orderBy("name", "place").collect():
            top.setdefault(row["name"], []).append((row["value"], row["count"]))
        for column in counted:
            column.top = top.get(column.name, [])
            column.distinct = len(column.top) if len(column.top) < TOP else column.distinct
    _count_far(told, [column for column in columns if column.kind in ("integer", "number")])


def _count_far(told: DataFrame, numbers: list[Facts]) -> None:
    """How many numbers lie far outside the quartiles of their column."""
    from pyspark.sql import functions as F

    bounds = {}
    for column in numbers:
        low, _, high = column.quartiles or (0.0, 0.0, 0.0)
        if high > low:
            reach = FAR * (high - low)
            bounds[column.name] = (low - reach, high + reach)
    if not bounds:
        return
    far = [
        F.count_if((_number(name) < low) | (_number(name) > high)).alias(name) for name, (low, high) in bounds.items()
    ]
    row = told.agg(*far).first()
    assert row is not None
    for column in numbers:
        column.far = row[column.name] if column.name in bounds else 0

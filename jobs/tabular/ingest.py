"""Ingest, the part of tables: records of readers as rows of `raw`, their cells as text."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import pyarrow as pa

from conf.schema import Recipe
from jobs.readers.record import Piece, Reading, Record
from jobs.tabular import cells, wide
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

UNORDERED = ("delta", "jdbc")


def raw_schema(recipe: Recipe) -> pa.Schema:
    """The columns of `raw`: every declared one as text."""
    return records.table_schema(pa.schema([pa.field(name, pa.string()) for name in recipe.columns]))


def positions() -> list[Column]:
    """The columns that records of one source are in order by: file, then line."""
    from pyspark.sql import functions as F

    line = F.regexp_extract("row_source", r"#(\d+)$", 1).try_cast("long")
    return [F.substring_index("row_source", "#", 1), line, F.col("row_source")]


def pieces(task: Reading) -> list[Piece]:
    """Everything the source consists of, in pieces; none where Spark reads it."""
    return [] if task.source.reader in UNORDERED else list(reader_of(task).pieces(wide.as_table(task)))


def records_of(task: Reading, piece: Piece) -> Iterator[cells.Cells | list[Record]]:
    """The records of one piece, windows put together where their steps are columns."""
    for part in reader_of(task).read(wide.as_table(task), piece):
        yield wide.as_windows(task, part)


def read_piece(task: Reading, piece: Piece, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of one piece."""
    for part in records_of(task, piece):
        if isinstance(part, cells.Cells):
            yield from cells.rows_of(task, part, schema)
        else:
            yield from cells.refused_rows(task, part, schema)


def frame(spark: SparkSession, task: Reading) -> DataFrame | None:
    """What Spark itself reads of the source."""
    return reader_of(task).frame(spark, wide.as_table(task)) if task.source.reader in UNORDERED else None


def read_frame(task: Reading, batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of one batch of `frame`."""
    found = wide.as_windows(task, reader_of(task).read_rows(wide.as_table(task), batch))
    assert isinstance(found, cells.Cells)
    yield from cells.rows_of(task, found, schema)


def ids(sources: Sequence[str], contents: Sequence[str], occurrences: Sequence[int]) -> list[str]:
    """Ids of records by their source, content and which one of several equal ones they are."""
    found: list[str] = [""] * len(sources)
    for source in set(sources):
        mine = [place for place, name in enumerate(sources) if name == source]
        words = cells.words_of([contents[place] for place in mine])
        told = cells.ids(source, *words, [occurrences[place] for place in mine])
        for place, row_id in zip(mine, told.to_pylist(), strict=True):
            found[place] = row_id
    return found


def reader_of(task: Reading) -> ModuleType:
    """The module that reads the source."""
    return importlib.import_module(f"jobs.tabular.readers.{task.source.reader}")

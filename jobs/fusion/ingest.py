"""Ingest, the part of fusion: records with several payloads, read as those of tables are, their images as bytes.

Where sources are joined each brings its part of the row, and `jobs/fusion/join.py` makes rows of the parts.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING

import pyarrow as pa

from conf.schema import Recipe
from conf.schema.fusion import LABEL, columns_of
from jobs.readers import image_folder
from jobs.readers.record import Piece, Reading, Record
from jobs.tabular import cells
from jobs.tabular.ingest import UNORDERED, ids, positions
from jobs.tabular.ingest import reader_of as reader_of_tables
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["UNORDERED", "frame", "ids", "pieces", "positions", "raw_schema", "read_frame", "read_piece"]

OWN = ("captions", "captioned_digits", "streams")
_BATCH_ROWS = 1024
_BATCH_BYTES = 16 << 20


def raw_schema(recipe: Recipe) -> pa.Schema:
    """The columns of `raw`: cells, text and series as text, the image as its bytes."""
    kinds = {"image": pa.binary()}
    return records.table_schema(
        pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in columns_of(recipe)])
    )


def reader_of(task: Reading) -> ModuleType:
    """The module that reads the source."""
    if task.source.reader in OWN:
        return importlib.import_module(f"jobs.fusion.readers.{task.source.reader}")
    return reader_of_tables(task)


def pieces(task: Reading) -> list[Piece]:
    """Everything the source consists of, in pieces; none where Spark reads it."""
    if task.source.reader == "image_folder":
        return list(image_folder.pieces(task))
    return [] if task.source.reader in UNORDERED else list(reader_of(task).pieces(task))


def read_piece(task: Reading, piece: Piece, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of one piece."""
    found = _of_images(task, piece) if task.source.reader == "image_folder" else reader_of(task).read(task, piece)
    for part in found:
        if isinstance(part, cells.Cells):
            yield from cells.rows_of(task, part, schema)
        else:
            yield from cells.refused_rows(task, part, schema)


def frame(spark: SparkSession, task: Reading) -> DataFrame | None:
    """What Spark itself reads of the source."""
    return reader_of(task).frame(spark, task) if task.source.reader in UNORDERED else None


def read_frame(task: Reading, batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of one batch of `frame`."""
    yield from cells.rows_of(task, reader_of(task).read_rows(task, batch), schema)


def _of_images(task: Reading, piece: Piece) -> Iterator[cells.Cells | list[Record]]:
    """The images of a folder: the file's name without its ending is the key, the folder it lies in the label."""
    held: list[Record] = []
    size = 0
    for record in image_folder.read(task, piece):
        if record.reason is not None:
            yield [record]
            continue
        held.append(record)
        size += len(record.image or b"")
        if len(held) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield _cells(task, held)
            held, size = [], 0
    if held:
        yield _cells(task, held)


def _cells(task: Reading, held: list[Record]) -> cells.Cells:
    """Records as cells by the names that the source gives."""
    stems = [PurePosixPath(record.position.rpartition("#")[2] or record.position).stem for record in held]
    columns: dict[str, pa.Array] = {}
    for name, _ in task.columns:
        if name == "image":
            columns[name] = pa.array([record.image for record in held], pa.binary())
        elif name == LABEL:
            columns[name] = pa.array([record.label for record in held], pa.string())
        else:
            columns[name] = pa.array(stems, pa.string())
    return cells.Cells(columns, pa.array([record.position for record in held], pa.string()))

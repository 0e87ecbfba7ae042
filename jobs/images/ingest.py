"""Ingest, the part of images: records of readers as rows of `raw`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf.schema import Recipe
from jobs import readers
from jobs.readers import Piece, Reading, Record
from jobs.rows_read import STAGE, hashed, in_mix
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_BATCH_ROWS = 1024
_BATCH_BYTES = 16 << 20
UNORDERED = ("delta",)


def raw_schema(recipe: Recipe) -> pa.Schema:
    """The columns of `raw`: those of the recipe's rows."""
    return records.row_schema(recipe)


def positions() -> list[str]:
    """The columns that records of one source are in order by."""
    return ["row_source"]


def pieces(task: Reading) -> list[Piece]:
    """Everything the source consists of, in pieces."""
    return readers.pieces(task)


def read_piece(task: Reading, piece: Piece, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of one piece."""
    yield from batches(task, readers.read(task, piece), schema)


def frame(spark: SparkSession, task: Reading) -> DataFrame | None:
    """What Spark itself reads of the source."""
    if task.source.reader != "delta":
        return None
    from jobs.readers import delta

    return delta.frame(spark, task)


def read_frame(task: Reading, batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of one batch of `frame`."""
    from jobs.readers import delta

    yield from batches(task, delta.read(task, batch), schema)


def ids(sources: Sequence[str], contents: Sequence[str], occurrences: Sequence[int]) -> list[str]:
    """Ids of records by their source, content and which one of several equal ones they are."""
    told = zip(sources, contents, occurrences, strict=True)
    return [records.real_id(source, bytes.fromhex(content), number) for source, content, number in told]


def batches(task: Reading, found: Iterator[Record], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Records as rows, in batches bounded by number and bytes."""
    held: list[Record] = []
    size = 0
    for record in found:
        held.append(checked(task, record))
        size += len(record.image or b"") + len(record.mask or b"")
        if len(held) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield from _rows(task, held, schema)
            held, size = [], 0
    if held:
        yield from _rows(task, held, schema)


def checked(task: Reading, record: Record) -> Record:
    """The record with its label in the recipe's words; a class that the recipe does not know is refused."""
    split = record.split or task.source.split
    label = (
        None if split == "unlabelled" or record.label is None else task.source.labels.get(record.label, record.label)
    )
    if record.reason is None and label is not None and label not in task.labels:
        detail = f"{label[:80]!r} is not among the recipe's labels; the source's `labels` may map it"
        return replace(record, split=split, label=label, reason="label_unknown", detail=detail)
    return replace(record, split=split, label=label)


def _rows(task: Reading, held: list[Record], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """One batch of rows. Refused rows are hashed with their reason, so that quarantine follows when it changes."""
    name = task.source.name
    columns: dict[str, list[Any]] = {
        "row_id": [records.real_id(name, record.content) for record in held],
        "row_origin": ["real"] * len(held),
        "row_split": [record.split for record in held],
        "row_source": [record.position for record in held],
        "row_label_source": [None if record.label is None else "given" for record in held],
        "row_group": [None if record.group is None else f"{name}:{record.group}" for record in held],
        "row_stage": [STAGE] * len(held),
        "row_reason": [record.reason for record in held],
        "row_detail": [record.detail for record in held],
        "label": [record.label for record in held],
        "image": [record.image for record in held],
        "row_of": [name] * len(held),
        "row_content": [record.content.hex() for record in held],
    }
    columns["row_in_mix"] = [in_mix(each, task.source.weight) for each in columns["row_id"]]
    columns |= {key: [getattr(record, key) for record in held] for key in ("mask", "boxes") if key in schema.names}
    table = pa.table({key: pa.array(values, schema.field(key).type) for key, values in columns.items()})
    loose = pa.schema([field.with_nullable(True) for field in schema])
    yield from hashed(records.conform(table, loose), loose).to_batches()

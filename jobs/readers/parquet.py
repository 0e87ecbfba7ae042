"""Parquet files with images in a binary column (or a struct with `bytes`, as Hugging Face writes them), read by row
groups.

A file that is truncated or no Parquet at all is refused by itself, as one row that names it; the others are read. A
file that is sound but lacks a column, or has it in another type, is a change of schema: an error that says what
differs, before anything is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from conf.runs import filesystem
from jobs.readers.record import PIECE_BYTES, Piece, Reading, Record, fingerprint, plain_label, refused
from udfs.records import SPLITS

_BATCH_ROWS = 256
_DAMAGE = (pa.ArrowException, OSError, EOFError, ValueError)
_PLAIN = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_dictionary,
)


def pieces(task: Reading) -> Iterator[Piece]:
    """Row groups in runs of about PIECE_BYTES; files that are damaged, as pieces that refuse them."""
    uri = task.need("path")
    found = _files(uri)
    if not found:
        raise task.error(f"{uri} holds no files.")
    for path, size in found:
        yield from _pieces_of(task, uri, path, size)


def read(task: Reading, piece: Piece) -> Iterator[Record]:
    """The rows of some row groups, or the refusal of a file."""
    path = piece["path"]
    if "detail" in piece:
        yield refused(path, "file_unreadable", piece["detail"])
        return
    system, _ = filesystem(task.need("path"))
    done = 0
    try:
        with system.open_input_file(path) as file:
            opened = pq.ParquetFile(file)
            for batch in opened.iter_batches(_BATCH_ROWS, piece["groups"], columns_of(task, opened.schema_arrow)):
                yield from batch_records(task, batch, path, piece["start"] + done)
                done += batch.num_rows
    except _DAMAGE as error:
        detail = f"rows {piece['start'] + done} to {piece['stop'] - 1} cannot be read: {_short(error)}"
        yield refused(f"{path}#{piece['start'] + done}", "file_unreadable", detail)


def columns_of(task: Reading, schema: pa.Schema) -> list[str]:
    """The columns that are read: image, and label, group, split, mask and boxes where they are named or there."""
    source = task.source
    named = [source.image_column, source.label_column, source.group_column]
    optional = ["split"] + ["mask"] * task.masks + ["boxes"] * task.boxes
    wanted = [name for name in named if name] + [name for name in optional if name in schema.names]
    return list(dict.fromkeys(wanted))


def check_schema(task: Reading, schema: pa.Schema, where: str) -> None:
    """Raise RecipeError where a column is missing or of a type that cannot be read."""
    wanted = columns_of(task, schema)
    missing = [name for name in wanted if name not in schema.names]
    if missing:
        raise task.error(
            f"{where} has no column {missing[0]}; it has {', '.join(schema.names)}. "
            "image_column, label_column and group_column name the columns (label_column: null for rows without labels)."
        )
    kind = schema.field(task.source.image_column).type
    if not (_is_bytes(kind) or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)):
        raise task.error(
            f"{where}: the column {task.source.image_column} is {kind}; binary is needed, or a struct with bytes."
        )
    label = task.source.label_column
    if label and not any(is_plain(schema.field(label).type) for is_plain in _PLAIN):
        raise task.error(
            f"{where}: the column {label} is {schema.field(label).type}; text or whole numbers are needed."
        )


def batch_records(task: Reading, batch: pa.RecordBatch, where: str, start: int) -> Iterator[Record]:
    """The records of one Arrow batch."""
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    source, nothing = task.source, [None] * batch.num_rows
    labels = columns.get(source.label_column or "", nothing)
    groups = columns.get(source.group_column or "", nothing)
    splits, masks, boxes = (columns.get(name, nothing) for name in ("split", "mask", "boxes"))
    for row, image in enumerate(columns[source.image_column]):
        blob = image.get("bytes") if isinstance(image, dict) else image
        yield _record(f"{where}#{start + row}", blob, labels[row], splits[row], groups[row], masks[row], boxes[row])


def _record(position: str, blob: Any, label: Any, split: Any, group: Any, mask: Any, boxes: Any) -> Record:
    named = plain_label(label)
    if blob is None:
        return refused(position, "image_missing", "the image is null", label=named)
    content = fingerprint(blob, mask) if mask is not None else fingerprint(blob)
    if split is not None and split not in SPLITS:
        return refused(
            position,
            "split_unknown",
            f"the split is {split!r}; it may be {', '.join(SPLITS)}",
            content,
            image=blob,
            label=named,
        )
    return Record(content, position, named, blob, split, plain_label(group), mask, boxes)


def _files(uri: str) -> list[tuple[str, int]]:
    """Paths and sizes, sorted; hidden files and folders aside."""
    system, path = filesystem(uri)
    info = system.get_file_info(path)
    infos = [info]
    if info.type == fs.FileType.Directory:
        infos = system.get_file_info(fs.FileSelector(path, recursive=True))
    inside = [(i, os.path.relpath(i.path, path)) for i in infos if i.type == fs.FileType.File]
    hidden = ("_", ".")
    return sorted(
        (i.path, i.size)
        for i, name in inside
        if name == "." or not any(part.startswith(hidden) for part in name.split("/"))
    )


def _pieces_of(task: Reading, uri: str, path: str, size: int) -> Iterator[Piece]:
    system, _ = filesystem(uri)
    try:
        with system.open_input_file(path) as file:
            opened = pq.ParquetFile(file)
            schema, metadata = opened.schema_arrow, opened.metadata
    except _DAMAGE as error:
        yield {"path": path, "detail": f"not a whole Parquet file ({size:,} bytes): {_short(error)}", "bytes": 0}
        return
    check_schema(task, schema, path)
    yield from row_groups(path, metadata)


def row_groups(path: str, metadata: pq.FileMetaData) -> Iterator[Piece]:
    """A file's row groups in runs of about PIECE_BYTES."""
    held: list[int] = []
    held_bytes = start = stop = 0
    for group in range(metadata.num_row_groups):
        held.append(group)
        held_bytes += metadata.row_group(group).total_byte_size
        stop += metadata.row_group(group).num_rows
        if held_bytes >= PIECE_BYTES or group == metadata.num_row_groups - 1:
            yield {"path": path, "groups": held, "start": start, "stop": stop, "bytes": held_bytes}
            held, held_bytes, start = [], 0, stop


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:300]

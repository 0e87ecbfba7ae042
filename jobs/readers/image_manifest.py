"""Image files and a CSV that names them: columns for file, label and, where wanted, group, split and boxes.

The manifest says which files are read. Its lines are read one by one (`csv_lines`), so a bad line is refused alone,
with its number. A line's file is looked for below `path`, or beside the manifest; names that lead elsewhere are
refused, not followed.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conf.runs import filesystem
from jobs.readers import csv_lines, store
from jobs.readers.image_folder import file_record
from jobs.readers.record import PIECE_FILES, Piece, Reading, Record, chunks, fingerprint, refused
from udfs.records import SPLITS

SPLIT_COLUMN = "split"
BOXES_COLUMN = "boxes"
_TYPICAL_FILE_BYTES = 16 << 10
_BOX_KEYS = ("x0", "y0", "x1", "y1")


def pieces(task: Reading) -> Iterator[Piece]:
    """Some hundred lines each, as parsed. Raises RecipeError for a manifest without the columns that are needed."""
    manifest = task.need("manifest")
    most = 1 << 62 if store.in_order(_root(task)) else PIECE_FILES
    for held, size in chunks(
        ((line, _TYPICAL_FILE_BYTES) for line in _lines(task, manifest)), most, most * _TYPICAL_FILE_BYTES
    ):
        yield {"lines": held, "bytes": size}


def read(task: Reading, piece: Piece) -> Iterator[Record]:
    """The images that the lines name, and the lines that are refused."""
    wanted: dict[str, list[dict[str, Any]]] = {}
    for line in piece["lines"]:
        if "reason" in line:
            yield refused(
                line["position"], line["reason"], line["detail"], fingerprint(b"line", line["text"].encode("latin-1"))
            )
        else:
            wanted.setdefault(line["file"], []).append(line)
    root = _root(task)
    for content in store.contents(root, list(wanted)):
        for line in wanted[content.name]:
            yield _record(task, root, content, line)


def _root(task: Reading) -> str:
    """Where the files lie: `path`, or the manifest's own folder."""
    if "path" in task.locations:
        return task.locations["path"]
    return task.need("manifest").rpartition("/")[0] or "."


def _lines(task: Reading, manifest: str) -> Iterator[dict[str, Any]]:
    """The manifest's lines as plain values; paths checked, cells not yet."""
    source = task.source
    wanted = [name for name in (source.file_column, source.label_column, source.group_column) if name]
    system, path = filesystem(manifest)
    try:
        with system.open_input_file(path) as file, io.BufferedReader(file) as stream:  # type: ignore[type-var]
            for row in csv_lines.rows(stream, wanted):
                yield _line(task, manifest, row)
    except csv_lines.CsvError as error:
        raise task.error(f"the manifest {manifest} {error}. file_column and label_column name its columns.") from error


def _line(task: Reading, manifest: str, row: csv_lines.Row) -> dict[str, Any]:
    position = f"{manifest}#{row.line}"
    if row.reason:
        return {"position": position, "reason": row.reason, "detail": row.detail, "text": row.text.decode("latin-1")}
    source, cells = task.source, row.cells
    given = cells[source.file_column]
    name = store.safe_name(given)
    if name is None:
        text = given.encode().decode("latin-1")
        return {
            "position": position,
            "reason": "path_outside",
            "detail": f"line {row.line} names {given[:200]!r}",
            "text": text,
        }
    line: dict[str, Any] = {"line": row.line, "file": name, "label": cells.get(source.label_column or "") or None}
    if source.group_column:
        line["group"] = cells[source.group_column] or None
    if cells.get(SPLIT_COLUMN):
        line["split"] = cells[SPLIT_COLUMN]
    if task.boxes and cells.get(BOXES_COLUMN):
        line["boxes"] = cells[BOXES_COLUMN]
    return line


def _record(task: Reading, root: str, content: store.Content, line: dict[str, Any]) -> Record:
    split = line.get("split")
    record = file_record(task, root, content, line["label"], split if split in SPLITS else None, line.get("group"))
    record = replace(record, position=f"{record.position}#{line['line']}")  # a file may be named twice
    if split is not None and split not in SPLITS:
        detail = f"the split is {split[:80]!r}; it may be one of {', '.join(SPLITS)}"
        return refused(
            record.position, "split_unknown", detail, record.content, image=record.image, label=line["label"]
        )
    if "boxes" not in line or record.reason:
        return record
    boxes = parsed_boxes(line["boxes"])
    if boxes is None:
        detail = f"boxes must be a JSON list of objects with {', '.join(_BOX_KEYS)} and label"
        return refused(
            record.position, "boxes_unreadable", detail, record.content, image=record.image, label=line["label"]
        )
    return replace(record, boxes=boxes)


def parsed_boxes(text: str) -> list[dict[str, Any]] | None:
    """`[{"x0":…,"y0":…,"x1":…,"y1":…,"label":…}]` in pixels, or None where it is not that."""
    try:
        return [
            {**{key: _finite(box[key]) for key in _BOX_KEYS}, "label": str(box.get("label") or "") or None}
            for box in json.loads(text, object_pairs_hook=_each_once)
        ]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _finite(value: Any) -> float:
    """The number; ValueError for NaN and infinity, which Python's reader of JSON takes."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no place")
    return number


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; ValueError where a key stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found

"""Image files and a captions file that names them: CSV or JSON lines with the file, the caption and other columns.

The file says which images are read; its lines are read one by one, so a bad line is refused alone. A line whose image
is missing is refused, and so is an image below `path` that no line names. `caption` is another name for `text`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from conf.runs import filesystem
from jobs.readers import csv_lines, store
from jobs.readers.image_folder import SUFFIXES, listed
from jobs.readers.record import Piece, Reading, Record, chunks, fingerprint, refused
from jobs.tabular import drift
from jobs.tabular.cells import Cells
from jobs.tabular.readers.json_lines import cell_of, is_utf8, object_of

JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
CAPTION, TEXT, IMAGE = "caption", "text", "image"
NO_CAPTION, NO_FILE = "caption_missing", "image_missing"
_TYPICAL_FILE_BYTES = 16 << 10


@dataclass(frozen=True)
class Line:
    """One line of the captions file: cells by the names that it has, or the reason why it is refused."""

    number: int
    cells: dict[str, str | None] = field(default_factory=dict)
    reason: str | None = None
    detail: str | None = None
    text: bytes = b""
    nested: frozenset[str] = frozenset()  # cells that hold a list or an object


def pieces(task: Reading) -> Iterator[Piece]:
    """Some hundred lines each, as parsed, then the images that no line names.

    Raises RecipeError for a captions file without the columns that are needed.
    """
    manifest, root = task.need("manifest"), _root(task)
    sizes = {entry.name: entry.size for entry in listed(task, root) if entry.reason is None}
    lines = [_placed(task, manifest, line) for line in _named(task, manifest)]
    most = 1 << 62 if store.in_order(root) else 512
    weighed = ((line, sizes.get(str(line.get("file")), _TYPICAL_FILE_BYTES)) for line in lines)
    for held, size in chunks(weighed, most):
        yield {"lines": held, "bytes": size}
    told = {line["file"] for line in lines if "file" in line}
    alone = sorted(name for name in sizes if name not in told and name.lower().endswith(SUFFIXES))
    if alone:
        yield {"alone": alone, "bytes": 0}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The images with what their lines say, and what is refused."""
    if "alone" in piece:
        yield [_alone(task, name) for name in piece["alone"]]
        return
    bad, wanted = list[Record](), dict[str, list[dict[str, Any]]]()
    for line in piece["lines"]:
        if "reason" in line:
            content = fingerprint(b"line", line["text"].encode("latin-1"))
            bad.append(refused(line["position"], line["reason"], line["detail"], content))
        else:
            wanted.setdefault(line["file"], []).append(line)
    good: list[tuple[dict[str, Any], bytes]] = []
    for found in store.contents(_root(task), list(wanted)):
        for line in wanted[found.name]:
            if found.data is not None:
                good.append((line, found.data))
            else:
                detail = f"the captions file names {found.name!r}: {found.detail or 'it cannot be read'}"
                mark = fingerprint(b"line", repr(sorted(line["cells"].items())).encode(), found.name.encode())
                reason = NO_FILE if found.reason in (None, "file_missing") else found.reason
                bad.append(refused(line["position"], str(reason), detail, mark))
    if good:
        yield _cells(task, good)
    if bad:
        yield bad


def _cells(task: Reading, good: list[tuple[dict[str, Any], bytes]]) -> Cells:
    names = [name for name, _ in task.columns if name != IMAGE]
    columns = {name: pa.array([line["cells"].get(name) for line, _ in good], pa.string()) for name in names}
    if any(name == IMAGE for name, _ in task.columns):
        columns[IMAGE] = pa.array([data for _, data in good], pa.binary())
    group = pa.array([line["group"] for line, _ in good], pa.string()) if task.source.group_column else None
    return Cells(columns, pa.array([line["position"] for line, _ in good], pa.string()), group)


def _alone(task: Reading, name: str) -> Record:
    """An image that has no line."""
    where = f"{_root(task).rstrip('/')}/{name}"
    return refused(
        where, NO_CAPTION, f"no line of the captions file names {name!r}", fingerprint(b"alone", name.encode())
    )


def _root(task: Reading) -> str:
    """Where the images lie: `path`, or the captions file's own folder."""
    return task.locations.get("path") or task.need("manifest").rpartition("/")[0] or "."


def _named(task: Reading, manifest: str) -> Iterator[Line]:
    """The lines with cells by the recipe's names; the file's name stays under `` and the group under `group`."""
    names: dict[str, str] = {}
    for line in _lines(task, manifest):
        if line.reason is not None:
            yield line
            continue
        if not names:
            names = _matched(task, list(line.cells), manifest)
        source = task.source
        bad = sorted(line.nested & {source.file_column, source.group_column, *names.values()})
        if bad:
            detail = f"line {line.number}: {bad[0]} holds a list or an object; a line has one caption and plain cells"
            yield replace(line, reason="cell_nested", detail=detail)
            continue
        told = {mine: line.cells.get(theirs) or None for mine, theirs in names.items()}
        more = {"": line.cells.get(source.file_column), "group": line.cells.get(source.group_column or "")}
        yield replace(line, cells=told | more)


def _matched(task: Reading, found: list[str], manifest: str) -> dict[str, str]:
    """The recipe's name of each column -> the file's. Raises RecipeError where they differ."""
    source = task.source
    if source.file_column not in found:
        raise task.error(
            f"the captions file {manifest} has no column {source.file_column}; it has {', '.join(found)}."
            " file_column: names the one that holds the image's file."
        )
    aside = {source.file_column, source.group_column}
    declared = tuple(each for each in task.columns if each[0] != IMAGE)
    if not declared:
        return {}
    mapped = dict(source.columns)
    if CAPTION in found and TEXT not in found and TEXT not in mapped.values():
        mapped[CAPTION] = TEXT
    told = replace(task, columns=declared, source=source.model_copy(update={"columns": mapped}))
    return drift.matched(told, [name for name in found if name not in aside], manifest)


def _lines(task: Reading, manifest: str) -> Iterator[Line]:
    """The file's lines as they are written."""
    system, path = filesystem(manifest)
    with system.open_input_file(path) as file, io.BufferedReader(file) as stream:  # type: ignore[type-var]
        if manifest.lower().endswith(JSON_ENDINGS):
            yield from _json_lines(stream)
            return
        try:
            for row in csv_lines.rows(stream, [task.source.file_column]):
                yield Line(row.line, dict(row.cells), row.reason, row.detail, row.text)
        except csv_lines.CsvError as error:
            raise task.error(f"the captions file {manifest} {error}. file_column names the image's column.") from error


def _json_lines(stream: io.BufferedReader) -> Iterator[Line]:
    for number, text in enumerate(stream, 1):
        if not text.strip():
            continue
        found = object_of(text)
        if isinstance(found, tuple):
            yield Line(number, {}, found[0], f"line {number}: {found[1]}", text[:200])
            continue
        cells = {key: cell_of(value) for key, value in found.items()}
        halves = [key for key, cell in cells.items() if not is_utf8(key + (cell or ""))]
        if halves:
            yield Line(
                number, {}, "line_not_utf8", f"line {number}: {halves[0]!a} holds half of a character", text[:200]
            )
            continue
        nested = frozenset(key for key, value in found.items() if value is not None and cells[key] is None)
        yield Line(number, cells, text=text[:200], nested=nested)


def _placed(task: Reading, manifest: str, line: Line) -> dict[str, Any]:
    """A line as plain values, its file's name checked."""
    position = f"{manifest}#{line.number}"
    if line.reason is not None:
        told = {"reason": line.reason, "detail": line.detail, "text": line.text.decode("latin-1")}
        return {"position": position, **told}
    given = line.cells[""] or ""
    name = store.safe_name(given)
    if name is None:
        detail = f"line {line.number} names {given[:200]!r}"
        text = given.encode().decode("latin-1")
        return {"position": position, "reason": "path_outside", "detail": detail, "text": text}
    cells = {key: value for key, value in line.cells.items() if key not in ("", "group")}
    return {"position": position, "file": name, "cells": cells, "group": line.cells["group"]}

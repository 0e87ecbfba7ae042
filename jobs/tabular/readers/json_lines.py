"""JSON lines: one object a line; numbers keep the digits that they are written with.

A line that is no object, is nested too deep, has a key twice or a list for a cell is refused by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from jobs.readers.record import PIECE_BYTES, Piece, Reading, Record, fingerprint, refused
from jobs.tabular import drift, files
from jobs.tabular.blocks import Block, blocks
from jobs.tabular.cells import Cells
from udfs.series.windows import as_text

HEAD_BYTES = 256 << 10
_DAMAGE = (OSError, EOFError, pa.ArrowException)


class _Doubled(ValueError):
    """A key that stands twice in an object."""


def pieces(task: Reading) -> Iterator[Piece]:
    """Runs of lines of about PIECE_BYTES. Raises RecipeError for a file without the declared columns."""
    for file in files.found(task):
        try:
            with files.opened(task, file) as stream:
                head = stream.read(HEAD_BYTES)
            if not head.strip():
                yield {"path": file.path, "bytes": 0, "reason": "file_empty", "detail": "the file holds no lines"}
                continue
            names = _names(head)
            if names:  # where not one line is an object, every line is refused
                drift.matched(task, names, file.path)
            seeks = file.is_plain and not files.is_recoded(task)
            if not seeks or file.size <= PIECE_BYTES:
                yield {
                    "path": file.path,
                    "member": file.member,
                    "start": 0,
                    "stop": None,
                    "line": 1,
                    "bytes": file.size,
                }
                continue
            with files.opened(task, file) as stream:
                for block in blocks(stream, PIECE_BYTES, None):
                    yield {
                        "path": file.path, "member": None, "start": block.start, "stop": block.start + len(block.data),
                        "line": block.line, "bytes": len(block.data), "too_long": block.too_long,
                    }  # fmt: skip
        except _DAMAGE as error:
            yield {"path": file.path, "bytes": 0, "reason": "file_unreadable", "detail": str(error)[:300]}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The records of a piece."""
    path = piece["path"]
    if "reason" in piece:
        yield [refused(path, piece["reason"], piece["detail"])]
        return
    file = files.File(path, piece["bytes"], path, piece["member"])
    try:
        with files.opened(task, file, piece["start"]) as stream:
            if piece.get("too_long"):
                found: Iterator[Block] = iter([Block(stream.read(200), 0, piece["line"], True)])
            elif piece["stop"] is not None:
                found = iter([Block(stream.read(piece["stop"] - piece["start"]), 0, piece["line"])])
            else:
                found = blocks(stream, PIECE_BYTES, None)
            for block in found:
                yield from _parsed(task, block, path)
    except _DAMAGE as error:
        yield [refused(f"{path}#damage", "file_unreadable", f"cannot be read on: {str(error)[:300]}")]


def _parsed(task: Reading, block: Block, where: str) -> Iterator[Cells | list[Record]]:
    """The good lines of a block as columns, and the bad ones."""
    rows: list[dict[str, str | None]] = []
    lines: list[str] = []
    bad: list[Record] = []
    known: dict[str, str] = {}
    for place, text in enumerate(block.data.split(b"\n")):
        if not text.strip():
            continue
        position = f"{where}#{block.line + place}"
        if block.too_long:
            bad.append(_refused(position, "line_too_long", "a line goes on beyond a million bytes", text))
            continue
        row = _row(task, text, position, known)
        if isinstance(row, Record):
            bad.append(row)
        else:
            rows.append(row)
            lines.append(position)
    names = [name for name, _ in task.columns]
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    groups = pa.array([row.get("") for row in rows], pa.string()) if task.source.group_column else None
    if rows:
        yield Cells(columns, pa.array(lines, pa.string()), groups)
    if bad:
        yield bad


def _row(task: Reading, text: bytes, position: str, known: dict[str, str]) -> dict[str, str | None] | Record:
    """One line's cells by our names (`` is the group), or its refusal; `known` are names seen before."""
    found = object_of(text)
    if isinstance(found, tuple):
        return _refused(position, *found, text)
    row: dict[str, str | None] = {}
    declared = dict(task.columns)
    for key, value in found.items():
        mine = known.get(key) or known.setdefault(key, drift.our_name(task, key))
        if key == task.source.group_column:
            row[""] = cell_of(value)
        if mine not in declared:
            if task.source.drift == "refuse" and key != task.source.group_column:
                return _refused(position, "column_added", f"the key {key!r} is not among the columns", text)
            continue
        cell = as_text(value) if declared[mine] == "series" else cell_of(value)
        if cell is None and value is not None:
            return _refused(position, "cell_nested", f"{key} holds a list or an object", text)
        if cell is not None and not is_utf8(cell):
            return _refused(position, "line_not_utf8", f"{key} holds half of a character", text)
        row[mine] = cell
    return row


def object_of(text: bytes) -> dict[str, Any] | tuple[str, str]:
    """The line's object, or reason and detail."""
    try:
        found = json.loads(
            text.decode("utf-8-sig"),
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            object_pairs_hook=_distinct,
        )
    except UnicodeDecodeError as error:
        return "line_not_utf8", f"byte 0x{error.object[error.start]:02x} is not UTF-8"
    except _Doubled as error:
        return "json_key_doubled", str(error)
    except RecursionError:
        return "json_too_deep", "objects within objects without end"
    except ValueError as error:
        return "json_unreadable", str(error)
    return found if isinstance(found, dict) else ("json_no_object", f"a line holds an object, this one {text[:40]!r}")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Doubled(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def cell_of(value: Any) -> str | None:
    """A value as text; null for null and for what is no plain value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def is_utf8(text: str) -> bool:
    """Whether a text can be written: JSON may hold half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _names(head: bytes) -> list[str]:
    """All keys of the head's whole lines."""
    lines = head.split(b"\n")
    whole = lines[:-1] if len(head) >= HEAD_BYTES else lines
    objects = [found for line in whole if line.strip() and isinstance(found := object_of(line), dict)]
    return list(dict.fromkeys(key for found in objects for key in found))


def _refused(position: str, reason: str, detail: str, text: bytes) -> Record:
    shown = text[:200].decode("utf-8", "replace")
    line = position.rpartition("#")[2]
    return refused(position, reason, f"line {line}: {detail}: {shown!r}", fingerprint(b"line", text.rstrip(b"\r")))

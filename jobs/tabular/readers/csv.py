"""CSV of any dialect, detected or declared: a file, a folder, a pattern (`data/*.csv`), packed or in a zip.

Lines that are no records (ragged, an open quote, not the encoding, too long, the header again) are refused one by
one. Large files are cut into pieces at the ends of records, so that workers read them side by side.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.readers.record import PIECE_BYTES, Piece, Reading, Record, refused
from jobs.tabular import careful, csv_blocks, drift, files
from jobs.tabular.blocks import Block, Stream, blocks, record_ends
from jobs.tabular.careful import quotes_of
from jobs.tabular.cells import Cells
from jobs.tabular.dialect import HEAD_BYTES, Dialect, detect

HEAD_ROWS_BYTES = 16 << 10  # whose cells are looked at before anything is written
_DAMAGE = (OSError, EOFError, pa.ArrowException)


def pieces(task: Reading) -> Iterator[Piece]:
    """Runs of lines of about PIECE_BYTES; whole files where they cannot be read from the middle.

    Raises RecipeError for a file without the declared columns.
    """
    for file in files.found(task):
        try:
            yield from _pieces_of(task, file)
        except _DAMAGE as error:
            yield {"path": file.path, "bytes": 0, "reason": "file_unreadable", "detail": str(error)[:300]}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The records of a piece."""
    path = piece["path"]
    if "reason" in piece:
        yield [refused(path, piece["reason"], piece["detail"])]
        return
    dialect = Dialect.of(piece["dialect"])
    wanted = drift.matched(task, dialect.names, path)
    names = list(dict.fromkeys([*wanted.values(), *([task.source.group_column] if task.source.group_column else [])]))
    file = files.File(path, piece["bytes"], path, piece["member"])
    try:
        seeks = file.is_plain and not files.is_recoded(task)
        with files.opened(task, file, piece["start"] if seeks else 0) as stream:
            if not seeks:
                files.skip(stream, piece["start"])
            for block in _blocks(stream, piece, dialect):
                for part in csv_blocks.parsed(block, dialect, names, path):
                    yield part if isinstance(part, list) else _cells(task, part, wanted, path)
    except _DAMAGE as error:
        yield [refused(f"{path}#damage", "file_unreadable", f"cannot be read on: {str(error)[:300]}")]


def _pieces_of(task: Reading, file: files.File) -> Iterator[Piece]:
    with files.opened(task, file) as stream:
        head = stream.read(HEAD_BYTES)
    if not head.strip():
        yield {"path": file.path, "bytes": 0, "reason": "file_empty", "detail": "the file holds no lines"}
        return
    dialect = _dialect(task, file, head)
    wanted = drift.matched(task, dialect.names, file.path)
    start, line = _first_record(head, dialect)
    drift.check_head(task, _cells_of_head(head[start:], dialect, wanted), file.path)
    told: dict[str, Any] = {"path": file.path, "member": file.member, "dialect": dialect.as_dict()}
    if not file.is_plain or files.is_recoded(task) or dialect.carriage_returns or file.size <= PIECE_BYTES:
        yield {**told, "start": start, "stop": None, "line": line, "bytes": file.size}
        return
    with files.opened(task, file, start) as stream:
        for block in blocks(stream, PIECE_BYTES, quotes_of(dialect), start, line):
            yield {
                **told,
                "start": block.start,
                "stop": block.start + len(block.data),
                "line": block.line,
                "bytes": len(block.data),
                "too_long": block.too_long,
            }


def _cells_of_head(head: bytes, dialect: Dialect, wanted: dict[str, str]) -> dict[str, list[str]]:
    """The cells of the head's whole lines, by declared column."""
    plain = head.replace(b"\r", b"\n") if dialect.carriage_returns else head
    some = plain[: plain.rfind(b"\n", 0, HEAD_ROWS_BYTES) + 1]
    rows = [row.cells for row in careful.rows(some, 1, dialect) if row.cells]
    places = {mine: dialect.names.index(name) for mine, name in wanted.items()}
    return {mine: [row[place] for row in rows] for mine, place in places.items()}


def _dialect(task: Reading, file: files.File, head: bytes) -> Dialect:
    from dataclasses import replace

    if not files.is_recoded(task):
        return detect(task, head, file.path)
    plain = replace(task, source=task.source.model_copy(update={"encoding": "utf-8"}))
    return detect(plain, head, file.path)


def _first_record(head: bytes, dialect: Dialect) -> tuple[int, int]:
    """Where the first record begins, behind a byte order mark and the header, and its line."""
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    if not dialect.has_header:
        return start, 1
    data = head.replace(b"\r", b"\n") if dialect.carriage_returns else head
    while data[start:].split(b"\n", 1)[0].strip() == b"" and b"\n" in data[start:]:
        start = data.index(b"\n", start) + 1
    ends, _ = record_ends(data[start:], quotes_of(dialect))
    end = start + int(ends[0]) if len(ends) else len(data)
    return end, data.count(b"\n", 0, end) + 1


def _blocks(stream: IO[bytes], piece: Piece, dialect: Dialect) -> Iterator[Block]:
    """The piece's blocks."""
    if piece.get("too_long"):
        yield Block(stream.read(200), piece["start"], piece["line"], True)
        return
    if piece["stop"] is not None:
        yield Block(stream.read(piece["stop"] - piece["start"]), piece["start"], piece["line"])
        return
    plain: Stream = _Newlines(stream) if dialect.carriage_returns else stream
    yield from blocks(plain, PIECE_BYTES, quotes_of(dialect), piece["start"], piece["line"])


class _Newlines:
    """A stream whose lines end with \\r, as one whose lines end with \\n."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        return self._stream.read(size).replace(b"\r", b"\n")


def _cells(task: Reading, part: csv_blocks.Parsed, wanted: dict[str, str], where: str) -> Cells:
    positions = pc.binary_join_element_wise(where, part.lines.cast(pa.string()), "#")
    groups = part.columns[task.source.group_column] if task.source.group_column else None
    return Cells({mine: part.columns[name] for mine, name in wanted.items()}, positions, groups)

"""A block of CSV read line by line, so that one bad line costs one line: good rows with their cells, bad ones with a
reason. For blocks in which the quick way (`csv_blocks`) found something wrong.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from jobs.readers.csv_lines import open_quote
from jobs.tabular.blocks import MAX_LINE_BYTES, MAX_LINES_IN_A_CELL, Quotes
from jobs.tabular.dialect import Dialect, cut

csv.field_size_limit(MAX_LINE_BYTES + 1)


@dataclass(frozen=True)
class Row:
    """One record: its cells, or the reason why it is refused and its text."""

    line: int
    cells: list[str] | None
    reason: str | None = None
    detail: str | None = None
    text: bytes = b""


def rows(data: bytes, line: int, dialect: Dialect) -> Iterator[Row]:
    """Records of a block whose first line has the number `line`; empty lines are passed over."""
    lines = data.splitlines(keepends=True) if b"\r" not in data else _split(data)
    place = 0
    while place < len(lines):
        text = lines[place]
        if _is_empty(text, dialect):
            place += 1
            continue
        row, used = _row(lines, place, line + place, dialect)
        yield row
        place += used


def too_long(number: int, text: bytes) -> Row:
    """A line that goes on beyond MAX_LINE_BYTES, of which `text` is the beginning."""
    return _bad(number, "line_too_long", f"more than {MAX_LINE_BYTES:,} bytes", text)


def header_again(number: int, dialect: Dialect) -> Row:
    """The header, where rows are."""
    text = dialect.delimiter.join(dialect.names).encode(dialect.encoding, "replace")
    return _bad(number, "line_is_header", "the header stands here again", text)


def quotes_of(dialect: Dialect) -> Quotes | None:
    """How blocks are cut; None where the dialect has no quotes."""
    if dialect.quote is None:
        return None
    return Quotes(dialect.quote.encode(), dialect.delimiter.encode(), partial(_next_record, dialect=dialect))


def _next_record(data: bytes, place: int, dialect: Dialect) -> int:
    """The place behind the record that begins at `place`."""
    stop = place
    for _ in range(MAX_LINES_IN_A_CELL + 1):
        stop = data.find(b"\n", stop) + 1 or len(data)
    lines = _split(data[place:stop])
    _, used = _row(lines, 0, 1, dialect)
    return place + sum(map(len, lines[:used]))


def _split(data: bytes) -> list[bytes]:
    """Lines that end with \\n alone: a \\r within one is its own."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _is_empty(text: bytes, dialect: Dialect) -> bool:
    return not (text.strip() if len(dialect.names) > 1 else text.strip(b"\r\n"))


def _row(lines: list[bytes], place: int, number: int, dialect: Dialect) -> tuple[Row, int]:
    """The record that begins with the line at `place`, and how many lines it took."""
    text = lines[place]
    if len(text) > MAX_LINE_BYTES:
        return too_long(number, text[:200]), 1
    whole, used = _closed(lines, place, dialect)
    if whole is None:
        return _unclosed(number, text), 1
    try:
        # Latin-1 keeps every byte, so that cells are cut before it is known whether they can be decoded.
        cells = cut(whole.decode("latin-1"), dialect.delimiter, dialect.quote, dialect.skip_blanks)
    except csv.Error as error:
        return _bad(number, "line_unreadable", str(error), text), used
    if len(cells) != len(dialect.names) and used > 1:
        return _unclosed(number, text), 1  # the quote that closes it belongs to a line further down
    if len(cells) != len(dialect.names):
        return _bad(number, "line_ragged", f"{len(cells)} cells; {len(dialect.names)} are wanted", text), used
    try:
        return Row(number, [cell.encode("latin-1").decode(dialect.encoding) for cell in cells]), used
    except UnicodeDecodeError as error:
        why = f"byte 0x{error.object[error.start]:02x} is not {dialect.encoding.upper()}"
        return _bad(number, "line_not_utf8" if dialect.encoding == "utf-8" else "line_undecodable", why, text), used


def _closed(lines: list[bytes], place: int, dialect: Dialect) -> tuple[bytes | None, int]:
    """The record's lines together and their number; None where a quote stays open."""
    whole = lines[place]
    for used in range(1, MAX_LINES_IN_A_CELL + 1):
        if not _open_quote(whole, dialect):
            return whole, used
        if place + used >= len(lines) or len(whole) + len(lines[place + used]) > MAX_LINE_BYTES:
            break
        whole += lines[place + used]
    return None, 0


def _unclosed(number: int, text: bytes) -> Row:
    why = f"a quote opens and is not closed within {MAX_LINES_IN_A_CELL} lines"
    return _bad(number, "line_quote_unclosed", why, text)


def _open_quote(text: bytes, dialect: Dialect) -> bool:
    return dialect.quote is not None and open_quote(text, dialect.delimiter, dialect.quote, dialect.skip_blanks)


def _bad(number: int, reason: str, why: str, text: bytes) -> Row:
    return Row(number, None, reason, f"line {number}: {why}", text.rstrip(b"\r\n"))

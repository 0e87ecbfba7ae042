"""A CSV read line by line, so that one bad line costs one line: good rows come with their cells, bad ones with a
reason.

Python's reader would swallow the rest of the file after an unclosed quote, and pandas refuses the whole. Here a quote
that is not closed within a few lines refuses the line that it begins on, and reading goes on with the next. Memory is
bounded by MAX_LINE_BYTES.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

MAX_LINE_BYTES = 1 << 20
MAX_LINES_IN_A_CELL = 20
DELIMITERS = (",", ";", "\t", "|")


class CsvError(ValueError):
    """The file as a whole is of no use; the message says why and how to mend it."""


@dataclass(frozen=True)
class Row:
    """One record: its cells by column, or the reason why it is refused and its text."""

    line: int
    cells: dict[str, str]
    reason: str | None = None
    detail: str | None = None
    text: bytes = b""


def rows(stream: IO[bytes], wanted: Sequence[str]) -> Iterator[Row]:
    """Rows after the header, which must have the `wanted` columns. Raises CsvError."""
    lines = _Lines(stream)
    header, delimiter, raw = _header(lines, wanted)
    while (line := lines.next()) is not None:
        number, data, too_long = line
        if not data.strip() and not too_long:
            continue
        if data.strip() == raw.strip():
            yield _bad(number, "line_is_header", "the header stands here again", data)
            continue
        yield _row(lines, number, data, too_long, header, delimiter)


def _header(lines: _Lines, wanted: Sequence[str]) -> tuple[list[str], str, bytes]:
    """Column names, delimiter and the header's bytes."""
    while (line := lines.next()) is not None and not line[1].strip():
        continue
    if line is None:
        raise CsvError("is empty: it needs a header line")
    _, data, too_long = line
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data:
        raise CsvError("is UTF-16: save it as UTF-8")
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    names: list[str] = []
    for delimiter in DELIMITERS:
        names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])]
        if not too_long and set(wanted) <= set(names):
            doubled = sorted(name for name in wanted if names.count(name) > 1)
            if doubled:
                raise CsvError(f"has the column {doubled[0]} twice in its header: rename one")
            return names, delimiter, data.removeprefix(codecs.BOM_UTF8)
    shown = text.strip()[:200]
    raise CsvError(f"needs a header with the columns {', '.join(wanted)}; its first line is {shown!r}")


def _row(lines: _Lines, number: int, data: bytes, too_long: bool, header: list[str], delimiter: str) -> Row:
    """One record that begins with `data`, over several lines where a quoted cell goes on."""
    if too_long:
        return _bad(number, "line_too_long", f"more than {MAX_LINE_BYTES:,} bytes", data[:200])
    cells, used = _cells(lines, data, delimiter)
    if cells is None:
        return _bad(
            number, "line_quote_unclosed", f"a quote opens and is not closed within {MAX_LINES_IN_A_CELL} lines", data
        )
    lines.take(used)
    try:
        plain = [cell.decode("utf-8") for cell in cells]
    except UnicodeDecodeError as error:
        return _bad(number, "line_not_utf8", f"byte 0x{error.object[error.start]:02x} is not UTF-8", data)
    if len(plain) != len(header):
        return _bad(number, "line_ragged", f"{len(plain)} cells; the header has {len(header)}", data)
    return Row(number, dict(zip(header, plain, strict=True)))


def _cells(lines: _Lines, data: bytes, delimiter: str) -> tuple[list[bytes] | None, int]:
    """A record's cells and how many further lines it took; None where a quote stays open."""
    text = data
    for used in range(MAX_LINES_IN_A_CELL):
        if not open_quote(text, delimiter):
            # Latin-1 keeps every byte, so that cells are cut before it is known whether they are UTF-8.
            cut = next(
                csv.reader(io.StringIO(text.decode("latin-1"), newline=""), delimiter=delimiter, skipinitialspace=True),
                [],
            )
            return [cell.strip().encode("latin-1") for cell in cut], used
        more = lines.peek(used)
        if more is None or more[2] or len(text) + len(more[1]) > MAX_LINE_BYTES:
            break
        text += more[1]
    return None, 0


def open_quote(text: bytes, delimiter: str, quote: str = '"', skip_blanks: bool = True) -> bool:
    """Whether a quoted cell is still open at the end. A quote opens only at the start of a cell, before which blanks
    may be skipped; doubled it stands for itself.
    """
    mark, sign = ord(delimiter), quote.encode()
    if sign not in text:
        return False
    inside, at_start, place = False, True, 0
    while place < len(text):
        byte = text[place]
        if inside and byte == sign[0]:
            if text[place + 1 : place + 2] == sign:
                place += 1
            else:
                inside = False
        elif not inside and byte == sign[0] and at_start:
            inside = True
        if not inside:
            at_start = byte in (mark, 10, 13) or (at_start and byte == 32 and skip_blanks)
        place += 1
    return inside


def _bad(number: int, reason: str, why: str, data: bytes) -> Row:
    return Row(number, {}, reason, f"line {number}: {why}", data.rstrip(b"\r\n"))


class _Lines:
    """Numbered physical lines (number, bytes, too long?), with looking ahead; never more than MAX_LINE_BYTES of one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._number = stream, 0
        self._ahead: list[tuple[int, bytes, bool]] = []

    def next(self) -> tuple[int, bytes, bool] | None:
        return self._ahead.pop(0) if self._ahead else self._read()

    def peek(self, distance: int) -> tuple[int, bytes, bool] | None:
        while len(self._ahead) <= distance:
            line = self._read()
            if line is None:
                return None
            self._ahead.append(line)
        return self._ahead[distance]

    def take(self, count: int) -> None:
        del self._ahead[:count]

    def _read(self) -> tuple[int, bytes, bool] | None:
        data = self._stream.readline(MAX_LINE_BYTES + 1)
        if not data:
            return None
        self._number += 1
        too_long = len(data) > MAX_LINE_BYTES
        rest = data
        while too_long and rest and not rest.endswith(b"\n"):
            rest = self._stream.readline(MAX_LINE_BYTES)
        return self._number, data, too_long

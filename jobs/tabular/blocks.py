"""A stream of lines cut into blocks that end where a record ends.

Where quotes stand as they should (at a cell's beginning and end, doubled within), a line's end is a record's end when
the number of quotes before it is even, which numpy tells for megabytes at once. A record in which they do not is read
carefully, and the count begins anew behind it. So where a file is cut hangs on the file and the block's size alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

MAX_LINE_BYTES = 1 << 20
MAX_LINES_IN_A_CELL = 20
_NEWLINE = b"\n"
_LINE_END, _RETURN = 10, 13
_WINDOW, _LARGEST_WINDOW = 4 << 10, 4 << 20


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""


@dataclass(frozen=True)
class Quotes:
    """How records of quoted cells are cut; `step` gives the place behind the one record that begins at a place."""

    quote: bytes
    delimiter: bytes
    step: Callable[[bytes, int], int]


@dataclass(frozen=True)
class Block:
    """Whole records: their bytes, where they begin in the stream, and the number of their first line."""

    data: bytes
    start: int
    line: int
    too_long: bool = False  # the beginning of one line that goes on beyond MAX_LINE_BYTES


def blocks(stream: Stream, size: int, quotes: Quotes | None, start: int = 0, line: int = 1) -> Iterator[Block]:
    """The stream in blocks of about `size` bytes; a line too long is a block of its own, of its first bytes."""
    held = b""
    while chunk := stream.read(size):
        held += chunk
        end = records_end(held, quotes)
        if end == 0 and len(held) > MAX_LINE_BYTES and (held.find(_NEWLINE, 0, MAX_LINE_BYTES) < 0):
            yield Block(held[:200], start, line, True)
            skipped, held = _past_line(stream, held, size)
            start, line = start + skipped, line + 1
            continue
        if end:
            yield Block(held[:end], start, line)
            start, line, held = start + end, line + held.count(_NEWLINE, 0, end), held[end:]
    if held:
        yield Block(held, start, line)


def _past_line(stream: Stream, held: bytes, size: int) -> tuple[int, bytes]:
    """Bytes up to the next line's beginning, and what was read beyond it."""
    passed = 0
    while (end := held.find(_NEWLINE)) < 0:
        passed += len(held)
        held = stream.read(size)
        if not held:
            return passed, b""
    return passed + end + 1, held[end + 1 :]


def records_end(data: bytes, quotes: Quotes | None) -> int:
    """Where the last whole record ends; 0 where none does."""
    if quotes is None or quotes.quote not in data:
        return data.rfind(_NEWLINE) + 1
    place, window = 0, _WINDOW
    while True:
        ends, is_sound = record_ends(data[place : place + window], quotes)
        reaches_end = place + window >= len(data)
        place += int(ends[-1]) if len(ends) else 0
        if is_sound and not reaches_end:
            window = min(2 * window, _LARGEST_WINDOW) if len(ends) else 4 * window
            continue
        if data.count(_NEWLINE, place) <= MAX_LINES_IN_A_CELL:
            return place
        place, window = quotes.step(data, place), _WINDOW


def record_ends(data: bytes, quotes: Quotes | None) -> tuple[Places, bool]:
    """The places behind the line ends at which the number of quotes so far is even, up to the first quote that stands
    where none should; and whether there is no such quote.
    """
    array = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(array == _LINE_END)
    if quotes is None or quotes.quote not in data:
        return newlines + 1, True
    marks = np.flatnonzero(array == quotes.quote[0])
    wrong = _misplaced(array, marks, quotes)
    if len(wrong):
        newlines = newlines[newlines < wrong[0]]
    return newlines[np.searchsorted(marks, newlines) % 2 == 0] + 1, not len(wrong)


def _misplaced(array: NDArray[np.uint8], marks: Places, quotes: Quotes) -> Places:
    """Places of quotes that open behind something else than a delimiter or line, or close before something else."""
    bounds = (quotes.delimiter[0], _LINE_END, _RETURN)
    padded = np.concatenate([[_LINE_END], array, [_LINE_END]]).astype(np.uint8)
    before, after = padded[marks], padded[marks + 2]
    opens = np.arange(len(marks)) % 2 == 0
    doubled_before = np.concatenate([[False], marks[1:] == marks[:-1] + 1])
    doubled_after = np.concatenate([marks[1:] == marks[:-1] + 1, [False]])
    fine = np.where(opens, np.isin(before, bounds) | doubled_before, np.isin(after, bounds) | doubled_after)
    return marks[~fine]

"""A stream of bytes as numbered lines, for formats in which a record is a line or some of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from jobs.readers.record import PIECE_BYTES
from jobs.tabular.blocks import Stream, blocks

DAMAGE = (OSError, EOFError, pa.ArrowException)


@dataclass(frozen=True)
class Line:
    """A line without its end, and its number from 1; of one too long its beginning."""

    number: int
    text: str
    too_long: bool = False


def lines(stream: Stream) -> Iterator[Line]:
    """Every line, empty ones too; bytes that are no UTF-8 are replaced."""
    for block in blocks(stream, PIECE_BYTES, None):
        found = block.data.split(b"\n")
        if not found[-1] and not block.too_long:
            found.pop()  # what stands behind the last line's end is no line
        for place, text in enumerate(found):
            yield Line(block.line + place, text.decode("utf-8-sig", "replace").rstrip("\r"), block.too_long)

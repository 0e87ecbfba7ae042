"""A block of CSV as columns of text: by pyarrow where the block is sound, in smaller parts and at last line by line
where it is not.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from jobs.readers.record import Record, fingerprint, refused
from jobs.tabular import careful
from jobs.tabular.blocks import MAX_LINES_IN_A_CELL, Block, blocks, record_ends
from jobs.tabular.dialect import Dialect

_PART_BYTES = 64 << 10  # of a block that is not sound: what lies in parts that are, is still read quickly


@dataclass(frozen=True)
class Parsed:
    """Columns of text by their names in the source, and the line on which each row begins."""

    columns: dict[str, pa.Array]
    lines: pa.Array


def parsed(block: Block, dialect: Dialect, wanted: Sequence[str], where: str) -> Iterator[Parsed | list[Record]]:
    """The block's good rows, in some parts, and its bad ones."""
    if block.too_long:
        yield [_refused(careful.too_long(block.line, block.data), where)]
        return
    quick = _quick(block, dialect, wanted)
    if quick is not None:
        yield from _without_headers(quick, dialect, where)
        return
    if len(block.data) > _PART_BYTES:
        quotes = careful.quotes_of(dialect)
        for part in blocks(io.BytesIO(block.data), _PART_BYTES, quotes, block.start, block.line):
            if len(part.data) < len(block.data):
                yield from parsed(part, dialect, wanted, where)
            else:
                yield from _slow(part, dialect, wanted, where)
        return
    yield from _slow(block, dialect, wanted, where)


def _quick(block: Block, dialect: Dialect, wanted: Sequence[str]) -> Parsed | None:
    """The whole block at once, or None where anything in it is out of order."""
    data = block.data
    if dialect.skip_blanks or data.count(b"\r") != data.count(b"\r\n"):
        return None
    lines = _first_lines(block, dialect)
    if lines is None:
        return None
    if not len(lines):
        return Parsed({name: pa.array([], pa.string()) for name in wanted}, pa.array([], pa.int64()))
    try:
        table = pacsv.read_csv(
            pa.BufferReader(data),
            pacsv.ReadOptions(
                use_threads=False,
                column_names=list(dialect.names),
                block_size=len(data) + 1,
                encoding="utf8" if dialect.encoding == "utf-8" else dialect.encoding,
            ),
            pacsv.ParseOptions(
                delimiter=dialect.delimiter, quote_char=dialect.quote or False, newlines_in_values=bool(dialect.quote)
            ),
            pacsv.ConvertOptions(
                column_types={name: pa.string() for name in dialect.names},
                strings_can_be_null=False,
                include_columns=list(wanted),
            ),
        )
    except (pa.ArrowException, UnicodeError, ValueError):
        return None
    if table.num_rows != len(lines):
        return None
    return Parsed({name: _whole(table.column(name)) for name in wanted}, pa.array(lines, pa.int64()))


def _first_lines(block: Block, dialect: Dialect) -> np.ndarray | None:
    """int64[N]: the line on which each record begins, empty ones aside; None where a cell takes too many lines."""
    data = block.data if block.data.endswith(b"\n") else block.data + b"\n"
    ends, is_sound = record_ends(data, careful.quotes_of(dialect))
    if not is_sound or not len(ends) or ends[-1] != len(data):
        return None
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1
    numbers = np.searchsorted(newlines, ends)  # the line, from 0, on which each record ends
    starts = np.concatenate([[0], ends[:-1]])
    first = np.concatenate([[0], numbers[:-1] + 1])
    if (numbers - first).max() >= MAX_LINES_IN_A_CELL:
        return None
    array = np.frombuffer(data, np.uint8)
    empty = (ends - starts == 1) | ((ends - starts == 2) & (array[starts] == 13))
    return block.line + first[~empty]


def _without_headers(rows: Parsed, dialect: Dialect, where: str) -> Iterator[Parsed | list[Record]]:
    """The rows, those aside that are the header once more."""
    names = {name: column for name, column in rows.columns.items() if name in dialect.names}
    name, column = next(iter(names.items()))
    doubled = pc.equal(pc.utf8_trim_whitespace(column), name)
    if not dialect.has_header or not pc.any(doubled).as_py():
        yield rows
        return
    for name, column in names.items():
        doubled = pc.and_(doubled, pc.equal(pc.utf8_trim_whitespace(column), name))
    kept = pc.invert(doubled)
    yield Parsed({name: column.filter(kept) for name, column in rows.columns.items()}, rows.lines.filter(kept))
    yield [_refused(careful.header_again(line, dialect), where) for line in rows.lines.filter(doubled).to_pylist()]


def _slow(block: Block, dialect: Dialect, wanted: Sequence[str], where: str) -> Iterator[Parsed | list[Record]]:
    """The block line by line."""
    good: list[careful.Row] = []
    bad: list[Record] = []
    for row in careful.rows(block.data, block.line, dialect):
        if row.cells is None:
            bad.append(_refused(row, where))
        else:
            good.append(row)
    places: Mapping[str, int] = {name: place for place, name in enumerate(dialect.names)}
    columns = {
        name: pa.array([row.cells[places[name]] for row in good if row.cells is not None], pa.string())
        for name in wanted
    }
    yield from _without_headers(Parsed(columns, pa.array([row.line for row in good], pa.int64())), dialect, where)
    if bad:
        yield bad


def _refused(row: careful.Row, where: str) -> Record:
    shown = row.text[:200].decode("utf-8", "replace")
    return refused(f"{where}#{row.line}", str(row.reason), f"{row.detail}: {shown!r}", fingerprint(b"line", row.text))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)

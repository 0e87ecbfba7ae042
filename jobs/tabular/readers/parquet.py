"""Parquet files, read by row groups. A damaged file is refused by itself; one of other columns is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.readers.parquet import row_groups
from jobs.readers.record import Piece, Reading, Record, refused
from jobs.tabular import files, typed_cells
from jobs.tabular.cells import Cells

_BATCH_ROWS = 16_384
_DAMAGE = (pa.ArrowException, OSError, EOFError, ValueError)


def pieces(task: Reading) -> Iterator[Piece]:
    """Row groups in runs of about PIECE_BYTES; files that are damaged, as pieces that refuse them."""
    for file in files.found(task):
        yield from _pieces_of(task, file)


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The rows of some row groups, or the refusal of a file."""
    path = piece["path"]
    if "detail" in piece:
        yield [refused(path, "file_unreadable", piece["detail"])]
        return
    place = piece["start"]
    try:
        with files.opened(task, files.File(path, 0, path)) as file:
            opened = pq.ParquetFile(file)
            wanted = typed_cells.wanted_columns(task, opened.schema_arrow, path)
            for batch in opened.iter_batches(_BATCH_ROWS, piece["groups"], list(dict.fromkeys(wanted.values()))):
                columns = {mine: batch.column(name) for mine, name in wanted.items()}
                yield typed_cells.cells_of(columns, typed_cells.positions(path, place, batch.num_rows))
                place += batch.num_rows
    except _DAMAGE as error:
        detail = f"rows {place} to {piece['stop'] - 1} cannot be read: {_short(error)}"
        yield [refused(f"{path}#{place}", "file_unreadable", detail)]


def _pieces_of(task: Reading, file: files.File) -> Iterator[Piece]:
    try:
        with files.opened(task, file) as stream:
            opened = pq.ParquetFile(stream)
            schema, metadata = opened.schema_arrow, opened.metadata
    except _DAMAGE as error:
        yield {
            "path": file.path,
            "detail": f"not a whole Parquet file ({file.size:,} bytes): {_short(error)}",
            "bytes": 0,
        }
        return
    typed_cells.wanted_columns(task, schema, file.path)
    yield from row_groups(file.path, metadata)


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]

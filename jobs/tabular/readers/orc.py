"""ORC files, read by stripes. A damaged file is refused by itself; one of other columns is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyarrow import orc

from jobs.readers.record import Piece, Reading, Record, refused
from jobs.tabular import files, typed_cells
from jobs.tabular.cells import Cells

_DAMAGE = (pa.ArrowException, OSError, EOFError, ValueError)


def pieces(task: Reading) -> Iterator[Piece]:
    """One for each file; a damaged one, as a piece that refuses it."""
    for file in files.found(task):
        try:
            with files.opened(task, file) as stream:
                opened = orc.ORCFile(stream)
                schema, stripes = opened.schema, opened.nstripes
        except _DAMAGE as error:
            detail = f"not a whole ORC file ({file.size:,} bytes): {str(error)[:300]}"
            yield {"path": file.path, "detail": detail, "bytes": 0}
            continue
        typed_cells.wanted_columns(task, schema, file.path)
        yield {"path": file.path, "stripes": stripes, "bytes": file.size}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The rows of a file, or its refusal."""
    path, place = piece["path"], 0
    if "detail" in piece:
        yield [refused(path, "file_unreadable", piece["detail"])]
        return
    try:
        with files.opened(task, files.File(path, 0, path)) as file:
            opened = orc.ORCFile(file)
            wanted = typed_cells.wanted_columns(task, opened.schema, path)
            for stripe in range(piece["stripes"]):
                batch = opened.read_stripe(stripe, list(dict.fromkeys(wanted.values())))
                columns = {mine: batch.column(name) for mine, name in wanted.items()}
                yield typed_cells.cells_of(columns, typed_cells.positions(path, place, batch.num_rows))
                place += batch.num_rows
    except _DAMAGE as error:
        yield [
            refused(f"{path}#{place}", "file_unreadable", f"rows from {place} on cannot be read: {str(error)[:300]}")
        ]

"""A real row of a table looked up in its source again: whether the same record still stands where it was read."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from conf import Config
from conf.schema import Source
from jobs import readers
from jobs.tabular import cells, ingest

MAX_OCCURRENCES = 1000


def record_again(config: Config, source: Source, row: dict[str, Any]) -> tuple[str, bool | None]:
    """What came of it in words, and whether the record is the row's (None: it could not be looked up)."""
    where = row["row_source"]
    if source.reader in ingest.UNORDERED:
        return "cannot be read again here: Spark alone reads its source", None
    task = readers.reading(config, source)
    names = [name for name, _ in task.columns if name != task.label]
    for piece in ingest.pieces(task):
        if "path" in piece and not where.startswith(piece["path"]):
            continue
        for part in ingest.reader_of(task).read(task, piece):
            if not isinstance(part, cells.Cells):
                continue
            place = pc.index(part.positions, where).as_py()
            if place >= 0:
                words = cells.record_words(task, part, names, place)
                same = row["row_id"] in cells.ids_of_one(source.name, words, MAX_OCCURRENCES)
                told = "the same record" if same else "ANOTHER RECORD STANDS THERE NOW"
                return f"read from its source again: {told}", same
    return f"cannot be read again here: {where} is no longer there", None

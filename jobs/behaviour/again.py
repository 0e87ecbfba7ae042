"""Users looked up again for `explain`: a real one's items in the source, a child as augment hands it to the steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conf import Config
from conf.schema import Recipe, Source
from jobs import readers
from jobs.readers import Reading
from jobs.tabular import cells, ingest
from udfs import records


def user_again(config: Config, source: Source, row: Mapping[str, Any]) -> tuple[str, bool | None]:
    """What came of it in words, and whether every event of the row stands in the source (None: that cannot be told)."""
    if row.get("user") is None:
        return "cannot be read again here: the row names no user", None
    there = set(_items_of(readers.reading(config, source), row["user"]))
    missing = [item for item in row["items"] or [] if item not in there]
    told = f"{len(missing):,} OF ITS ITEMS ARE NO LONGER THERE" if missing else "every item of the user is there"
    return f"read from its source again: {told}", not missing


def _items_of(task: Reading, user: str) -> Iterator[str]:
    """The items of a user's events, wherever they stand in the source."""
    for piece in ingest.pieces(task):
        for part in ingest.reader_of(task).read(task, piece):
            if isinstance(part, cells.Cells):
                mine = pc.equal(pc.utf8_trim_whitespace(part.columns["user"]), user)
                found = pc.utf8_trim_whitespace(part.columns["item"].filter(pc.fill_null(mine, False)))
                yield from found.drop_null().to_pylist()


def child_batch(recipe: Recipe, row: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> pa.RecordBatch:
    """The row's id, its parent's payload."""
    (first,) = row["row_parents"]
    schema = records.row_schema(recipe)
    cells_of = {
        name: row.get(name) if name in records.LINEAGE.names else parents[first].get(name) for name in schema.names
    }
    return pa.RecordBatch.from_pydict({field.name: pa.array([cells_of[field.name]], field.type) for field in schema})

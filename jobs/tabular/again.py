"""Rows of a table looked up again: a record where it was read, a child's parents as augment hands them to its steps."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conf import Config
from conf.schema import Recipe, Source
from jobs import readers
from jobs.tabular import cells, ingest
from udfs import records
from udfs.table.form import TableForm

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
        for part in ingest.records_of(task, piece):
            if not isinstance(part, cells.Cells):
                continue
            place = pc.index(part.positions, where).as_py()
            if place >= 0:
                words = cells.record_words(task, part, names, place)
                same = row["row_id"] in cells.ids_of_one(source.name, words, MAX_OCCURRENCES)
                told = "the same record" if same else "ANOTHER RECORD STANDS THERE NOW"
                return f"read from its source again: {told}", same
    return f"cannot be read again here: {where} is no longer there", None


def child_batch(recipe: Recipe, row: dict[str, Any], parents: dict[str, dict[str, Any]]) -> pa.RecordBatch:
    """The row as augment hands it to the steps: its primary id, its first parent's payload, its partner beside it."""
    first, *others = row["row_parents"]
    schema, payload = records.row_schema(recipe), TableForm.of(recipe).schema()
    maker = row["row_id"][: records.MAKER_HEX]
    lineage = {
        **{name: row[name] for name in schema.names if name not in payload.names},
        "row_id": records.child_id(maker, [first]),
        "row_parents": [first],
    }
    own = {**lineage, **{name: parents[first][name] for name in payload.names}}
    partner = {name: parents[others[0]][name] for name in payload.names} if others else None
    columns = {field.name: pa.array([own[field.name]], field.type) for field in schema}
    columns["partner_id"] = pa.array([others[0] if others else None], pa.string())
    columns["partner_row"] = pa.array([partner], pa.struct(list(payload)))
    return pa.RecordBatch.from_pydict(columns)

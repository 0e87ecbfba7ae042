"""A child of texts as augment hands it to the steps, for `explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from conf.schema import Recipe
from udfs import records


def child_batch(recipe: Recipe, row: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> pa.RecordBatch:
    """The row's primary id, its first parent's payload, its partner beside it."""
    first, *others = row["row_parents"]
    parent, schema = parents[first], records.row_schema(recipe)
    primary = records.child_id(row["row_id"][: records.MAKER_HEX], [first])
    lineage = {name: row.get(name) for name in records.LINEAGE.names}
    payload = {name: parent.get(name) for name in schema.names if name not in records.LINEAGE.names}
    cells = {**lineage, **payload, "row_id": primary, "row_parents": [first]}
    columns = {field.name: pa.array([cells[field.name]], field.type) for field in schema}
    partner = parents[others[0]] if others else None
    told = {
        "partner_text": partner and partner["text"],
        "partner_label": partner and partner["label"],
        "partner_id": others[0] if others else None,
    }
    return pa.RecordBatch.from_pydict(columns | {name: pa.array([value], pa.string()) for name, value in told.items()})

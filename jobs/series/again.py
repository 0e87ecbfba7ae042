"""A child of series as augment hands it to the steps, for `explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from udfs import records
from udfs.series.windows import SERIES_TYPE


def child_batch(row: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> pa.RecordBatch:
    """The row's primary id, its first parent's payload, its partner beside it."""
    first, *others = row["row_parents"]
    parent, schema = parents[first], records.series_schema()
    primary = records.child_id(row["row_id"][: records.MAKER_HEX], [first])
    lineage = {name: row.get(name) for name in records.LINEAGE.names}
    payload = {name: parent.get(name) for name in schema.names if name not in records.LINEAGE.names}
    cells = {**lineage, **payload, "row_id": primary, "row_parents": [first]}
    columns = {field.name: pa.array([cells[field.name]], field.type) for field in schema}
    partner = parents[others[0]] if others else None
    columns |= {
        "partner_series": pa.array([partner and partner["series"]], SERIES_TYPE),
        "partner_label": pa.array([partner and partner["label"]], pa.string()),
        "partner_id": pa.array([others[0] if others else None], pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)

"""A child of images as augment hands it to the steps, for `explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from conf.schema import Recipe
from udfs import records

PARTNER = {"partner_image": pa.binary(), "partner_label": pa.string(), "partner_id": pa.string()}


def child_batch(recipe: Recipe, row: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> pa.RecordBatch:
    """The row's primary id, its first parent's payload, its partner beside it."""
    first, *others = row["row_parents"]
    primary = records.child_id(row["row_id"][: records.MAKER_HEX], [first])
    cells = {**parents[first], "row_id": primary, "row_parents": [first]}
    columns = {name: pa.array([value], _type_of(name)) for name, value in cells.items()}
    partner = parents[others[0]] if others else None
    told = (partner and partner["image"], partner and partner["label"], others[0] if others else None)
    beside = {name: pa.array([value], kind) for (name, kind), value in zip(PARTNER.items(), told, strict=True)}
    return pa.RecordBatch.from_pydict(columns | beside)


def _type_of(name: str) -> pa.DataType | None:
    """The type of a row's column; of others what Arrow finds."""
    schema = records.image_schema(masks=True, boxes=True)
    return schema.field(name).type if name in schema.names else None

"""What a row is: lineage columns, payload, ids and hashes.

A row's id says who made it (16 hex digits: the maker) and which one of the maker's it is (24). Ids, never positions,
are what draws, splits and merges go by. The row's hash covers what a MERGE must carry over: payload, label, split,
flags and where the label came from; not `row_source`, so that a line inserted above does not touch the rows below it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from udfs import hashing
from udfs.table.form import TableForm

MAKER_HEX = 16
WHICH_HEX = 24

ORIGINS = ("real", "augmented", "synthetic")
SPLITS = ("train", "val", "test", "reserve", "unlabelled")
DATASET_SPLITS = ("train", "val", "test")

LINEAGE = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("row_origin", pa.string(), nullable=False),
        pa.field("row_parents", pa.list_(pa.string())),
        pa.field("row_split", pa.string()),
        pa.field("row_source", pa.string()),
        pa.field("row_label_source", pa.string()),
        pa.field("row_label_confidence", pa.float64()),
        pa.field("row_flags", pa.list_(pa.string())),
        pa.field("row_hash", pa.string()),
        pa.field("row_group", pa.string()),
    ]
)
REFUSAL = pa.schema(
    [
        pa.field("row_stage", pa.string(), nullable=False),
        pa.field("row_reason", pa.string(), nullable=False),
        pa.field("row_detail", pa.string()),
    ]
)
BOXES = pa.list_(
    pa.struct(
        [
            pa.field("x0", pa.float32()),
            pa.field("y0", pa.float32()),
            pa.field("x1", pa.float32()),
            pa.field("y1", pa.float32()),
            pa.field("label", pa.string()),
        ]
    )
)
_UNHASHED = frozenset({"row_id", "row_origin", "row_parents", "row_source", "row_hash", "row_group"})


def image_schema(masks: bool = False, boxes: bool = False) -> pa.Schema:
    """Columns of an image row: lineage, label, soft label, boxes and mask where declared, the encoded image last."""
    fields = [pa.field("label", pa.string()), pa.field("soft_label", pa.map_(pa.string(), pa.float64()))]
    if boxes:
        fields.append(pa.field("boxes", BOXES))
    if masks:
        fields.append(pa.field("mask", pa.binary()))
    fields.append(pa.field("image", pa.binary()))
    return pa.schema([*LINEAGE, *fields])


def table_schema(payload: pa.Schema) -> pa.Schema:
    """Columns of a table's row: lineage, then the recipe's typed columns."""
    return pa.schema([*LINEAGE, *payload])


def text_schema() -> pa.Schema:
    """Columns of a text's row: lineage, label, soft label, the text last."""
    soft = pa.field("soft_label", pa.map_(pa.string(), pa.float64()))
    return pa.schema([*LINEAGE, pa.field("label", pa.string()), soft, pa.field("text", pa.string())])


def series_schema() -> pa.Schema:
    """Columns of a window's row: lineage, label, soft label, its values last, time-major; NaN is missing."""
    soft = pa.field("soft_label", pa.map_(pa.string(), pa.float64()))
    values = pa.field("series", pa.list_(pa.float32()))
    return pa.schema([*LINEAGE, pa.field("label", pa.string()), soft, values])


def behaviour_schema(attributes: Mapping[str, str]) -> pa.Schema:
    """Columns of a user's row: lineage, its key in the source (null where made), typed attributes (by name: integer,
    number or category), then its events in the order of their times: items, ratings, seconds since 1970.
    """
    kinds = {"integer": pa.int64(), "number": pa.float64(), "category": pa.string()}
    told = [pa.field(name, kinds[kind]) for name, kind in attributes.items()]
    events = {"items": pa.string(), "ratings": pa.float32(), "times": pa.int64()}
    lists = [pa.field(name, pa.list_(kind)) for name, kind in events.items()]
    return pa.schema([*LINEAGE, pa.field("user", pa.string()), *told, *lists])


def fusion_schema(recipe: Any) -> pa.Schema:
    """Columns of a row of several payloads: lineage, label, soft label, then those of each payload, big ones last."""
    soft = pa.field("soft_label", pa.map_(pa.string(), pa.float64()))
    fields = [*LINEAGE, pa.field("label", pa.string()), soft]
    if recipe.columns:
        fields += [field for field in TableForm.of(recipe).schema() if field.name != "label"]
    image = recipe.image
    if image is not None:
        fields += [pa.field("boxes", BOXES)] * image.boxes
    if recipe.text is not None:
        fields.append(pa.field("text", pa.string()))
    if recipe.series is not None:
        fields.append(pa.field("series", pa.list_(pa.float32())))
    return pa.schema([*fields, *([pa.field("image", pa.binary())] if image is not None else [])])


def row_schema(recipe: Any) -> pa.Schema:
    """The columns of a recipe's rows, whatever their modality."""
    if recipe.modality == "fusion":
        return fusion_schema(recipe)
    if recipe.modality == "table":
        return table_schema(TableForm.of(recipe).schema())
    if recipe.modality == "text":
        return text_schema()
    if recipe.modality == "series":
        return series_schema()
    if recipe.modality == "behaviour":
        return behaviour_schema({name: said.type for name, said in recipe.behaviour.attributes.items()})
    return image_schema(recipe.image.masks, recipe.image.boxes)


def refused_schema(schema: pa.Schema) -> pa.Schema:
    """Columns of a refused row: lineage, why it was refused and where, then the payload of `schema`."""
    payload = [field for field in schema if field.name not in LINEAGE.names]
    return pa.schema([*LINEAGE, *REFUSAL, *payload])


# json.dumps would build such an encoder for every part.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _plain(part: Any) -> bytes:
    """One part's bytes: bytes as they are, everything else as canonical JSON."""
    if isinstance(part, bytes):
        return b"b" + part
    return b"j" + _canonical(part).encode()


def _hash(parts: Sequence[Any], hex_digits: int) -> str:
    """Hash of the parts, each with its length, so that ("ab", "c") and ("a", "bc") differ."""
    state = hashlib.blake2b(digest_size=hex_digits // 2)
    for part in parts:
        data = _plain(part)
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def maker(*parts: Any) -> str:
    """16 hex digits that cover everything which decides a maker's rows."""
    return _hash(parts, MAKER_HEX)


def which(*parts: Any) -> str:
    """24 hex digits: which one of its maker's rows."""
    return _hash(parts, WHICH_HEX)


def real_id(source: str, record: bytes, occurrence: int = 0) -> str:
    """Id of a record of the declared `source`; `occurrence` counts among records with the same bytes."""
    return maker("real", source) + which(record, occurrence)


def child_id(made_by: str, parents: Sequence[str]) -> str:
    """Id of the row that the maker `made_by` makes from `parents`."""
    return made_by + which(list(parents))


def child_ids(made_by: str, parents: Sequence[str]) -> list[str]:
    """Ids of the rows that the maker `made_by` makes, one of each parent: `child_id(made_by, [parent])` for each."""
    return [child_id(made_by, [parent]) for parent in parents]


def sampled_ids(made_by: str, label: str, indices: range) -> list[str]:
    """Ids of the rows of a label that the maker `made_by` samples at these indices: `which(label, index)` for each."""
    state = hashlib.blake2b(digest_size=WHICH_HEX // 2)
    first = _plain(label)
    state.update(len(first).to_bytes(8, "big") + first)
    ids = []
    for index in indices:
        each, data = state.copy(), b"j%d" % index
        each.update(len(data).to_bytes(8, "big") + data)
        ids.append(made_by + each.hexdigest())
    return ids


def row_hashes(table: pa.Table | pa.RecordBatch) -> pa.Array:
    """16 hex digits per row over payload, label, split, flags and the label's source and confidence.

    Column order does not matter. Rows without binary payload are hashed all at once.
    """
    names = sorted(name for name in table.schema.names if name not in _UNHASHED)
    if not any(pa.types.is_binary(table.schema.field(name).type) for name in names):
        return hashing.hashes(hashing.row_words(table, names, hashing.word_of(names)))
    state = hashlib.blake2b(digest_size=8)
    state.update(json.dumps(names).encode())
    parts = _merged([_framed(table.column(name)) for name in names])
    hashes = []
    columns = (part if isinstance(part, list) else itertools.repeat(part, table.num_rows) for part in parts)
    for row in zip(*columns, strict=True):
        each = state.copy()
        each.update(b"".join(row))
        hashes.append(each.hexdigest())
    return pa.array(hashes, pa.string())


def _framed(column: pa.Array | pa.ChunkedArray) -> bytes | list[bytes]:
    """Each value's bytes behind their number; one value where all are equal, as many columns have it."""
    values = _hashable(column) if column.null_count < len(column) else [b""]
    if values and values[0] == values[-1] and len(set(values)) == 1:
        return len(values[0]).to_bytes(8, "big") + values[0]
    return [len(value).to_bytes(8, "big") + value for value in values]


def _merged(parts: list[bytes | list[bytes]]) -> list[bytes | list[bytes]]:
    """Neighbours that are one value as one."""
    merged: list[bytes | list[bytes]] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, bytes) and isinstance(last, bytes):
            merged[-1] = last + part
        else:
            merged.append(part)
    return merged


def _hashable(column: pa.Array | pa.ChunkedArray) -> list[bytes]:
    """Each value's bytes; null differs from empty."""
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [b"" if value is None else b"v" + value for value in column.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [b"" if value is None else b"v" + value.encode() for value in column.to_pylist()]
    if pa.types.is_map(kind):
        return [b"" if value is None else b"v" + _plain(dict(value)) for value in column.to_pylist()]
    return [b"" if value is None else b"v" + repr(value).encode() for value in column.to_pylist()]


def with_hashes(table: pa.Table) -> pa.Table:
    """The table with its column `row_hash` computed."""
    hashes = row_hashes(table)
    if "row_hash" in table.schema.names:
        return table.set_column(table.schema.get_field_index("row_hash"), "row_hash", hashes)
    return table.append_column("row_hash", hashes)


def conform(table: pa.Table | pa.RecordBatch, schema: pa.Schema) -> pa.Table | pa.RecordBatch:
    """The columns of `schema`, in its order and types; missing nullable ones null.

    Raises ValueError for a column that the schema does not have, or a missing one that may not be null.
    """
    unknown = [name for name in table.schema.names if name not in schema.names]
    if unknown:
        raise ValueError(f"columns {unknown} are not in the schema, which has {schema.names}")
    columns = []
    for field in schema:
        if field.name in table.schema.names:
            columns.append(table.column(field.name).cast(field.type))
        elif field.nullable:
            columns.append(pa.nulls(table.num_rows, field.type))
        else:
            raise ValueError(f"the column {field.name} is missing and may not be null")
    return type(table).from_arrays(columns, schema=schema)

"""Rows as ingest lays them down: what it keeps of each beside the row itself, their hashes, their share of a mix."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from udfs import records

STAGE = "ingest"
BOOKKEEPING = pa.schema([("row_of", pa.string()), ("row_content", pa.string()), ("row_in_mix", pa.bool_())])
_SHARE_DIGITS = 13  # hex digits that fit a float64 exactly


def hashed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with `row_hash`: of good rows over the row, of refused ones over the reason too."""
    extra = set(records.REFUSAL.names) | set(BOOKKEEPING.names)
    refused = pc.is_valid(table.column("row_reason"))
    parts = []
    for rows, left_out in ((table.filter(pc.invert(refused)), extra), (table.filter(refused), BOOKKEEPING.names)):
        hashes = records.row_hashes(rows.select([name for name in schema.names if name not in left_out]))
        parts.append(rows.set_column(schema.get_field_index("row_hash"), schema.field("row_hash"), hashes))
    return pa.concat_tables(parts).cast(schema)


def in_mix(row_id: str, weight: float) -> bool:
    """Whether the row belongs to the share `weight` of its source, by a hash of its id."""
    return weight >= 1 or int(records.which("weight", row_id)[:_SHARE_DIGITS], 16) < weight * 16**_SHARE_DIGITS

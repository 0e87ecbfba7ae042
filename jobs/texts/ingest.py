"""Ingest, the part of texts: records with a text and a label, read as those of tables are."""

from __future__ import annotations

import pyarrow as pa

from conf.schema import Recipe
from conf.schema.texts import TEXT_COLUMNS
from jobs.tabular.ingest import UNORDERED, frame, ids, pieces, positions, read_frame, read_piece
from udfs import records

__all__ = ["UNORDERED", "frame", "ids", "pieces", "positions", "raw_schema", "read_frame", "read_piece"]


def raw_schema(recipe: Recipe) -> pa.Schema:
    """The columns of `raw`: text and label as they came."""
    return records.table_schema(pa.schema([pa.field(name, pa.string()) for name in TEXT_COLUMNS]))

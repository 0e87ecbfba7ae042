"""Ingest, the part of series: records with a window and a label, read as those of tables are.

`raw` holds a window as its numbers' text (`udfs/series/windows.py`), from which clean reads values.
"""

from __future__ import annotations

import pyarrow as pa

from conf.schema import Recipe
from conf.schema.windows import SERIES_COLUMNS
from jobs.tabular.ingest import UNORDERED, frame, ids, pieces, positions, read_frame, read_piece
from udfs import records

__all__ = ["UNORDERED", "frame", "ids", "pieces", "positions", "raw_schema", "read_frame", "read_piece"]


def raw_schema(recipe: Recipe) -> pa.Schema:
    """The columns of `raw`: the window's numbers and the label as text."""
    return records.table_schema(pa.schema([pa.field(name, pa.string()) for name in SERIES_COLUMNS]))

"""Ingest, the part of series: records with a window and a label, or with one time's observations, read as those of
tables are.

`raw` holds a window as its numbers' text (`udfs/series/windows.py`), observations as their cells' text; clean reads
values from them.
"""

from __future__ import annotations

import pyarrow as pa

from conf.schema import Recipe
from jobs.tabular.ingest import UNORDERED, frame, ids, pieces, positions, read_frame, read_piece
from udfs import records

__all__ = ["UNORDERED", "frame", "ids", "pieces", "positions", "raw_schema", "read_frame", "read_piece"]


def raw_schema(recipe: Recipe) -> pa.Schema:
    """The columns of `raw` as text: the window's numbers, or what was observed when; and the label."""
    assert recipe.series is not None
    return records.table_schema(pa.schema([pa.field(name, pa.string()) for name in (*recipe.series.cells(), "label")]))

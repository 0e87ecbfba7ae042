"""Recordings that a package bundles: `path` is share_prices.

That is what a share of Google cost on each trading day from August 2004 to October 2008, and how many changed hands.

An array of numbers among Matplotlib's sample data, read as data: nothing in it can run.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from jobs.readers.record import Piece, Reading, Record
from jobs.tabular import drift
from jobs.tabular.cells import Cells
from jobs.tabular.typed_cells import positions

NAME = "share_prices"
DATE = "date"
_BYTES_PER_DAY = 60


def pieces(task: Reading) -> Iterator[Piece]:
    """All days are one piece. Raises RecipeError for what is not bundled, and where columns differ."""
    if task.source.path != NAME:
        raise task.error(f"path is {task.source.path!r}; {NAME} is bundled.")
    days = _days()
    drift.matched(task, list(days), NAME)
    yield {"bytes": len(days[DATE]) * _BYTES_PER_DAY}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """Every trading day, `share_prices#0` and on."""
    days = _days()
    wanted = drift.matched(task, list(days), NAME)
    columns = {mine: pa.array([str(cell) for cell in days[theirs]], pa.string()) for mine, theirs in wanted.items()}
    yield Cells(columns, positions(NAME, 0, len(days[DATE])))


def _days() -> dict[str, list[object]]:
    """The columns, a value a trading day, in the order of time."""
    file = importlib.resources.files("matplotlib") / "mpl-data" / "sample_data" / "goog.npz"
    with importlib.resources.as_file(file) as path, np.load(path, allow_pickle=False) as bundled:
        days = bundled["price_data"]
    return {name: days[name].tolist() for name in days.dtype.names}

"""Children of series: the steps of a recipe compiled, how many are made by one call, what partners hand over, and the
small views by whose distance windows are near each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from udfs.series.compiled import CompiledSeries, compile_series_steps
from udfs.series.scaling import Scale, Tally, encode, measure
from udfs.series.windows import SERIES_TYPE

CALL_VALUES = 4 << 20  # made by one call of the steps
VIEW_STEPS = 32
VIEW_LEVELS = 255
VIEWS = pa.schema([pa.field("row_id", pa.string()), pa.field("label", pa.string()), pa.field("view", pa.binary())])


def compiled(recipe: Any, steps: Any, measured: Mapping[str, Any] | None = None) -> CompiledSeries:
    """The steps; StepError for one that is none, or an option that it does not take."""
    return compile_series_steps(steps, recipe.series.length, len(recipe.series.channels))


def call_rows(steps: CompiledSeries) -> int:
    """Children that one call of the steps makes at most."""
    return max(1, CALL_VALUES // (steps.length * steps.channels))


def label_name(steps: CompiledSeries) -> str:
    """The column by whose values copies are counted."""
    return "label"


def labels(rows: pa.Table, steps: CompiledSeries) -> pa.ChunkedArray:
    """The labels by which partners are of one class; without labels all rows are of one."""
    return pc.fill_null(rows.column("label"), "")


def partner_types(steps: CompiledSeries) -> dict[str, pa.DataType]:
    """The columns that a partner hands over: its window, its label, its id."""
    return dict(zip(steps.partner_columns, (SERIES_TYPE, pa.string(), pa.string()), strict=True))


def handed(rows: pa.Table, steps: CompiledSeries) -> dict[str, list[Any]]:
    """The same, of rows that are partners."""
    given = (rows.column(name).to_pylist() for name in ("series", "label", "row_id"))
    return dict(zip(steps.partner_columns, given, strict=True))


def views(rows: pa.Table, steps: CompiledSeries) -> pa.Table:
    """row_id, label, and a small view as bytes."""
    viewing = Viewing(steps, scale_of(measure(steps.read(rows.column("series").combine_chunks())), steps))
    seen = map(viewing, rows.select(["row_id", "label", "series"]).to_batches())
    return pa.concat_tables([VIEWS.empty_table(), *seen])


def scale_of(tally: Tally, steps: CompiledSeries) -> Scale:
    """From each channel's least to its greatest value; as they are where nothing was measured."""
    return Scale.of(tally, "min_max") if tally else Scale(np.zeros((1, 1, steps.channels)), np.ones((1, 1, 1)))


@dataclass(frozen=True)
class Viewing:
    """Rows to their small views: some of a window's steps, every channel between its least and greatest value."""

    steps: CompiledSeries
    scale: Scale

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The views; what is missing lies in the middle."""
        seen = encode(self.steps.read(batch.column("series")), self.scale)
        places = np.unique(np.linspace(0, self.steps.length - 1, VIEW_STEPS).round().astype(np.int64))
        levels = np.rint(np.nan_to_num(seen[:, places], nan=0.5).clip(0, 1) * VIEW_LEVELS).astype(np.uint8)
        told = [each.tobytes() for each in levels]
        labels = pc.fill_null(batch.column("label"), "")
        return pa.table([batch.column("row_id"), labels, pa.array(told, pa.binary())], schema=VIEWS)

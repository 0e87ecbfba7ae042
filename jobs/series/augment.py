"""Augment, the part of series: what a step list is compiled to, what partners hand over, small views of windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf import Config
from conf.schema import Recipe
from jobs.series.normalize import tally_of
from udfs.series.compiled import PARTNER_COLUMNS, CompiledSeries, compile_series_steps
from udfs.series.scaling import Scale, encode
from udfs.series.windows import SERIES_TYPE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CALL_VALUES = 4 << 20  # made by one call of the steps
VIEW_STEPS = 32
VIEW_LEVELS = 255
_VIEWS = pa.schema([pa.field("row_id", pa.string()), pa.field("label", pa.string()), pa.field("view", pa.binary())])


def check_steps(recipe: Recipe) -> None:
    """Raise StepError for a step that is none, or an option that it does not take."""
    _compiled(recipe)


def compiled(config: Config) -> CompiledSeries:
    """The recipe's steps."""
    return _compiled(config.recipe)


def _compiled(recipe: Recipe) -> CompiledSeries:
    assert recipe.series is not None
    steps = recipe.augment.steps if recipe.augment else []
    return compile_series_steps(steps, recipe.series.length, len(recipe.series.channels))


def call_rows(steps: CompiledSeries) -> int:
    """Children that one call of the steps makes at most."""
    return max(1, CALL_VALUES // (steps.length * steps.channels))


def label_name(steps: CompiledSeries) -> str:
    """The column by whose values copies are counted."""
    return "label"


def label_of(steps: CompiledSeries) -> Column:
    """The label by which partners are of one class."""
    from pyspark.sql import functions as F

    return F.coalesce("label", F.lit(""))  # without labels all rows are of one class


def partner_types(steps: CompiledSeries) -> dict[str, pa.DataType]:
    """The columns that a partner hands over: its window, its label, its id."""
    return dict(zip(PARTNER_COLUMNS, (SERIES_TYPE, pa.string(), pa.string()), strict=True))


def partner_columns(steps: CompiledSeries) -> dict[str, Column]:
    """The same, as columns of the partner's row."""
    from pyspark.sql import functions as F

    return {"partner_series": F.col("series"), "partner_label": F.col("label"), "partner_id": F.col("row_id")}


def views(parents: DataFrame, steps: CompiledSeries) -> DataFrame:
    """row_id, label, and a small view as bytes, by whose distance rows are near each other."""
    from jobs.spark import map_rows

    tally, _ = tally_of(parents, steps.length, steps.channels)
    scale = Scale.of(tally, "min_max") if tally else Scale(np.zeros((1, 1, steps.channels)), np.ones((1, 1, 1)))
    return map_rows(parents.select("row_id", "label", "series"), Viewing(steps, scale), _VIEWS)


@dataclass(frozen=True)
class Viewing:
    """Rows to their small views: some of a window's steps, every channel between its least and greatest value."""

    steps: CompiledSeries
    scale: Scale

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The views; what is missing lies in the middle."""
        seen = encode(self.steps.windows(batch.column("series")), self.scale)
        places = np.unique(np.linspace(0, self.steps.length - 1, VIEW_STEPS).round().astype(np.int64))
        levels = np.rint(np.nan_to_num(seen[:, places], nan=0.5).clip(0, 1) * VIEW_LEVELS).astype(np.uint8)
        told = [each.tobytes() for each in levels]
        labels = pc.fill_null(batch.column("label"), "")
        return pa.table([batch.column("row_id"), labels, pa.array(told, pa.binary())], schema=_VIEWS)

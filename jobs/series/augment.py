"""Augment, the part of series: what partners are chosen by and hand over, as columns of Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.series.normalize import tally_of
from udfs.series.compiled import CompiledSeries
from udfs.series.family import VIEWS, Viewing, call_rows, label_name, partner_types, scale_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["call_rows", "label_name", "label_of", "partner_columns", "partner_types", "views"]


def label_of(steps: CompiledSeries) -> Column:
    """The label by which partners are of one class."""
    from pyspark.sql import functions as F

    return F.coalesce("label", F.lit(""))  # without labels all rows are of one class


def partner_columns(steps: CompiledSeries) -> dict[str, Column]:
    """What a partner hands over, as columns of its row."""
    from pyspark.sql import functions as F

    return {"partner_series": F.col("series"), "partner_label": F.col("label"), "partner_id": F.col("row_id")}


def views(parents: DataFrame, steps: CompiledSeries) -> DataFrame:
    """row_id, label, and a small view as bytes, by whose distance rows are near each other."""
    from jobs.spark import map_rows

    tally, _ = tally_of(parents, steps.length, steps.channels)
    viewing = Viewing(steps, scale_of(tally, steps))
    return map_rows(parents.select("row_id", "label", "series"), viewing, VIEWS)

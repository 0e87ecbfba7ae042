"""Augment, the part of images: what partners are chosen by and hand over, as columns of Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.image.family import VIEWS, call_rows, label_name, partner_types, small_views
from udfs.steps import Compiled

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["call_rows", "label_name", "label_of", "partner_columns", "partner_types", "views"]


def label_of(steps: Compiled) -> Column:
    """The label by which partners are of one class."""
    from pyspark.sql import functions as F

    return F.col("label")


def partner_columns(steps: Compiled) -> dict[str, Column]:
    """What a partner hands over, as columns of its row."""
    from pyspark.sql import functions as F

    return {"partner_image": F.col("image"), "partner_label": F.col("label"), "partner_id": F.col("row_id")}


def views(parents: DataFrame, steps: Compiled) -> DataFrame:
    """row_id, label, and a small view as bytes, by whose distance rows are near each other."""
    from jobs.spark import map_rows

    return map_rows(parents.select("row_id", "label", "image"), small_views(steps), VIEWS)

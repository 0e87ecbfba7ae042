"""Augment, the part of tables: what partners are chosen by and hand over, as columns of Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.table.compiled import CompiledTable
from udfs.table.family import VIEWS, Viewing, call_rows, label_name, partner_types

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["call_rows", "label_name", "label_of", "partner_columns", "partner_types", "views"]


def label_of(steps: CompiledTable) -> Column:
    """The label by which partners are of one class; all rows of a regression are."""
    from pyspark.sql import functions as F

    return F.col(steps.form.label).cast("string") if steps.form.task == "classification" else F.lit("")


def partner_columns(steps: CompiledTable) -> dict[str, Column]:
    """What a partner hands over, as columns of its row."""
    from pyspark.sql import functions as F

    payload = F.struct(*[F.col(column.name) for column in steps.form.columns])
    return {"partner_id": F.col("row_id"), "partner_row": payload}


def views(parents: DataFrame, steps: CompiledTable) -> DataFrame:
    """row_id, label, and the row's place in the space of `udfs/table/space.py` as bytes."""
    from jobs.spark import map_rows

    payload = [column.name for column in steps.form.columns]
    return map_rows(parents.select("row_id", label_of(steps).alias("row_of"), *payload), Viewing(steps), VIEWS)

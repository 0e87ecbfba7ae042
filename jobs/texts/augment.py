"""Augment, the part of texts: what partners hand over, as columns of Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.text.compiled import CompiledText
from udfs.text.family import call_rows, label_name, partner_types

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = ["call_rows", "label_name", "label_of", "partner_columns", "partner_types"]


def label_of(steps: CompiledText) -> Column:
    """The label by which partners are of one class."""
    from pyspark.sql import functions as F

    return F.col("label")


def partner_columns(steps: CompiledText) -> dict[str, Column]:
    """What a partner hands over, as columns of its row."""
    from pyspark.sql import functions as F

    return {"partner_text": F.col("text"), "partner_label": F.col("label"), "partner_id": F.col("row_id")}

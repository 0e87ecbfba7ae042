"""Augment, the part of fusion: rows have no partners, so there is nothing that one hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.fusion.compiled import CompiledFusion
from udfs.fusion.family import call_rows, label_name, partner_types

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = ["call_rows", "label_name", "label_of", "partner_columns", "partner_types"]


def label_of(steps: CompiledFusion) -> Column:
    """The label by which partners would be of one class."""
    from pyspark.sql import functions as F

    return F.col("label")


def partner_columns(steps: CompiledFusion) -> dict[str, Column]:
    """No columns."""
    return {}

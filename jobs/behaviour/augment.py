"""Augment, the part of behaviour: sequences have no partners, so there is nothing that one hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.behaviour.compiled import CompiledBehaviour
from udfs.behaviour.family import call_rows, label_name, partner_types

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = ["call_rows", "label_name", "label_of", "partner_columns", "partner_types"]


def label_of(steps: CompiledBehaviour) -> Column:
    """All rows are of one class."""
    from pyspark.sql import functions as F

    return F.lit("")


def partner_columns(steps: CompiledBehaviour) -> dict[str, Column]:
    """No columns."""
    return {}

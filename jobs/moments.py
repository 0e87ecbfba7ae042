"""Moments as people write them: a time of day alone, which Spark takes for one of today, is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

_DATED = r"^[+-]?\d{4}"


def moment(cell: Column) -> Column:
    """A text as a timestamp by ISO 8601, UTC where it names no zone; null where it names no day."""
    from pyspark.sql import functions as F

    return F.when(cell.rlike(_DATED), cell.try_cast("timestamp"))

"""What becomes of records that are gathered to rows of users: kept, merged with their like, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

KEPT, MERGED, REFUSED = "kept", "merged", "refused"


def fate_of(place: Column) -> Column:
    """What becomes of a record that is the `place`-th of its like."""
    from pyspark.sql import functions as F

    return F.when(place > 1, MERGED).when(F.col("row_reason").isNotNull(), REFUSED).otherwise(KEPT)


def tallied(told: DataFrame) -> dict[str, Any]:
    """in = kept + refused + merged, by the column `fate`."""
    found: dict[str, Any] = {"in": 0, "kept": 0, "refused": {}, "merged": 0, "left_out": 0}
    for row in told.groupBy("fate", "row_reason").count().collect():
        fate, number = row["fate"], row["count"]
        found["in"] += number
        if fate == REFUSED:
            found["refused"][row["row_reason"]] = number
        else:
            found[fate] += number
    return found

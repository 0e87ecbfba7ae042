"""A table whose columns got other types: a recipe that is edited may read `age` as a number where it was a category.

A MERGE would press the new values into the old types. So such a table is written anew, in one commit as always; older
versions stay readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def is_retyped(there: DataFrame, rows: DataFrame) -> bool:
    """Whether any column of both has another type in the rows than in the table."""
    known = {field.name: field.dataType.simpleString() for field in there.schema}
    wanted = {field.name: field.dataType.simpleString() for field in rows.schema}
    return any(known.get(name, kind) != kind for name, kind in wanted.items())


def replacement(there: DataFrame, rows: DataFrame, partition: str | None, only: str | None) -> DataFrame:
    """All rows that the table is to hold: `rows`, and those of its other parts in the new types, what does not fit
    null.
    """
    from pyspark.sql import functions as F

    if partition is None or only is None:
        return rows
    kept = there.where(~F.col(partition).eqNullSafe(F.lit(only)))
    known = {field.name: field.dataType for field in there.schema}
    columns = []
    for field in rows.schema:
        if field.name not in known:
            columns.append(F.lit(None).cast(field.dataType).alias(field.name))
        elif known[field.name] == field.dataType:
            columns.append(F.col(field.name))
        else:
            columns.append(F.col(field.name).try_cast(field.dataType).alias(field.name))
    return rows.unionByName(kept.select(*columns))

"""Rules on rows of tables, as `clean.rules` names them: each says where a row breaks it, as a column.

A rule is `f(asked, *, options) -> Found`. Null cells break no rule but `required`: what must not be missing says so.
Options that all rules share are `severity` (warn, quarantine, fail), `max_share` (with fail) and `reason` (a word of
one's own for the report).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conf import Config
from jobs.tabular.columns import cell, outside
from jobs.tabular.expressions import expression

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = [
    "date_range", "dependency", "length", "one_of", "range", "reference", "regex", "relation", "required", "unique",
]  # fmt: skip

WHOLE = ("dependency", "reference", "unique")  # rules that must see other rows


@dataclass(frozen=True)
class Asked:
    """What a rule is asked about: rows with typed columns, the recipe, and the rule's place among the rules."""

    rows: DataFrame
    config: Config
    place: int


@dataclass(frozen=True)
class Found:
    """The rows, with columns that the rule added; where they break it; what tells of one; its reason."""

    rows: DataFrame
    broken: Column
    detail: Column
    reason: str


def required(asked: Asked, *, columns: list[str]) -> Found:
    """`value_missing` where one of `columns` is missing."""
    from pyspark.sql import functions as F

    broken, names = F.lit(False), F.array(*[F.when(F.col(name).isNull(), F.lit(name)) for name in columns])
    for name in columns:
        broken = broken | F.col(name).isNull()
    detail = F.concat(F.array_join(F.array_compact(names), ", "), F.lit(" missing"))
    return Found(asked.rows, broken, detail, "value_missing")


def range(asked: Asked, *, column: str, low: float | str | None = None, high: float | str | None = None) -> Found:
    """`out_of_range` where a value lies below `low` or above `high`."""
    kind = asked.config.recipe.columns[column].type
    return Found(asked.rows, outside(column, kind, low, high), cell(column), "out_of_range")


def date_range(asked: Asked, *, column: str, low: str | None = None, high: str | None = None) -> Found:
    """`out_of_range` where a date lies before `low` or after `high` (2020-01-31)."""
    kind = asked.config.recipe.columns[column].type
    return Found(asked.rows, outside(column, kind, low, high), cell(column), "out_of_range")


def one_of(asked: Asked, *, column: str, values: list[str]) -> Found:
    """`not_among_values` where a value is none of `values`."""
    from pyspark.sql import functions as F

    return Found(asked.rows, ~F.col(column).cast("string").isin(list(values)), cell(column), "not_among_values")


def regex(asked: Asked, *, column: str, pattern: str) -> Found:
    """`pattern_mismatch` where a value does not fit the whole regular expression (Java's)."""
    from pyspark.sql import functions as F

    return Found(asked.rows, ~F.col(column).cast("string").rlike(f"^(?:{pattern})$"), cell(column), "pattern_mismatch")


def length(asked: Asked, *, column: str, low: int = 0, high: int | None = None) -> Found:
    """`wrong_length` where a text has fewer than `low` or more than `high` characters."""
    from pyspark.sql import functions as F

    size = F.length(F.col(column).cast("string"))
    broken = size < low if high is None else (size < low) | (size > high)
    return Found(asked.rows, broken, cell(column), "wrong_length")


def relation(asked: Asked, *, expression: str) -> Found:
    """`relation_broken` where an SQL expression over the columns is false, such as `start <= end`."""
    from pyspark.sql import functions as F

    return Found(asked.rows, ~_expression(asked, expression), F.lit(f"not {expression}"), "relation_broken")


def _expression(asked: Asked, text: str) -> Column:
    return expression(asked.rows.sparkSession, text, list(asked.config.recipe.columns), f"clean.rules[{asked.place}]")


def unique(asked: Asked, *, columns: list[str]) -> Found:
    """`not_unique` where an earlier row (given test and val rows first, then by id) has the same `columns`."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    mark = f"row_rule_{asked.place}"
    keyed = asked.rows.dropna(subset=columns)
    given = F.coalesce(F.col("row_split").isin("test", "val"), F.lit(False))
    first = Window.partitionBy(*columns).orderBy(F.when(given, 0).otherwise(1), "row_id")
    later = keyed.select("row_id", "row_split", *columns).withColumn("row_place", F.row_number().over(first))
    marked = asked.rows.join(later.where("row_place > 1").select("row_id", F.lit(True).alias(mark)), "row_id", "left")
    told = F.concat_ws(", ", *[cell(name) for name in columns])
    return Found(marked, F.coalesce(F.col(mark), F.lit(False)), told, "not_unique")


def dependency(asked: Asked, *, columns: list[str]) -> Found:
    """`dependency_broken` where the first column's value comes with others than it mostly does in the other columns."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    key, rest, mark = columns[0], columns[1:], f"row_rule_{asked.place}"
    values = F.struct(*[F.col(name) for name in rest])
    counted = asked.rows.dropna(subset=[key]).groupBy(F.col(key).alias(f"{mark}_key"), values.alias(mark)).count()
    best = Window.partitionBy(f"{mark}_key").orderBy(F.desc("count"), mark)
    usual = counted.withColumn("place", F.row_number().over(best)).where("place = 1").drop("place", "count")
    marked = asked.rows.join(usual, F.col(key) == F.col(f"{mark}_key"), "left").drop(f"{mark}_key")
    broken = F.col(mark).isNotNull() & ~values.eqNullSafe(F.col(mark))
    told = F.concat_ws(", ", *[cell(name) for name in columns])
    return Found(marked, broken, told, "dependency_broken")


def reference(asked: Asked, *, column: str, path: str, of: str | None = None) -> Found:
    """`reference_missing` where a value does not stand in the column `of` (else of the same name) of the file or table
    at `path` (CSV with a header, Parquet, or a Delta table's folder), below the recipe's data.
    """
    from pyspark.sql import functions as F

    from jobs.tabular.references import values_at

    mark = f"row_rule_{asked.place}"
    there = values_at(asked.rows.sparkSession, asked.config, path, of or column)
    known = there.select(F.col("value").alias(f"{mark}_value"), F.lit(True).alias(mark))
    marked = asked.rows.join(known, F.col(column).cast("string") == F.col(f"{mark}_value"), "left")
    broken = F.col(column).isNotNull() & F.col(mark).isNull()
    return Found(marked.drop(f"{mark}_value"), broken, cell(column), "reference_missing")

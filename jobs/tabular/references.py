"""The values that another table holds, for the rule `reference`: a CSV with a header, Parquet, or a Delta table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf import Config, runs
from conf.errors import RecipeError
from jobs.tabular.parse import BLANKS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def values_at(spark: SparkSession, config: Config, path: str, column: str) -> DataFrame:
    """(value): the distinct values of a column as text. Raises RecipeError where there is no such column or table."""
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as F

    place = runs.below(config.recipe.data, path)
    lower = place.lower()
    try:
        if lower.endswith((".csv", ".csv.gz")):
            table = spark.read.csv(place, header=True, inferSchema=False)
        elif lower.endswith(".parquet"):
            table = spark.read.parquet(place)
        else:
            table = spark.read.format("delta").load(place)
    except PySparkException as error:
        said = str(error).splitlines()[0][:300]
        raise RecipeError(f"{config.origin}, clean.rules: the reference {place} cannot be read: {said}") from error
    if column not in table.columns:
        raise RecipeError(
            f"{config.origin}, clean.rules: the reference {place} has no column {column}; it has"
            f" {', '.join(table.columns)}. of: names its column."
        )
    value = F.btrim(F.col(f"`{column}`").cast("string"), F.lit(BLANKS))
    return table.select(value.alias("value")).where("value is not null").distinct()

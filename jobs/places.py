"""Where tables lie, what SQL calls them, and reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf import Config
from conf.errors import StageError
from jobs.deltalog import check_log, has_log

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def table(config: Config, name: str) -> str:
    """A table's path or URI, or its catalog.schema.recipe_name."""
    if is_path(config):
        return f"{config.tables.rstrip('/')}/{config.recipe.name}/{name}"
    return f"{config.tables}.{config.recipe.name.replace('-', '_')}_{name}"


def is_path(config: Config) -> bool:
    """Whether tables are paths, not names in a metastore."""
    return "/" in config.tables


def quoted(config: Config, name: str) -> str:
    """The table as SQL names it."""
    place = table(config, name)
    if is_path(config):
        return f"delta.{tick(place)}"
    return ".".join(tick(part) for part in place.split("."))


def tick(name: str) -> str:
    """A name as an SQL identifier."""
    return f"`{name.replace('`', '``')}`"


def literal(value: str) -> str:
    """A value as an SQL string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def exists(spark: SparkSession, config: Config, name: str) -> bool:
    """Whether the table is there."""
    place = table(config, name)
    return has_log(place) if is_path(config) else bool(spark.catalog.tableExists(place))


def read(spark: SparkSession, config: Config, name: str, version: int | None = None) -> DataFrame:
    """The table's rows at its newest or the given version. Raises StageError where it is missing or its log is
    damaged.
    """
    place = table(config, name)
    if not exists(spark, config, name):
        raise StageError(f"There is no table {place} yet: run the stage that makes it first.")
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    if not is_path(config):
        return reader.table(place)
    check_log(place)
    return reader.load(place)

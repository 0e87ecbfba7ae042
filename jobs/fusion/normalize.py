"""Normalize, the part of fusion: each payload's statistics, as its own modality measures them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conf import Config
from conf.runs import Place
from conf.schema.fusion import as_table
from jobs.images import normalize as images
from jobs.series import normalize as series
from jobs.tabular import normalize as tables
from jobs.texts import normalize as texts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def measured(config: Config, train: DataFrame) -> tuple[int, dict[str, Any]]:
    """How many rows were measured; statistics of columns as those of tables, the other payloads' beside them."""
    recipe, rows, told = config.recipe, 0, dict[str, Any]()
    if recipe.columns:
        rows, told = tables.measured(replace(config, recipe=as_table(recipe)), train)
    for name, way in (("image", images), ("text", texts), ("series", series)):
        if getattr(recipe, name) is not None:
            rows, told[name] = way.measured(config, train)
    return rows, told


def write(spark: SparkSession, config: Config, place: Place, told: dict[str, Any]) -> dict[str, Any]:
    """Nothing more."""
    return {}

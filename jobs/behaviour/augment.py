"""Augment, the part of behaviour: what a step list is compiled to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from conf import Config, runs
from conf.schema import Recipe
from udfs.behaviour.compiled import CompiledBehaviour, compile_behaviour_steps

if TYPE_CHECKING:
    from pyspark.sql import Column

CALL_ROWS = 1024  # children made by one call of the steps


def check_steps(recipe: Recipe) -> None:
    """Raise StepError for a step that is none, or an option that it does not take."""
    compile_behaviour_steps(recipe.augment.steps if recipe.augment else [])


def compiled(config: Config) -> CompiledBehaviour:
    """The recipe's steps, with what normalize measured of items."""
    augment = config.recipe.augment
    assert augment is not None
    measured = runs.locate(config, "augment").inputs["normalize"]
    told = runs.read_json(measured.folder, "statistics.json") or {}
    return compile_behaviour_steps(augment.steps, told.get("near", {}))


def call_rows(steps: CompiledBehaviour) -> int:
    """Children that one call of the steps makes at most."""
    return CALL_ROWS


def label_name(steps: CompiledBehaviour) -> str:
    """A column that is there; copies are one number for all rows."""
    return "user"


def label_of(steps: CompiledBehaviour) -> Column:
    """All rows are of one class."""
    from pyspark.sql import functions as F

    return F.lit("")


def partner_types(steps: CompiledBehaviour) -> dict[str, pa.DataType]:
    """No columns: sequences are not mixed."""
    return {}


def partner_columns(steps: CompiledBehaviour) -> dict[str, Column]:
    """No columns."""
    return {}

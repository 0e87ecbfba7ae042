"""Augment, the part of fusion: steps of every payload in one list, each touching its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from conf import Config, runs
from conf.schema import Recipe
from udfs.fusion.compiled import CompiledFusion, FusionForm, compile_fusion_steps
from udfs.image.form import Form
from udfs.table.form import TableForm
from udfs.table.statistics import Statistics

if TYPE_CHECKING:
    from pyspark.sql import Column

CALL_ROWS = 2048  # children made by one call of the steps
CALL_BYTES = 64 << 20  # of their parents' decoded pixels


def form_of(recipe: Recipe, statistics: Statistics | None = None) -> FusionForm:
    """What rows hold; vocabularies of columns are those of the statistics."""
    series = recipe.series
    told = statistics.as_dict()["columns"] if statistics else None
    return FusionForm(
        Form.of(recipe.image) if recipe.image else None,
        recipe.text is not None,
        (series.length, len(series.channels)) if series else None,
        TableForm.of(recipe, told) if recipe.columns else None,
        tuple(recipe.columns),
    )


def check_steps(recipe: Recipe) -> None:
    """Raise StepError for a step that is none, for another payload, or an option that it does not take."""
    compile_fusion_steps(recipe.augment.steps if recipe.augment else [], form_of(recipe))


def compiled(config: Config) -> CompiledFusion:
    """The recipe's steps, with what normalize measured of the columns."""
    augment = config.recipe.augment
    assert augment is not None
    if not config.recipe.columns:
        return compile_fusion_steps(augment.steps, form_of(config.recipe))
    measured = runs.locate(config, "augment").inputs["normalize"]
    known = Statistics.from_dict(runs.read_json(measured.folder, "statistics.json") or {"columns": {}})
    return compile_fusion_steps(augment.steps, form_of(config.recipe, known), known)


def call_rows(steps: CompiledFusion) -> int:
    """Children that one call of the steps makes at most."""
    image = steps.form.image
    return max(1, min(CALL_ROWS, CALL_BYTES // image.bytes_per_image)) if image else CALL_ROWS


def label_name(steps: CompiledFusion) -> str:
    """The column by whose values copies are counted."""
    return "label"


def label_of(steps: CompiledFusion) -> Column:
    """The label by which partners are of one class."""
    from pyspark.sql import functions as F

    return F.col("label")


def partner_types(steps: CompiledFusion) -> dict[str, pa.DataType]:
    """Nothing: a step that mixed one payload of two rows would part it from the others, and is refused."""
    return {}


def partner_columns(steps: CompiledFusion) -> dict[str, Column]:
    """Nothing."""
    return {}

"""Augment, the part of texts: what a step list is compiled to, and what partners hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from conf import Config
from conf.schema import Recipe
from udfs.text.compiled import PARTNER_COLUMNS, CompiledText, compile_text_steps

if TYPE_CHECKING:
    from pyspark.sql import Column

CALL_ROWS = 4096  # children made by one call of the steps


def check_steps(recipe: Recipe) -> None:
    """Raise StepError for a step that is none, or an option that it does not take."""
    compile_text_steps(recipe.augment.steps if recipe.augment else [])


def compiled(config: Config) -> CompiledText:
    """The recipe's steps."""
    augment = config.recipe.augment
    assert augment is not None
    return compile_text_steps(augment.steps)


def call_rows(steps: CompiledText) -> int:
    """Children that one call of the steps makes at most."""
    return CALL_ROWS


def label_name(steps: CompiledText) -> str:
    """The column by whose values copies are counted."""
    return "label"


def label_of(steps: CompiledText) -> Column:
    """The label by which partners are of one class."""
    from pyspark.sql import functions as F

    return F.col("label")


def partner_types(steps: CompiledText) -> dict[str, pa.DataType]:
    """The columns that a partner hands over: its text, its label, its id."""
    return dict.fromkeys(PARTNER_COLUMNS, pa.string())


def partner_columns(steps: CompiledText) -> dict[str, Column]:
    """The same, as columns of the partner's row."""
    from pyspark.sql import functions as F

    return {"partner_text": F.col("text"), "partner_label": F.col("label"), "partner_id": F.col("row_id")}

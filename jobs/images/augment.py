"""Augment, the part of images: what a step list is compiled to, and what partners are chosen by and hand over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import pyarrow as pa

from conf import Config
from conf.schema import Recipe
from udfs.image import decode
from udfs.steps import PARTNER_COLUMNS, Compiled, compile_steps

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

VIEW_PX = 12
CALL_ROWS = 2048  # children made by one call of the steps
CALL_BYTES = 64 << 20  # of their parents' decoded pixels
_VIEWS = pa.schema([pa.field("row_id", pa.string()), pa.field("label", pa.string()), pa.field("view", pa.binary())])


def check_steps(recipe: Recipe) -> None:
    """Raise StepError for a step that is none, or an option that it does not take."""
    compile_steps(recipe.augment.steps if recipe.augment else [], form=recipe.image)


def compiled(config: Config) -> Compiled:
    """The recipe's steps."""
    augment = config.recipe.augment
    assert augment is not None
    return compile_steps(augment.steps, form=config.recipe.image)


def call_rows(steps: Compiled) -> int:
    """Children that one call of the steps makes at most."""
    return min(CALL_ROWS, CALL_BYTES // steps.form.bytes_per_image)


def label_name(steps: Compiled) -> str:
    """The column by whose values copies are counted."""
    return "label"


def label_of(steps: Compiled) -> Column:
    """The label by which partners are of one class."""
    from pyspark.sql import functions as F

    return F.col("label")


def partner_types(steps: Compiled) -> dict[str, pa.DataType]:
    """The columns that a partner hands over, beside its id."""
    return dict(zip(PARTNER_COLUMNS, (pa.binary(), pa.string(), pa.string()), strict=True))


def partner_columns(steps: Compiled) -> dict[str, Column]:
    """The same, as columns of the partner's row."""
    from pyspark.sql import functions as F

    return {"partner_image": F.col("image"), "partner_label": F.col("label"), "partner_id": F.col("row_id")}


def views(parents: DataFrame, steps: Compiled) -> DataFrame:
    """row_id, label, and a small view as bytes, by whose distance rows are near each other."""
    from jobs.spark import map_rows

    return map_rows(parents.select("row_id", "label", "image"), small_views(steps), _VIEWS)


def small_views(steps: Compiled) -> Callable[[pa.RecordBatch], pa.Table]:
    """A function from rows to their small views."""
    form = steps.form

    def small(batch: pa.RecordBatch) -> pa.Table:
        images, _ = decode(batch.column("image").to_pylist(), form.height, form.width, form.channels)
        size = (min(VIEW_PX, form.width), min(VIEW_PX, form.height))
        seen = [cv2.resize(image, size, interpolation=cv2.INTER_AREA).tobytes() for image in images]
        return pa.table([batch.column("row_id"), batch.column("label"), pa.array(seen, pa.binary())], schema=_VIEWS)

    return small

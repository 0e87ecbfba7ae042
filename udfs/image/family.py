"""Children of images: the steps of a recipe compiled, how many are made by one call, what partners hand over, and the
small views by whose distance rows are near each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import pyarrow as pa

from udfs.image import decode
from udfs.steps import PARTNER_COLUMNS, Compiled, compile_steps

VIEW_PX = 12
CALL_ROWS = 2048  # children made by one call of the steps
CALL_BYTES = 64 << 20  # of their parents' decoded pixels
VIEWS = pa.schema([pa.field("row_id", pa.string()), pa.field("label", pa.string()), pa.field("view", pa.binary())])


def compiled(recipe: Any, steps: Any, measured: Mapping[str, Any] | None = None) -> Compiled:
    """The steps; StepError for one that is none, or an option that it does not take."""
    return compile_steps(steps, form=recipe.image)


def call_rows(steps: Compiled) -> int:
    """Children that one call of the steps makes at most."""
    return max(1, min(CALL_ROWS, CALL_BYTES // steps.form.bytes_per_image))


def label_name(steps: Compiled) -> str:
    """The column by whose values copies are counted."""
    return "label"


def labels(rows: pa.Table, steps: Compiled) -> pa.ChunkedArray:
    """The labels by which partners are of one class."""
    return rows.column("label")


def partner_types(steps: Compiled) -> dict[str, pa.DataType]:
    """The columns that a partner hands over: its image, its label, its id."""
    return dict(zip(PARTNER_COLUMNS, (pa.binary(), pa.string(), pa.string()), strict=True))


def handed(rows: pa.Table, steps: Compiled) -> dict[str, list[Any]]:
    """The same, of rows that are partners."""
    given = (rows.column(name).to_pylist() for name in ("image", "label", "row_id"))
    return dict(zip(PARTNER_COLUMNS, given, strict=True))


def views(rows: pa.Table, steps: Compiled) -> pa.Table:
    """row_id, label, and a small view as bytes."""
    small = small_views(steps)
    return pa.concat_tables([VIEWS.empty_table(), *map(small, rows.select(["row_id", "label", "image"]).to_batches())])


def small_views(steps: Compiled) -> Callable[[pa.RecordBatch], pa.Table]:
    """A function from rows to their small views."""
    form = steps.form

    def small(batch: pa.RecordBatch) -> pa.Table:
        images, _ = decode(batch.column("image").to_pylist(), form.height, form.width, form.channels)
        size = (min(VIEW_PX, form.width), min(VIEW_PX, form.height))
        seen = [cv2.resize(image, size, interpolation=cv2.INTER_AREA).tobytes() for image in images]
        return pa.table([batch.column("row_id"), batch.column("label"), pa.array(seen, pa.binary())], schema=VIEWS)

    return small

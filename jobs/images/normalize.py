"""Normalize, the part of images: statistics of every channel, exact under any partitioning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf import Config
from conf.runs import Place
from conf.schema import ImageForm
from udfs import image as image_steps
from udfs.image import statistics

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BATCH_BYTES = 64 << 20  # of decoded pixels
COLUMNS = ("row_id", "image")
_MEASURED = pa.schema([pa.field("measured", pa.string()), pa.field("rows", pa.int64())])


def measured(config: Config, train: DataFrame) -> tuple[int, dict[str, Any]]:
    """How many rows were measured, and their statistics."""
    from jobs.spark import map_rows

    form = config.recipe.image
    batch_rows = max(1, BATCH_BYTES // (form.height * form.width * form.channels))
    parts = map_rows(train.select(*COLUMNS), Measuring(form), _MEASURED, batch_rows).collect()
    rows = sum(part["rows"] for part in parts)
    if not rows:
        return 0, {}
    whole = statistics.merge([statistics.Statistics.from_dict(json.loads(part["measured"])) for part in parts])
    return rows, {"method": config.recipe.normalize.method, **whole.as_dict()}


def write(spark: SparkSession, config: Config, place: Place, told: dict[str, Any]) -> dict[str, Any]:
    """Nothing more: images are scaled by their range alone."""
    return {}


@dataclass(frozen=True)
class Measuring:
    """Rows to one row of statistics a batch."""

    form: ImageForm

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure the images of a batch of clean rows, all of which can be decoded."""
        form = self.form
        images, reasons = image_steps.decode(
            batch.column("image").to_pylist(), form.height, form.width, form.channels, form.resize
        )
        bad = [row for row, reason in zip(batch.column("row_id").to_pylist(), reasons, strict=True) if reason]
        if bad:
            raise ValueError(f"clean rows cannot be decoded, the first is {bad[0]}: run `seedbed clean --force`")
        measured = statistics.measure(np.asarray(images))
        return pa.RecordBatch.from_pydict(
            {"measured": [json.dumps(measured.as_dict())], "rows": [batch.num_rows]}, schema=_MEASURED
        )

"""Normalize: per-channel statistics of the train rows, exact under any partitioning, as `statistics.json`.

Train rows alone are measured, so nothing of val or test leaks into what encodes them. Parts are measured where the rows
lie and merged on the driver: a few whole numbers per batch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import StageResult
from conf.schema import ImageForm
from udfs import image as image_steps
from udfs.image import statistics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STAGE = "normalize"
FILE_NAME = "statistics.json"
BATCH_BYTES = 64 << 20  # of decoded pixels
_MEASURED = pa.schema([pa.field("measured", pa.string()), pa.field("rows", pa.int64())])


def run(spark: SparkSession, config: Config) -> StageResult:
    """Measure the train rows."""
    from jobs.spark import map_rows

    place = runs.locate(config, STAGE)
    form = config.recipe.image
    batch_rows = max(1, BATCH_BYTES // (form.height * form.width * form.channels))
    train = spark.read.parquet(f"{runs.real_in(place).folder}/rows/row_split=train").select("row_id", "image")
    with progress(STAGE, None, "rows") as bar:
        parts = map_rows(train, Measuring(form), _MEASURED, batch_rows).collect()
        rows = sum(part["rows"] for part in parts)
        bar.advance(rows)
    if not rows:
        raise StageError(f"{config.origin} leaves no train rows to measure: see split and the quarantine.")
    whole = statistics.merge([statistics.Statistics.from_dict(json.loads(part["measured"])) for part in parts])
    told = {"method": config.recipe.normalize.method, "rows": rows, **whole.as_dict()}
    runs.write_json(place.folder, FILE_NAME, told)
    return StageResult({"rows": rows}, {"statistics": runs.digest_of(told)})


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

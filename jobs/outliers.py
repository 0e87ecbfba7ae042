"""Outliers: rows far from their class, by the robust z-score of their distance from it, measured on train rows.

The measures are those of `udfs/image/features.py`. They are taken on the train rows of lowest hash, at most
MAX_MEASURED of them, so that what the driver holds is bounded and the same however rows are partitioned; then every
row is scored where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.decoding import unpacked
from jobs.duplicates import salted
from udfs.image.features import (
    ClassSums,
    class_distances,
    count_distances,
    features,
    measure_classes,
    robust_z,
    spreads,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_MEASURED = 100_000  # thumbnails of at most 768 bytes
_SCORES = pa.schema([("row_id", pa.string()), ("z", pa.float64())])


@dataclass(frozen=True)
class Usual:
    """What is usual for each class: its sums, and the median and spread of its rows' distances from it."""

    shape: tuple[int, int, int]  # of thumbnails
    classes: dict[str, ClassSums]
    spreads: dict[str, tuple[float, float]]


def measured(train: DataFrame, shape: tuple[int, int, int]) -> Usual:
    """What is usual for the classes of these train rows (row_id, label, thumb)."""
    chosen = train.withColumn("place", salted("outliers", "row_id")).orderBy("place").limit(MAX_MEASURED)
    table: pa.Table = chosen.select("label", "thumb").toArrow()
    labels = table.column("label").to_pylist()
    values = features(unpacked(table.column("thumb"), shape))
    classes = measure_classes(values, labels)
    return Usual(shape, classes, spreads(count_distances(class_distances(values, labels, classes), labels)))


def scores(rows: DataFrame, usual: Usual) -> DataFrame:
    """(row_id, z) of every row. `rows` has row_id, label and thumb."""
    from jobs.spark import map_rows

    return map_rows(rows.select("row_id", "label", "thumb"), _scorer(usual), _SCORES)


def _scorer(usual: Usual) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        labels = batch.column("label").to_pylist()
        values = features(unpacked(batch.column("thumb"), usual.shape))
        far = robust_z(class_distances(values, labels, usual.classes), labels, usual.spreads)
        return pa.record_batch([batch.column("row_id"), pa.array(far)], schema=_SCORES)

    return score

"""Outliers: rows far from their class, measured on train rows.

A row's distance is the root mean square between its thumbnail and its class's mean thumbnail. A class's distances are wide or narrow as
the class is, so a distance is judged by the modified z-score of Iglewicz and Hoaglin (1993): 0.6745 (d - median) / MAD. Sums of pixels are
whole numbers and distances are counted in steps of 1/16 grey level, so that no figure depends on how rows are partitioned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STEPS_PER_LEVEL = 16
MIN_ROWS = 8  # of a class; a spread measured on fewer says little
MIN_SPREAD = 0.5 * STEPS_PER_LEVEL  # a class of copies has no spread; half a grey level stands for it
_TO_SIGMA = 0.6745  # the normal distribution's MAD in standard deviations
_SUMS = pa.schema([("label", pa.string()), ("n", pa.int64()), ("sums", pa.list_(pa.int64()))])
_SCORES = pa.schema([("row_id", pa.string()), ("label", pa.string()), ("distance", pa.int64()), ("z", pa.float64())])


@dataclass(frozen=True)
class Spread:
    """A class's usual distance and its spread, in steps of 1/16 grey level."""

    median: float
    mad: float

    def z(self, distance: float) -> float:
        """How many standard deviations a distance lies above the usual."""
        return _TO_SIGMA * (distance - self.median) / max(self.mad, MIN_SPREAD)


def class_means(train: DataFrame) -> dict[str, NDArray[np.float64]]:
    """Each class's mean thumbnail. `train` has label and thumb."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    parts = map_rows(train.select("label", "thumb"), _summed, _SUMS)
    placed = parts.select("label", "n", F.posexplode("sums").alias("place", "total"))
    added = placed.groupBy("label", "place").agg(F.sum("n").alias("n"), F.sum("total").alias("total"))
    means: dict[str, dict[int, float]] = {}
    for row in added.collect():
        if row["n"] >= MIN_ROWS:
            means.setdefault(row["label"], {})[row["place"]] = row["total"] / row["n"]
    return {label: np.array([of[place] for place in range(len(of))]) for label, of in means.items()}


def _summed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows and pixel sums by class of one batch."""
    labels = np.asarray(batch.column("label").to_pylist())
    thumbs = stacked_thumbs(batch.column("thumb"))
    names = sorted(set(labels.tolist()))
    rows = [labels == name for name in names]
    sums = [thumbs[of].sum(axis=0, dtype=np.int64).tolist() for of in rows]
    return pa.record_batch([pa.array(names), pa.array([int(of.sum()) for of in rows]), pa.array(sums, pa.list_(pa.int64()))], schema=_SUMS)


def stacked_thumbs(column: pa.Array) -> NDArray[np.uint8]:
    """uint8[N, h·w·C] of a column of thumbnails."""
    return np.stack([np.frombuffer(each, np.uint8) for each in column.to_pylist()])


def scored(
    rows: DataFrame, means: Mapping[str, NDArray[np.float64]], spreads: Mapping[str, Spread] | None = None
) -> DataFrame:
    """(row_id, label, distance, z) of the rows whose class has a mean; z is null without spreads. `rows` has row_id, label, thumb."""
    from jobs.spark import map_rows

    return map_rows(rows.select("row_id", "label", "thumb"), _scorer(dict(means), dict(spreads or {})), _SCORES)


def _scorer(means: dict[str, NDArray[np.float64]], spreads: dict[str, Spread]) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        known = batch.filter(pc.is_in(batch.column("label"), pa.array(sorted(means), pa.string())))
        labels = known.column("label").to_pylist()
        thumbs = [np.frombuffer(each, np.uint8) for each in known.column("thumb").to_pylist()]
        found = [distance(thumb, means[label]) for thumb, label in zip(thumbs, labels, strict=True)]
        z = [spreads[label].z(far) if label in spreads else None for far, label in zip(found, labels, strict=True)]
        columns = [known.column("row_id"), known.column("label"), pa.array(found, pa.int64()), pa.array(z, pa.float64())]
        return pa.record_batch(columns, schema=_SCORES)

    return score


def distance(thumb: NDArray[np.uint8], mean: NDArray[np.float64]) -> int:
    """Root mean square difference, in steps of 1/16 grey level."""
    return round(float(np.sqrt(np.mean((thumb - mean) ** 2))) * STEPS_PER_LEVEL)


def spreads(measured: DataFrame) -> dict[str, Spread]:
    """Median and median absolute deviation of each class's distances: from counts by step, at most some thousand a class."""
    counted = measured.groupBy("label", "distance").count().collect()
    by_label: dict[str, dict[int, int]] = {}
    for row in counted:
        by_label.setdefault(row["label"], {})[row["distance"]] = row["count"]
    return {label: spread(of) for label, of in by_label.items()}


def spread(counts: Mapping[int, int]) -> Spread:
    """Median and MAD of values given as value -> how often."""
    values = np.array(sorted(counts), dtype=np.float64)
    often = np.array([counts[int(value)] for value in values])
    median = weighted_median(values, often)
    return Spread(median, weighted_median(np.abs(values - median), often))


def weighted_median(values: NDArray[np.float64], often: NDArray[np.int64]) -> float:
    """The lower median of values that occur `often` times each."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(often[order])
    return float(values[order][np.searchsorted(reached, (reached[-1] + 1) // 2)])

"""Outliers: rows far from their class, by the robust z-score of their distance from it, measured on train rows.

The measures are those of `udfs/image/features.py`, whole numbers throughout; here they are gathered from partitions. What is
gathered is bounded by the classes, not by the rows: sums per feature, then counts per distance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.decoding import unpacked
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

Shape = tuple[int, int, int]
Classes = dict[str, ClassSums]
Spreads = dict[str, tuple[float, float]]
_SUMS = pa.schema(
    [("label", pa.string()), ("count", pa.int64()), ("sums", pa.list_(pa.int64())), ("squares", pa.list_(pa.int64()))]
)
_COUNTS = pa.schema([("label", pa.string()), ("distance", pa.int64()), ("rows", pa.int64())])
_SCORES = pa.schema([("row_id", pa.string()), ("z", pa.float64())])


def class_sums(train: DataFrame, shape: Shape) -> Classes:
    """Sums of each class's features. `train` has label and thumb (of `shape`)."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        found = measure_classes(features(unpacked(batch.column("thumb"), shape)), batch.column("label").to_pylist())
        rows = [{"label": label, "count": of.count, "sums": of.sums, "squares": of.squares} for label, of in found.items()]
        return pa.RecordBatch.from_pylist(rows, schema=_SUMS)

    parts = map_rows(train.select("label", "thumb"), measure, _SUMS)
    placed = parts.select("label", "count", F.posexplode(F.arrays_zip("sums", "squares")).alias("place", "of"))
    added = placed.groupBy("label", "place").agg(
        F.sum("count").alias("count"), F.sum("of.sums").alias("total"), F.sum("of.squares").alias("square")
    )
    return _classes((row["label"], row["place"], row["count"], row["total"], row["square"]) for row in added.collect())


def _classes(rows: Iterable[tuple[str, int, int, int, int]]) -> Classes:
    """(label, place of the feature, rows, sum, sum of squares) as one ClassSums a label."""
    by_label: dict[str, list[tuple[int, int, int, int]]] = {}
    for label, *rest in sorted(rows):
        by_label.setdefault(label, []).append(tuple(rest))
    return {
        label: ClassSums(of[0][1], tuple(total for _, _, total, _ in of), tuple(square for *_, square in of))
        for label, of in by_label.items()
    }


def class_spreads(train: DataFrame, classes: Classes, shape: Shape) -> Spreads:
    """Each class's usual distance and its spread. `train` has label and thumb."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        labels = batch.column("label").to_pylist()
        distances = class_distances(features(unpacked(batch.column("thumb"), shape)), labels, classes)
        counted = count_distances(distances, labels)
        rows = [{"label": label, "distance": d, "rows": n} for label, of in counted.items() for d, n in of.items()]
        return pa.RecordBatch.from_pylist(rows, schema=_COUNTS)

    parts = map_rows(train.select("label", "thumb"), measure, _COUNTS)
    counts: dict[str, Counter[int]] = {}
    for row in parts.groupBy("label", "distance").agg(F.sum("rows").alias("rows")).collect():
        counts.setdefault(row["label"], Counter())[row["distance"]] = row["rows"]
    return spreads(counts)


def scores(rows: DataFrame, classes: Classes, usual: Spreads, shape: Shape) -> DataFrame:
    """(row_id, z) of every row. `rows` has row_id, label and thumb."""
    from jobs.spark import map_rows

    return map_rows(rows.select("row_id", "label", "thumb"), _scorer(classes, usual, shape), _SCORES)


def _scorer(classes: Classes, usual: Spreads, shape: Shape) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        labels = batch.column("label").to_pylist()
        distances = class_distances(features(unpacked(batch.column("thumb"), shape)), labels, classes)
        return pa.record_batch([batch.column("row_id"), pa.array(robust_z(distances, labels, usual))], schema=_SCORES)

    return score

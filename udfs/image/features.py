"""What a picture looks like in a few whole numbers, how far it lies from its class, and how unusual that is.

Three measures, each of whole numbers that merge exactly under any partitioning: sums of the features of a class (for
its mean and deviation), then counts of the distances of its rows (for their median and median absolute deviation),
then the robust z-score of a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs.image.values import Floats, Images, flattened

REVISION = 1
Features = NDArray[np.int64]  # (N, F)
Distances = NDArray[np.int64]  # (N,), thousandths of a deviation
Counts = dict[str, Counter[int]]  # label -> distance -> rows

_SIDE = 8
_PER_LEVEL = 16  # steps of a feature per grey level
_FLOOR_LEVELS = 4.0  # deviations under this count as this: in flat parts of a class every speck would be an outlier
_MAD_TO_STD = 1.4826  # for a normal distribution
_MIN_ROWS = 8  # a class of fewer rows has no usual distance


def block_means(images: Images, most: int) -> NDArray[np.int64]:
    """(N, h, w, C): means over a grid of at most `most` x `most` blocks, in sixteenths of a level, rounded."""
    height, width = images.shape[1:3]
    if max(height, width) <= most:
        return images.astype(np.int64) * _PER_LEVEL
    down, across = (np.arange(min(most, n)) * n // min(most, n) for n in (height, width))
    sums = np.add.reduceat(np.add.reduceat(images.astype(np.int32), down, axis=1), across, axis=2).astype(np.int64)
    area = np.diff(down, append=height)[:, None] * np.diff(across, append=width)[None, :]
    return (_PER_LEVEL * sums + area[:, :, None] // 2) // area[:, :, None]


def features(images: Images) -> Features:
    """int64 (N, at most 64 * C): an 8 x 8 thumbnail in sixteenths of a level."""
    return flattened(block_means(images, _SIDE))


@dataclass(frozen=True)
class ClassSums:
    """Of one class: rows counted, sums and sums of squares of each feature."""

    count: int
    sums: tuple[int, ...]
    squares: tuple[int, ...]

    def join(self, other: ClassSums) -> ClassSums:
        """Of both."""
        return ClassSums(
            self.count + other.count,
            tuple(map(int.__add__, self.sums, other.sums)),
            tuple(map(int.__add__, self.squares, other.squares)),
        )


def measure_classes(values: Features, labels: Sequence[str]) -> dict[str, ClassSums]:
    """Sums of the features by label."""
    names = np.asarray(labels, object)
    out = {}
    for label in sorted(set(labels)):
        mine = values[names == label]
        sums, squares = mine.sum(axis=0).tolist(), (mine**2).sum(axis=0).tolist()
        out[label] = ClassSums(len(mine), tuple(sums), tuple(squares))
    return out


def merge_classes(parts: Iterable[Mapping[str, ClassSums]]) -> dict[str, ClassSums]:
    """Sums of all parts; any order, any grouping."""
    out: dict[str, ClassSums] = {}
    for part in parts:
        for label, sums in part.items():
            out[label] = out[label].join(sums) if label in out else sums
    return out


def class_distances(values: Features, labels: Sequence[str], classes: Mapping[str, ClassSums]) -> Distances:
    """How far each row lies from its class's mean: root mean square over the features, in 1/1000 deviations.

    0 where the class was not measured, or on fewer than 8 rows.
    """
    names = np.asarray(labels, object)
    out = np.zeros(len(values), np.int64)
    for label in set(labels):
        known = classes.get(label)
        if known is None or known.count < _MIN_ROWS:
            continue
        mean = np.array(known.sums, np.float64) / known.count
        variance = np.array(known.squares, np.float64) / known.count - mean**2
        std = np.maximum(np.sqrt(np.maximum(variance, 0)), _FLOOR_LEVELS * _PER_LEVEL)
        mine = names == label
        out[mine] = np.rint(1000 * np.sqrt((((values[mine] - mean) / std) ** 2).mean(axis=1)))
    return out


def count_distances(distances: Distances, labels: Sequence[str]) -> Counts:
    """How many rows of each label lie how far away."""
    out: Counts = {}
    for label, distance in zip(labels, distances.tolist(), strict=True):
        out.setdefault(label, Counter())[distance] += 1
    return out


def merge_counts(parts: Iterable[Counts]) -> Counts:
    """Counts of all parts; any order, any grouping."""
    out: Counts = {}
    for part in parts:
        for label, counts in part.items():
            out.setdefault(label, Counter()).update(counts)
    return out


def median(counts: Mapping[Any, int]) -> float:
    """The median of counted values (the mean of the middle two)."""
    values = sorted(counts)
    reached = np.cumsum([counts[value] for value in values])
    total = int(reached[-1])
    low, high = (values[int(np.searchsorted(reached, rank, side="right"))] for rank in ((total - 1) // 2, total // 2))
    return (low + high) / 2


def spreads(counts: Counts) -> dict[str, tuple[float, float]]:
    """Of each label: the median of the distances, and their median absolute deviation from it."""
    out = {}
    for label, mine in counts.items():
        middle = median(mine)
        away: Counter[float] = Counter()
        for value, rows in mine.items():
            away[abs(value - middle)] += rows
        out[label] = middle, median(away)
    return out


def robust_z(distances: Distances, labels: Sequence[str], usual: Mapping[str, tuple[float, float]]) -> Floats:
    """By how many robust deviations each row is farther away than is usual for its label; 0 where that is not known."""
    out = np.zeros(len(distances))
    for row, (label, distance) in enumerate(zip(labels, distances.tolist(), strict=True)):
        if label in usual:
            middle, deviation = usual[label]
            out[row] = (distance - middle) / max(_MAD_TO_STD * deviation, 0.01 * middle, 1.0)
    return out

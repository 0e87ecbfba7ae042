"""How like the real rows made rows are: measures of one set of feature vectors against another.

Features are float[N, F], from one net for all sets that are compared. Fréchet distance needs sums only, which merge
across workers; the others look at pairs, block by block, so memory stays flat; their cost is N times M, so callers
bound both. Lower is better for `frechet` and `kernel`, 1 is best for `precision`, `recall` and `coverage`; `density`
may exceed 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating]
Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]

NEIGHBOURS = 5  # k of precision, recall, density, coverage (Naeem et al. 2020)
BLOCK = 1000  # rows whose distances are held at a time


@dataclass(frozen=True)
class Moments:
    """Sums of a set of vectors: what mean and covariance need."""

    count: int
    total: Numbers  # (F,)
    outer: Numbers  # (F, F), sum of x x^T

    @property
    def mean(self) -> Numbers:
        """(F,)."""
        return self.total / max(self.count, 1)

    @property
    def covariance(self) -> Numbers:
        """(F, F), divided by count - 1."""
        mean = self.mean
        return (self.outer - self.count * np.outer(mean, mean)) / max(self.count - 1, 1)


def moments(vectors: Vectors) -> Moments:
    """Sums of a part of the rows."""
    values = np.asarray(vectors, np.float64)
    return Moments(len(values), values.sum(0), values.T @ values)


def merge(first: Moments, second: Moments) -> Moments:
    """Sums of both parts."""
    return Moments(first.count + second.count, first.total + second.total, first.outer + second.outer)


def frechet(first: Moments, second: Moments) -> float:
    """Squared Fréchet distance of the normals with these moments (Heusel et al. 2017, eq. 6)."""
    root = _root(first.covariance)
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second.covariance @ root), 0)).sum()
    apart = ((first.mean - second.mean) ** 2).sum()
    return float(max(apart + np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared, 0.0))


def _root(matrix: Numbers) -> Numbers:
    """Square root of a symmetric matrix; negative eigenvalues are rounding."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def kernel_distance(first: Vectors, second: Vectors) -> float:
    """Unbiased squared MMD under the kernel (x·y / F + 1)^3 (Bińkowski et al. 2018); can be below 0."""
    within = _mean_kernel(first, first, diagonal=False) + _mean_kernel(second, second, diagonal=False)
    return float(within - 2 * _mean_kernel(first, second, diagonal=True))


def _mean_kernel(first: Vectors, second: Vectors, diagonal: bool) -> float:
    """Mean of the kernel over all pairs, without those of a row with itself unless `diagonal`."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    total = sum(float((((first[at] @ second.T) / first.shape[1] + 1) ** 3).sum()) for at in _blocks(len(first)))
    if diagonal:
        return total / (len(first) * len(second))
    own = float((((first**2).sum(1) / first.shape[1] + 1) ** 3).sum())
    return (total - own) / (len(first) * (len(first) - 1))


def precision_recall(real: Vectors, made: Vectors, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Share of made rows within a real row's neighbourhood, and of real rows within a made row's (Kynkäänniemi et al.
    2019).
    """
    return _within(made, real, radii(real, neighbours)), _within(real, made, radii(made, neighbours))


def density_coverage(real: Vectors, made: Vectors, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """How densely made rows lie in real neighbourhoods, and the share of those that hold one (Naeem et al. 2020, eq.
    4-5).
    """
    reach = radii(real, neighbours) ** 2
    holds, inside = np.zeros(len(real), bool), 0
    for at in _blocks(len(made)):
        close = square_distances(made[at], real) <= reach
        inside += int(close.sum())
        holds |= close.any(0)
    return inside / (min(neighbours, len(real) - 1) * len(made)), float(holds.mean())


def radii(vectors: Vectors, neighbours: int = NEIGHBOURS) -> Numbers:
    """float64[N]: each row's distance to its k-th nearest other row (the farthest, where there are fewer)."""
    if len(vectors) < 2:
        raise ValueError(f"neighbourhoods need at least two rows, not {len(vectors)}")
    place = min(neighbours, len(vectors) - 1)  # place 0 is the row itself
    parts = [
        np.partition(square_distances(vectors[at], vectors), place, axis=1)[:, place] for at in _blocks(len(vectors))
    ]
    return np.sqrt(np.concatenate(parts))


def _within(asked: Vectors, centres: Vectors, reach: Numbers) -> float:
    """Share of `asked` that lies within `reach` of at least one of `centres`."""
    hits = sum(int((square_distances(asked[at], centres) <= reach**2).any(1).sum()) for at in _blocks(len(asked)))
    return hits / len(asked)


def spread_ratio(real: Vectors, real_labels: Codes, made: Vectors, made_labels: Codes) -> float:
    """Mean distance of two rows of one label, made over real, averaged over labels: well below 1 where a generator
    collapsed.
    """
    ratios = []
    for label in np.intersect1d(real_labels, made_labels):
        ours, theirs = real[real_labels == label], made[made_labels == label]
        if len(ours) > 1 and len(theirs) > 1 and (spread := _mean_distance(ours)) > 0:
            ratios.append(_mean_distance(theirs) / spread)
    return float(np.mean(ratios)) if ratios else 1.0


def _mean_distance(vectors: Vectors) -> float:
    """Mean distance of two different rows."""
    total = sum(float(np.sqrt(square_distances(vectors[at], vectors)).sum()) for at in _blocks(len(vectors)))
    return total / (len(vectors) * (len(vectors) - 1))


def square_distances(first: Vectors, second: Vectors) -> Numbers:
    """float64[N, M]: squared Euclidean distances; those of equal rows come out as zero but for rounding."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return np.maximum((first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T, 0)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(at, at + BLOCK) for at in range(0, count, BLOCK))

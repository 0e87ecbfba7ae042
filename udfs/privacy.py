"""What made rows give away: how near they come to the rows that a generator was trained on.

A made row is a copy where it lies far nearer to a train row than held-out rows do: those are as near as rows of the
same kind come by themselves. Distances are Euclidean in grey levels per value (root mean square, 0-255), so one
threshold reads alike at any size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]

HELD_OUT_QUANTILE = 0.01  # as near as the nearest hundredth of held-out rows come
COPY_SHARE = 0.5  # and nearer than half of that is no coincidence
SKETCH_SIDE = 8  # blocks per side of the coarse images that find the candidates
CANDIDATES = 16  # checked value by value
BLOCK = 500  # rows whose distances are held at a time
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def nearest(asked: Images, among: Images) -> tuple[Numbers, Codes]:
    """(distance, place) of each asked image's nearest one; the distance is exact, of the candidates that coarse
    images find.

    A block mean is an orthogonal projection, so coarse distances never exceed true ones: a row that is near looks
    near. Where many rows are about equally far, one of them that is a per cent farther than the nearest may be named.
    Images of at most SKETCH_SIDE pixels a side are compared whole, and exactly.
    """
    if not len(among):
        raise ValueError("nearest needs at least one row to compare with")
    distances, places = np.zeros(len(asked)), np.zeros(len(asked), np.int64)
    coarse = _sketch(among)
    norms = (coarse**2).sum(1)
    for at in range(0, len(asked), BLOCK):
        part = slice(at, at + BLOCK)
        found = _candidates(norms - 2 * _sketch(asked[part]) @ coarse.T)
        distances[part], places[part] = _nearest_of(asked[part], among, found)
    return distances, places


def _sketch(images: Images) -> NDArray[np.float32]:
    """(N, S): block means times the root of the block's size; edges are filled with black where blocks do not fit."""
    count, height, width, channels = images.shape
    tall, wide = -(-height // SKETCH_SIDE), -(-width // SKETCH_SIDE)
    if tall == wide == 1:
        return images.reshape(count, height * width * channels).astype(np.float32)
    padded = np.pad(images, ((0, 0), (0, -height % tall), (0, -width % wide), (0, 0)))
    shape = (count, padded.shape[1] // tall, tall, padded.shape[2] // wide, wide, channels)
    means = padded.reshape(shape).mean((2, 4), dtype=np.float32)
    return means.reshape(count, -1) * np.float32(np.sqrt(tall * wide))


def _candidates(scores: NDArray[np.float32]) -> Codes:
    """(N, up to CANDIDATES): the best column of each of CANDIDATES interleaved sets of columns."""
    sets = min(CANDIDATES, scores.shape[1])
    return np.stack([scores[:, first::sets].argmin(1) * sets + first for first in range(sets)], axis=1)


def _nearest_of(asked: Images, among: Images, candidates: Codes) -> tuple[Numbers, Codes]:
    """The nearest of each row's candidates, value by value in integers; the first in `among` of equally near ones."""
    best, place = np.full(len(asked), np.inf), np.zeros(len(asked), np.int64)
    for column in np.sort(candidates, axis=1).T:
        difference = asked.astype(np.int32) - among[column].astype(np.int32)
        square = (difference.astype(np.int64) ** 2).reshape(len(asked), -1).mean(1) if len(asked) else np.zeros(0)
        nearer = square < best
        best[nearer], place[nearer] = square[nearer], column[nearer]
    return np.sqrt(best), place


def copy_threshold(held_out: Numbers) -> float:
    """The distance below which a made row counts as a copy, from the distances of held-out rows to train rows."""
    return COPY_SHARE * float(np.quantile(held_out, HELD_OUT_QUANTILE)) if len(held_out) else 0.0


def quantiles(distances: Numbers) -> dict[str, float]:
    """QUANTILES of the distances, by name (`0.05`)."""
    return {
        f"{share:g}": float(value) for share, value in zip(QUANTILES, np.quantile(distances, QUANTILES), strict=True)
    }

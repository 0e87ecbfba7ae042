"""Windows scaled by what is known of the training rows, channel by channel; and how near they lie to each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from synth.series.rows import Codes, Numbers, Windows
from udfs.series.scaling import Scale, encode, measure

BLOCK = 512  # windows whose distances to all known ones are held at a time


def scale_of(windows: Windows) -> Scale:
    """Mean and deviation of every channel."""
    return Scale.of(measure(np.ascontiguousarray(windows)))


def scaled(windows: Windows, scale: Scale) -> Windows:
    """Distances from the mean in deviations; what is missing is the mean."""
    return np.nan_to_num(encode(windows, scale), nan=0.0)


def flat(windows: Windows) -> Numbers:
    """float64[N, T C], of lengths that do not grow with steps and channels."""
    width = windows.shape[1] * windows.shape[2]
    return windows.reshape(len(windows), width) / np.sqrt(width)


def distances(asked: Numbers, known: Numbers) -> Iterator[tuple[slice, Numbers]]:
    """(which rows, their distances (n, known)) block by block."""
    squares = (known**2).sum(1)
    for at in range(0, len(asked), BLOCK):
        part = slice(at, at + BLOCK)
        own = asked[part]
        apart = (own**2).sum(1)[:, None] - 2 * own @ known.T + squares
        yield part, np.sqrt(np.maximum(apart, 0.0))


def nearest(asked: Numbers, known: Numbers) -> tuple[Numbers, Codes]:
    """(distance, place) of each asked row's nearest known one; exactly 0 for an equal one."""
    lengths, places = np.zeros(len(asked)), np.zeros(len(asked), np.int64)
    for part, apart in distances(asked, known):
        places[part] = apart.argmin(1)
    if len(asked):
        lengths = np.sqrt(((asked - known[places]) ** 2).sum(1))
    return lengths, places

"""Steps that add noise.

Noise is read out of two tables, of normals and of uniform words, in windows that start at draws of the row's own: a
thousand times cheaper than to hash every pixel, and the same bytes everywhere. Windows are at most 4,096 values long,
so that two pictures share no long run but by chance.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from udfs.image.canvas import Stack, pixels, repainted
from udfs.image.draws import drawn
from udfs.image.values import Floats, Images, LevelAmount, ShareAmount, flattened
from udfs.options import Amount, Probability, Within
from udfs.rng import RowRandom, mix

REVISION = 1
_TABLE = 1 << 18
_WINDOW = 1 << 12
_CHUNK = 1 << 18  # so many values at once stay in the processor's cache
_PER_STD = 4096  # steps of the table per standard deviation: its largest value, 4.9 of them, fits 16 bits
Starts = NDArray[np.int64]  # (N, windows per image)


@lru_cache(maxsize=1)
def word_table() -> NDArray[np.uint16]:
    """Uniform 16-bit words, by hashing a counter."""
    return (mix(np.arange(1, _TABLE + _WINDOW + 1, dtype=np.uint64)) >> np.uint64(48)).astype(np.uint16)


@lru_cache(maxsize=1)
def normal_table() -> NDArray[np.int16]:
    """Standard normals in steps of 1/4096 (Box and Muller 1958) from a counter, with a mean of 0 and deviation of 1."""
    counter = np.arange(1, 2 * (_TABLE + _WINDOW) + 1, dtype=np.uint64) << np.uint64(20)
    unit = ((mix(counter) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    first, second = unit.reshape(2, -1)
    normal = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
    return np.rint((normal - normal.mean()) / normal.std() * _PER_STD).astype(np.int16)


@lru_cache(maxsize=16)
def _split_normals(std: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The table at one deviation, as what is added and what is taken away: both saturate in one pass."""
    levels = np.rint(normal_table() * np.float32(std / _PER_STD))
    return np.clip(levels, 0, 255).astype(np.uint8), np.clip(-levels, 0, 255).astype(np.uint8)


def windows_at(table: NDArray[Any], starts: Starts, count: int) -> NDArray[Any]:
    """(N, count) values of a table, in windows that begin at `starts`."""
    return _read(sliding_window_view(table, min(count, _WINDOW)), starts, count)


def _read(windows: NDArray[Any], starts: Starts, count: int) -> NDArray[Any]:
    """(N, count) values out of all windows of a table; the last window may give too many."""
    return windows[starts].reshape(len(starts), -1)[:, :count]


def window_starts(random: RowRandom, count: int) -> Starts:
    """Where the windows begin that hold `count` values for each row."""
    return random.integers(0, _TABLE, (-(-count // min(count, _WINDOW)),))


def add_noise(images: Images, *, std: Floats, starts: Starts) -> Images:
    """Normal noise of `std` levels added to every value.

    The two ways give the same bytes; one is for many values of one deviation.
    """
    flat = flattened(images)
    out = np.empty_like(flat)
    parts = _parts(flat)
    if flat.size >= _TABLE and (std == std[0]).all():
        more, less = (sliding_window_view(t, min(flat.shape[1], _WINDOW)) for t in _split_normals(float(std[0])))
        for rows in parts:
            added = cv2.add(flat[rows], _read(more, starts[rows], flat.shape[1]))
            cv2.subtract(added, _read(less, starts[rows], flat.shape[1]), out[rows])
    else:
        for rows in parts:
            out[rows] = _sum(flat[rows], normals(starts[rows], flat.shape[1], std[rows]))
    return out.reshape(images.shape)


def _parts(flat: NDArray[np.uint8]) -> list[slice]:
    """The rows in parts that the cache holds."""
    step = max(1, _CHUNK // max(flat.shape[1], 1))
    return [slice(first, first + step) for first in range(0, len(flat), step)]


def normals(starts: Starts, count: int, std: Floats) -> NDArray[np.float32]:
    """(N, count): normals of each row's deviation."""
    return windows_at(normal_table(), starts, count) * (std / _PER_STD).astype(np.float32)[:, None]


def _sum(flat: NDArray[np.uint8], noise: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Levels and rounded noise, held in 0 to 255; overwrites the noise."""
    np.rint(noise, out=noise)
    noise += flat
    return np.clip(noise, 0, 255, out=noise).astype(np.uint8)


def gaussian_noise(random: RowRandom, images: Stack, *, std: LevelAmount = 8.0, p: Probability = 1.0) -> Stack:
    """Add normal noise of standard deviation `std` (levels of 255) to every value."""
    where = random.bernoulli(p)
    stack, plain = pixels(images)
    starts = window_starts(random, math.prod(plain.shape[1:]))
    return repainted(stack, where, add_noise, std=drawn(random, std), starts=starts)


def add_speckle(images: Images, *, std_fraction: Floats, starts: Starts) -> Images:
    """Every value times 1 + normal noise of `std_fraction`."""
    flat = flattened(images)
    out = np.empty_like(flat)
    for rows in _parts(flat):
        noise = normals(starts[rows], flat.shape[1], std_fraction[rows])
        noise *= flat[rows]
        out[rows] = _sum(flat[rows], noise)
    return out.reshape(images.shape)


def speckle(random: RowRandom, images: Stack, *, std_fraction: ShareAmount = 0.1, p: Probability = 1.0) -> Stack:
    """Multiply every value by 1 + normal noise of standard deviation `std_fraction`, as radar and ultrasound do."""
    where = random.bernoulli(p)
    stack, plain = pixels(images)
    starts = window_starts(random, math.prod(plain.shape[1:]))
    return repainted(stack, where, add_speckle, std_fraction=drawn(random, std_fraction), starts=starts)


def add_salt_and_pepper(images: Images, *, fraction: Floats, starts: Starts) -> Images:
    """A `fraction` of the pixels set to white or black, half each, all channels of a pixel alike."""
    words = windows_at(word_table(), starts, images.shape[1] * images.shape[2]).reshape(images.shape[:3])
    half = np.rint(fraction * 32768).astype(np.int64)[:, None, None]
    out = images.copy()
    out[words < half] = 255
    out[words >= 65536 - half] = 0
    return out


def salt_and_pepper(
    random: RowRandom,
    images: Stack,
    *,
    fraction: Annotated[Amount, Within(0, 1)] = (0.0, 0.02),
    p: Probability = 1.0,
) -> Stack:
    """Set a `fraction` of the pixels to white or black."""
    where = random.bernoulli(p)
    stack, plain = pixels(images)
    starts = window_starts(random, plain.shape[1] * plain.shape[2])
    return repainted(stack, where, add_salt_and_pepper, fraction=drawn(random, fraction), starts=starts)

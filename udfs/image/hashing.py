"""Near duplicates: a 64-bit perceptual hash that finds candidates, and a look at the content that confirms them.

The hash is the sign pattern of the lowest frequencies of the picture's cosine transform (Zauner 2010), worked out in
whole numbers, so that ties break the same way everywhere. On small sparse pictures (digits) different ones often
share a hash: hence the check.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from udfs.image.features import block_means
from udfs.image.rejects import greys
from udfs.image.values import Flags, Floats, Images, flattened

REVISION = 1
Hashes = NDArray[np.uint64]  # (N,)
_SIDE = 32  # pictures are averaged down to at most this
_LOW = 8  # frequencies kept along each axis
_COSINE_UNIT = 1 << 10
_THUMB = 16


@lru_cache(maxsize=32)
def _cosines(length: int) -> NDArray[np.float64]:
    """(8, length): cosine waves in whole multiples of 1/1024; products and sums with levels are exact in float64."""
    waves = np.cos(np.pi * np.arange(_LOW)[:, None] * (np.arange(length)[None, :] + 0.5) / length)
    return np.rint(waves * _COSINE_UNIT)


def perceptual_hash(images: Images) -> Hashes:
    """uint64 (N,): pictures that look alike differ in few bits; scaling, JPEG and light hardly change it."""
    small = block_means(greys(images)[..., None], _SIDE)[..., 0].astype(np.float64)  # (N, h, w), whole numbers
    waves = np.matmul(np.matmul(_cosines(small.shape[1]), small), _cosines(small.shape[2]).T)
    waves = waves.reshape(len(images), _LOW * _LOW)
    waves = np.delete(waves, 0, axis=1)  # the mean says nothing of the content
    bits = waves > np.median(waves, axis=1, keepdims=True)
    words = np.packbits(np.pad(bits, ((0, 0), (1, 0))), axis=1)
    return words.view(">u8").astype(np.uint64)[:, 0]


def distance_bits(a: Hashes, b: Hashes) -> NDArray[np.int64]:
    """In how many bits each pair of hashes differs."""
    return np.bitwise_count(a ^ b).astype(np.int64)


def hash_bands(hashes: Hashes, max_distance_bits: int) -> NDArray[np.uint64]:
    """(N, max_distance_bits + 1): parts of the hash, each with its place in the upper bits.

    Hashes within `max_distance_bits` share at least one part, so that a join on parts finds them all (pigeonhole).
    """
    edges = np.linspace(0, 64, max_distance_bits + 2).astype(np.uint64)
    parts = []
    for place, (low, high) in enumerate(pairwise(edges)):
        width = int(high - low)
        mask = np.uint64((1 << width) - 1)
        # a part of 64 bits leaves no room for its place, and needs none: it is alone
        mark = np.uint64(place << 58) if width <= 58 else np.uint64(0)
        parts.append(((hashes >> low) & mask) | mark)
    return np.stack(parts, axis=1)


def content_difference(a: Images, b: Images) -> Floats:
    """1 - correlation of each pair's thumbnails (at most 16 x 16): 0 where they differ in light and contrast only.

    Seen: JPEG of quality 80 and more under 0.004; different MNIST digits from 0.0067, CIFAR photographs from 0.04.
    """
    one, two = (flattened(block_means(images, _THUMB)).astype(np.float64) for images in (a, b))
    one, two = one - one.mean(axis=1, keepdims=True), two - two.mean(axis=1, keepdims=True)
    flat_one, flat_two = (one == 0).all(axis=1), (two == 0).all(axis=1)
    norm = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    alike = np.divide((one * two).sum(axis=1), norm, out=np.zeros(len(a)), where=norm > 0)
    return np.where(flat_one & flat_two, 0.0, 1 - alike)


def same_content(a: Images, b: Images, max_difference: float = 0.005) -> Flags:
    """bool (N,): whether each pair shows the same picture, by `content_difference`."""
    return content_difference(a, b) <= max_difference

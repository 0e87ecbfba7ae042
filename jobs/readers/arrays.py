"""Records of image arrays, and the checks that array files share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from jobs.readers.record import PIECE_BYTES, Record, fingerprint
from udfs import image as image_steps


def array_records(
    images: NDArray[np.uint8], labels: Sequence[str | None], uri: str, start: int, split: str | None = None
) -> Iterator[Record]:
    """Records of uint8[N, H, W, C], encoded as PNG; known by their pixels, so that an encoder may change."""
    shape = repr(images.shape[1:]).encode()
    encoded = image_steps.encode(images, "png")
    for offset, (pixels, blob, label) in enumerate(zip(images, encoded, labels, strict=True)):
        content = fingerprint(shape, np.ascontiguousarray(pixels).tobytes())
        yield Record(content, f"{uri}#{start + offset}", label, blob, split)


def ranges(count: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """[start, stop) of at most about PIECE_BYTES each."""
    step = max(1, PIECE_BYTES // max(1, row_bytes))
    for start in range(0, count, step):
        yield start, min(count, start + step)


def stacked(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[N, H, W] or [N, H, W, C] as [N, H, W, C]."""
    return images[..., None] if images.ndim == 3 else images

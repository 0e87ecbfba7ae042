"""The 1,797 digits of 8x8 that scikit-learn bundles, grey values 0-16 stretched to 0-255."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobs.readers.arrays import array_records
from jobs.readers.record import Piece, Reading, Record

_MAX_GREY = 16


def pieces(task: Reading) -> Iterator[Piece]:
    """All digits are one piece."""
    yield {"bytes": 1797 * 64}


def read(task: Reading, piece: Piece) -> Iterator[Record]:
    """Every digit, `sklearn_digits#0` and on."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / _MAX_GREY)).astype(np.uint8)[..., None]  # (N, 8, 8, 1)
    yield from array_records(images, [str(label) for label in bunch.target], "sklearn_digits", 0)

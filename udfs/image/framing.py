"""Steps that change what part of a picture is seen, and how large. Masks and boxes follow.

They are warps, and join with geometry; a cut-off part still shows where a later step turns it back into view.
"""

from __future__ import annotations

import numpy as np

from udfs.image.canvas import Stack, count, moved, size_of
from udfs.image.maps import window_map
from udfs.image.values import Border, FactorSpan, Level, Pixels
from udfs.image.warp import Edge
from udfs.options import Probability, ShareSpan
from udfs.rng import RowRandom

REVISION = 1


def random_crop(
    random: RowRandom, images: Stack, *, height_px: Pixels, width_px: Pixels, p: Probability = 1.0
) -> Stack:
    """Cut out a part of `height_px` x `width_px` anywhere; rows that are not drawn give the middle part."""
    height, width = size_of(images)
    _fits("random_crop", (height_px, width_px), (height, width))
    where = random.bernoulli(p)
    x0 = np.where(where, random.integers(0, width - width_px + 1), (width - width_px) // 2)
    y0 = np.where(where, random.integers(0, height - height_px + 1), (height - height_px) // 2)
    one = np.ones(len(random))
    return moved(images, None, window_map, None, (height_px, width_px), x0=x0, y0=y0, across=one, down=one)


def centre_crop(images: Stack, *, height_px: Pixels, width_px: Pixels) -> Stack:
    """Cut out the middle `height_px` x `width_px`."""
    height, width = size_of(images)
    _fits("centre_crop", (height_px, width_px), (height, width))
    return _window(images, (width - width_px) // 2, (height - height_px) // 2, (height_px, width_px), None)


def pad(images: Stack, *, px: Pixels = 4, border: Border = "constant", fill: Level = 0) -> Stack:
    """Add `px` pixels on each side."""
    height, width = size_of(images)
    return _window(images, -px, -px, (height + 2 * px, width + 2 * px), Edge(border, fill))


def _window(images: Stack, x0: int, y0: int, size: tuple[int, int], edge: Edge | None) -> Stack:
    """The same cut for all rows."""
    one = np.ones(count(images))
    return moved(images, None, window_map, edge, size, x0=one * x0, y0=one * y0, across=one, down=one)


def resize(images: Stack, *, height_px: Pixels, width_px: Pixels) -> Stack:
    """Stretch to `height_px` x `width_px`; what shrinks to less than half is averaged."""
    height, width = size_of(images)
    one = np.ones(count(images))
    across, down = one * (width / width_px), one * (height / height_px)
    stretched = {"x0": across / 2 - 0.5, "y0": down / 2 - 0.5, "across": across, "down": down}
    return moved(images, None, window_map, Edge("edge"), (height_px, width_px), **stretched)


def resized_crop(
    random: RowRandom,
    images: Stack,
    *,
    area: ShareSpan = (0.5, 1.0),
    aspect: FactorSpan = (0.75, 4 / 3),
    height_px: Pixels | None = None,
    width_px: Pixels | None = None,
    p: Probability = 1.0,
) -> Stack:
    """Cut out a share of the picture's `area`, its shape off by `aspect`, and stretch it to full size.

    Rows that are not drawn show the whole picture. The part's corners come to lie in the corners: nothing is fetched
    from outside.
    """
    height, width = size_of(images)
    size = (height_px or height, width_px or width)
    where = random.bernoulli(p)
    share, shape = random.uniform(*area), np.exp(random.uniform(*np.log(aspect)))
    cut_width = np.where(where, np.clip(width * np.sqrt(share * shape), 1, width), width)
    cut_height = np.where(where, np.clip(height * np.sqrt(share / shape), 1, height), height)
    window = {
        "x0": random.uniform() * (width - cut_width),
        "y0": random.uniform() * (height - cut_height),
        "across": (cut_width - 1) / max(size[1] - 1, 1),
        "down": (cut_height - 1) / max(size[0] - 1, 1),
    }
    return moved(images, None, window_map, None, size, **window)


def _fits(step: str, part: tuple[int, int], whole: tuple[int, int]) -> None:
    """A part lies within the whole, or it is a person's mistake."""
    if part[0] > whole[0] or part[1] > whole[1]:
        raise ValueError(
            f"image.{step} cuts {part[0]}x{part[1]} pixels out of {whole[0]}x{whole[1]}: pad first, or cut less"
        )

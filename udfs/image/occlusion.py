"""Steps that hide parts of a picture. Masks and boxes stay: what is hidden is still there."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from udfs.image.canvas import Stack, repainted, size_of
from udfs.image.noise import window_starts, windows_at, word_table
from udfs.image.values import FactorSpan, Flags, Floats, Images, Level
from udfs.options import Probability, ShareSpan, Within
from udfs.rng import RowRandom

REVISION = 1
Count = Annotated[int, Within(1, 64)]
_NOISE_VALUES = 4096


def rectangles(height: int, width: int, boxes: Floats) -> Flags:
    """bool[N, H, W]: pixels whose centres lie in any of each row's boxes (N, K, 4: x0, y0, x1, y1)."""
    x, y = np.arange(width), np.arange(height)
    across = (x >= boxes[:, :, 0, None]) & (x < boxes[:, :, 2, None])  # (N, K, W)
    down = (y >= boxes[:, :, 1, None]) & (y < boxes[:, :, 3, None])  # (N, K, H)
    inside = np.zeros((len(boxes), height, width), bool)
    for k in range(boxes.shape[1]):
        inside |= down[:, k, :, None] & across[:, k, None, :]
    return inside


def fill_boxes(images: Images, *, boxes: Floats, fill: NDArray[np.uint8]) -> Images:
    """Set each row's boxes to its `fill` level."""
    out = images.copy()
    corners = np.maximum(np.ceil(boxes), 0).astype(np.int64).tolist()  # pixels whose centres lie within
    for image, mine, level in zip(out, corners, fill, strict=True):
        for x0, y0, x1, y1 in mine:
            image[y0:y1, x0:x1] = level
    return out


def cutout(
    random: RowRandom,
    images: Stack,
    *,
    count: Count = 1,
    size_fraction: ShareSpan = (0.15, 0.35),
    fill: Level = 0,
    p: Probability = 1.0,
) -> Stack:
    """Fill `count` squares anywhere (DeVries and Taylor 2017); their sides are fractions of the shorter side."""
    height, width = size_of(images)
    where = random.bernoulli(p)
    half = random.uniform(*size_fraction, (count,)) * min(height, width) / 2
    x, y = random.uniform(-0.5, width - 0.5, (count,)), random.uniform(-0.5, height - 0.5, (count,))
    boxes = np.stack([x - half, y - half, x + half, y + half], axis=-1)
    return repainted(images, where, fill_boxes, boxes=boxes, fill=np.full(len(random), fill, np.uint8))


def fill_grid(images: Images, *, period_px: Floats, x0: Floats, y0: Floats, kept: Floats, fill: Floats) -> Images:
    """Set squares on a grid of `period_px` to `fill`; along each axis a share `kept` of the period stays."""
    y, x = np.arange(images.shape[1])[None, :], np.arange(images.shape[2])[None, :]
    across = np.mod(x - x0[:, None], period_px[:, None]) >= (kept * period_px)[:, None]
    down = np.mod(y - y0[:, None], period_px[:, None]) >= (kept * period_px)[:, None]
    out = np.empty_like(images)
    for row, (image, target) in enumerate(zip(images, out, strict=True)):
        target[...] = round(fill[row])
        stays = ~(down[row, :, None] & across[row, None, :])
        cv2.copyTo(image, stays.view(np.uint8), target)
    return out


def grid_mask(
    random: RowRandom,
    images: Stack,
    *,
    period_fraction: ShareSpan = (0.25, 0.5),
    kept_share: Annotated[float, Within(0.05, 0.95)] = 0.6,
    fill: Level = 0,
    p: Probability = 1.0,
) -> Stack:
    """Fill squares on a grid (Chen et al. 2020); its period is a fraction of the shorter side, `kept_share` stays."""
    height, width = size_of(images)
    where = random.bernoulli(p)
    period = np.maximum(random.uniform(*period_fraction) * min(height, width), 2.0)
    grid = {"period_px": period, "x0": random.uniform() * period, "y0": random.uniform() * period}
    one = np.ones(len(random))
    return repainted(images, where, fill_grid, **grid, kept=one * kept_share, fill=one * fill)


def fill_with_noise(images: Images, *, boxes: Floats, starts: NDArray[np.int64]) -> Images:
    """Set each row's boxes to uniform random levels."""
    words = (windows_at(word_table(), starts, _NOISE_VALUES) >> 8).astype(np.uint8)
    corners = np.maximum(np.ceil(boxes), 0).astype(np.int64).tolist()
    out = images.copy()
    for image, mine, levels in zip(out, corners, words, strict=True):
        for x0, y0, x1, y1 in mine:
            part = image[y0:y1, x0:x1]
            part[...] = np.resize(levels, part.shape)
    return out


def erase(
    random: RowRandom,
    images: Stack,
    *,
    area: ShareSpan = (0.02, 0.25),
    aspect: FactorSpan = (0.3, 3.3),
    p: Probability = 0.5,
) -> Stack:
    """Overwrite a rectangle with random levels (Zhong et al. 2017); `area` is its share of the picture."""
    height, width = size_of(images)
    where = random.bernoulli(p)
    share, shape = random.uniform(*area) * height * width, np.exp(random.uniform(*np.log(aspect)))
    across, down = np.minimum(np.sqrt(share * shape), width), np.minimum(np.sqrt(share / shape), height)
    x = random.uniform() * (width - across) - 0.5
    y = random.uniform() * (height - down) - 0.5
    boxes = np.stack([x, y, x + across, y + down], axis=-1)[:, None, :]
    return repainted(images, where, fill_with_noise, boxes=boxes, starts=window_starts(random, _NOISE_VALUES))

"""Rules that refuse images: each gives a reason code per image, or null where it finds nothing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from udfs.image.colour import grey_means
from udfs.image.values import GreyLevel, Images, Reasons, flattened
from udfs.options import Share, Within

REVISION = 1


def _reasons(refused: NDArray[np.bool_], code: str) -> Reasons:
    """The code where refused."""
    return [code if bad else None for bad in refused.tolist()]


def greys(images: Images) -> NDArray[np.uint8]:
    """(N, H, W): grey levels."""
    if images.shape[3] == 1:
        return images[..., 0]
    out = np.empty(images.shape[:3], np.uint8)
    for image, target in zip(images, out, strict=True):
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY, target)
    return out


def reject_blank(images: Images, *, min_std: GreyLevel = 1.0) -> Reasons:
    """`blank` where grey levels spread less than `min_std` (standard deviation, of 255)."""
    flat = flattened(greys(images)).astype(np.int64)
    count = flat.shape[1]
    spread = flat.shape[1] * (flat**2).sum(axis=1) - flat.sum(axis=1) ** 2  # count^2 times the variance, whole numbers
    return _reasons(spread < (min_std * count) ** 2, "blank")


def reject_too_dark(images: Images, *, min_mean: GreyLevel = 8.0) -> Reasons:
    """`too_dark` where the mean grey is under `min_mean` (of 255)."""
    return _reasons(grey_means(images) < min_mean, "too_dark")


def reject_too_bright(images: Images, *, max_mean: GreyLevel = 247.0) -> Reasons:
    """`too_bright` where the mean grey is over `max_mean` (of 255)."""
    return _reasons(grey_means(images) > max_mean, "too_bright")


def reject_low_contrast(images: Images, *, min_spread: GreyLevel = 12.0, tails: Share = 0.02) -> Reasons:
    """`low_contrast` where greys span less than `min_spread` (of 255), leaving out the share `tails` at either end."""
    flat = np.sort(flattened(greys(images)), axis=1)
    cut = min(int(tails * flat.shape[1]), (flat.shape[1] - 1) // 2)
    spread = flat[:, flat.shape[1] - 1 - cut].astype(int) - flat[:, cut]
    return _reasons(spread < min_spread, "low_contrast")


def sharpness(images: Images) -> NDArray[np.float64]:
    """(N,): variance of the Laplacian over that of the greys: low where edges are washed out, whatever the contrast."""
    out = np.zeros(len(images))
    for row, grey in enumerate(greys(images)):
        wide = grey.astype(np.int16)
        edges = cv2.Laplacian(wide, cv2.CV_16S, ksize=1).astype(np.int64)
        out[row] = _variance(edges) / max(_variance(wide.astype(np.int64)), 1.0)
    return out


def _variance(values: NDArray[np.int64]) -> float:
    """Variance from exact sums."""
    total = int(values.sum())
    return int((values**2).sum()) / values.size - (total / values.size) ** 2


def reject_blurred(images: Images, *, min_sharpness: Annotated[float, Within(0, 100)] = 0.005) -> Reasons:
    """`blurred` where edges are weaker than `min_sharpness` (variance of the Laplacian over that of the greys)."""
    return _reasons(sharpness(images) < min_sharpness, "blurred")


def reject_wrong_size(
    images: Images | Sequence[NDArray[np.uint8]],
    *,
    min_height_px: Annotated[int, Within(1, 100_000)] = 1,
    min_width_px: Annotated[int, Within(1, 100_000)] = 1,
    max_aspect: Annotated[float, Within(1, 10_000)] = 10_000.0,
) -> Reasons:
    """`wrong_size` where an image of any size is smaller, or longer for its breadth, than allowed."""
    sizes = [(image.shape[0], image.shape[1]) for image in images]
    return [
        "wrong_size" if h < min_height_px or w < min_width_px or max(h, w) > max_aspect * max(min(h, w), 1) else None
        for h, w in sizes
    ]

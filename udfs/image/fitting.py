"""How a picture of any size takes the declared form: stretched, fitted with bars, or cropped to the middle."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from udfs.image.boxes import BoxSet, clip_boxes

Resize = Literal["fit", "stretch", "crop"]
Placement = tuple[
    tuple[int, int], tuple[int, int]
]  # height and width to scale to, then rows and columns from the top left


def placement(size: tuple[int, int], form: tuple[int, int], resize: Resize) -> Placement:
    """The size that a picture of `size` is scaled to, and where it comes to lie in `form` (negative: cut off)."""
    (height, width), (wanted_height, wanted_width) = size, form
    if resize == "stretch":
        return form, (0, 0)
    choose = min if resize == "fit" else max
    factor = choose(wanted_height / height, wanted_width / width)
    scaled = max(round(height * factor), 1), max(round(width * factor), 1)
    new = choose(scaled[0], wanted_height), choose(scaled[1], wanted_width)
    return new, ((wanted_height - new[0]) // 2, (wanted_width - new[1]) // 2)


def fit_image(
    image: NDArray[np.uint8], form: tuple[int, int], resize: Resize, mask: bool = False, fill: int = 0
) -> NDArray[np.uint8]:
    """The picture (H, W[, C]) in the declared form: shrunk by averaging, enlarged linearly; masks by nearest pixel."""
    if image.shape[:2] == form:
        return image
    size, (down, right) = placement((image.shape[0], image.shape[1]), form, resize)
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_NEAREST_EXACT if mask else cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled: NDArray[Any] = cv2.resize(image, size[::-1], interpolation=how).reshape(*size, *image.shape[2:])
    if resize == "stretch":
        return scaled
    if resize == "crop":
        return scaled[-down : -down + form[0], -right : -right + form[1]]
    out = np.full((*form, *image.shape[2:]), fill, np.uint8)
    out[down : down + size[0], right : right + size[1]] = scaled
    return out


def fit_boxes(boxes: BoxSet, sizes: NDArray[np.int64], form: tuple[int, int], resize: Resize) -> BoxSet:
    """Boxes as they lie after `fit_image`; `sizes` (N, 2) are the pictures' heights and widths before."""
    corners = boxes.corners.copy()
    for row in np.unique(boxes.owners):
        size = (int(sizes[row][0]), int(sizes[row][1]))
        new, (down, right) = placement(size, form, resize)
        mine = boxes.owners == row
        corners[mine] = corners[mine] * ([new[1] / size[1], new[0] / size[0]] * 2) + ([right, down] * 2)
    corners = clip_boxes(corners, form)
    left = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    return BoxSet(corners, boxes.owners, boxes.labels).keep(left)

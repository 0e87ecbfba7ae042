"""Boxes that follow the geometry of their picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs.image.values import Boxes
from udfs.image.warp import Size, Warp, compose, coordinates, invert

MIN_VISIBLE = 0.1  # of a box's area: less of it in the picture and the box is dropped


@dataclass(frozen=True)
class BoxSet:
    """The boxes of a stack of images: K corners, the image that each lies in, and its label."""

    corners: Boxes  # (K, 4)
    owners: NDArray[np.int64]  # (K,), ascending
    labels: NDArray[np.object_]  # (K,)

    @staticmethod
    def of(rows: list[list[dict[str, Any]] | None]) -> BoxSet:
        """From rows of `{x0, y0, x1, y1, label}`."""
        flat = [(i, box) for i, boxes in enumerate(rows) for box in boxes or []]
        corners = np.array([[box[k] for k in ("x0", "y0", "x1", "y1")] for _, box in flat], np.float64).reshape(-1, 4)
        labels = np.array([box["label"] for _, box in flat], object)
        return BoxSet(corners, np.array([i for i, _ in flat], np.int64), labels)

    def rows(self, count: int) -> list[list[dict[str, Any]]]:
        """Back to rows of `{x0, y0, x1, y1, label}`, one list for each of `count` images."""
        out: list[list[dict[str, Any]]] = [[] for _ in range(count)]
        for corners, owner, label in zip(self.corners.tolist(), self.owners.tolist(), self.labels, strict=True):
            out[owner].append(dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True)) | {"label": label})
        return out

    def keep(self, kept: NDArray[np.bool_]) -> BoxSet:
        """Some of the boxes."""
        return BoxSet(self.corners[kept], self.owners[kept], self.labels[kept])


def warp_boxes(boxes: BoxSet, warp: Warp) -> BoxSet:
    """The upright hull of what the warp makes of each box, cut at the picture's edge; boxes hardly left are dropped."""
    if not len(boxes.corners):
        return boxes
    if warp.matrices is not None:
        hull = _hulls(boxes, warp)
    else:
        hull = np.array(
            [_seen(boxes.corners[k], warp.take(boxes.owners[k : k + 1])) for k in range(len(boxes.corners))]
        )
    inside = clip_boxes(hull, warp.size)
    visible = _area(inside) >= np.maximum(MIN_VISIBLE * _area(hull), 1e-6)
    return replace(boxes, corners=inside).keep(visible)


def clip_boxes(corners: Boxes, size: Size) -> Boxes:
    """Corners brought inside a picture of `size`."""
    height, width = size
    return np.clip(corners, 0, [width, height, width, height])


def _area(corners: Boxes) -> NDArray[np.float64]:
    """Square pixels."""
    return np.maximum(corners[:, 2] - corners[:, 0], 0) * np.maximum(corners[:, 3] - corners[:, 1], 0)


def _hulls(boxes: BoxSet, warp: Warp) -> Boxes:
    """Each box's four corners carried to the output. Corners lie half a pixel off pixel centres."""
    assert warp.matrices is not None
    half = np.array([[[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]])
    forward = compose(compose(half, invert(warp.matrices)), np.array([[[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]]]))
    x, y = boxes.corners[:, [0, 2, 2, 0]], boxes.corners[:, [1, 1, 3, 3]]
    m = forward[boxes.owners][:, :, :, None]
    depth = m[:, 2, 0] * x + m[:, 2, 1] * y + m[:, 2, 2]
    new_x = (m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2]) / depth
    new_y = (m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2]) / depth
    return np.stack([new_x.min(1), new_y.min(1), new_x.max(1), new_y.max(1)], axis=1)


def _seen(corners: NDArray[np.float64], warp: Warp) -> NDArray[np.float64]:
    """(4,): the extent of the output pixels that look into the box, by any warp; zeros where none does."""
    x, y = (grid[0] for grid in coordinates(warp))
    looks = (x >= corners[0] - 0.5) & (x <= corners[2] - 0.5) & (y >= corners[1] - 0.5) & (y <= corners[3] - 0.5)
    down, across = np.flatnonzero(looks.any(axis=1)), np.flatnonzero(looks.any(axis=0))
    if not len(down):
        return np.zeros(4)
    return np.array([across[0], down[0], across[-1] + 1, down[-1] + 1], np.float64)

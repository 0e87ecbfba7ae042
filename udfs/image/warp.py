"""Geometry as data: where every output pixel comes from.

A warp is a chain of maps from output to source; chains join without touching a pixel, so that any run of geometric
steps costs one interpolation. Given up for that: what one step would cut off is still there for the next (a picture
turned and turned back is whole). Maps are worked out in elementwise arithmetic or in exact sums, so that no row
depends on its neighbours in a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from udfs.image.values import Border, Images, Masks, Matrices

Size = tuple[int, int]  # height, width
Grid = NDArray[np.float32]  # (n, H, W), or broadcastable to it

_BORDERS = {"constant": cv2.BORDER_CONSTANT, "reflect": cv2.BORDER_REFLECT_101, "edge": cv2.BORDER_REPLICATE}
_CHUNK_PIXELS = 1 << 16  # so many coordinates at once stay in the processor's cache
_UNIT = 2.0**-12  # displacements and weights are whole multiples of it: float64 sums of their products are exact
_MAX_SHIFT_PX = 255.0


@dataclass(frozen=True)
class Edge:
    """What lies outside a picture: a `fill` level, its mirror image, or its outermost pixels."""

    border: Border = "constant"
    fill: int = 0

    @property
    def code(self) -> int:
        """OpenCV's name for it."""
        return _BORDERS[self.border]


@dataclass(frozen=True)
class Field:
    """Smooth displacements: `controls` (N, 2, G, G) in pixels, spread over a picture of `size` by cubic B-splines."""

    controls: NDArray[np.float64]
    size: Size

    def take(self, rows: slice | NDArray) -> Field:
        """The fields of some rows."""
        return replace(self, controls=self.controls[rows])

    def evaluate(self) -> NDArray[np.float32]:
        """Displacements (N, 2, H, W): x, then y. Each has the controls' standard deviation everywhere."""
        grid = self.controls.shape[-1]
        down, across = spline_weights(self.size[0], grid), spline_weights(self.size[1], grid)
        return np.matmul(np.matmul(down, self.controls), across.T).astype(np.float32)


Link = Matrices | Field


@dataclass(frozen=True)
class Warp:
    """Output pixel to source pixel: `links` from the source outwards, giving pictures of `size`.

    An `edge` of None says that the warp never looks outside.
    """

    links: tuple[Link, ...]
    size: Size
    edge: Edge | None

    def joins(self, later: Warp) -> bool:
        """Whether one warp can do for both: they see the same outside, or one of them sees none."""
        return self.edge is None or later.edge is None or self.edge == later.edge

    def then(self, later: Warp) -> Warp:
        """This warp, and `later` on what it gives, as one."""
        links = list(self.links)
        for link in later.links:
            if links and isinstance(links[-1], np.ndarray) and isinstance(link, np.ndarray):
                links[-1] = compose(links[-1], link)
            else:
                links.append(link)
        return Warp(tuple(links), later.size, later.edge or self.edge)

    def take(self, rows: slice | NDArray) -> Warp:
        """The warps of some rows."""
        return replace(self, links=tuple(x[rows] if isinstance(x, np.ndarray) else x.take(rows) for x in self.links))

    @property
    def matrices(self) -> Matrices | None:
        """The one matrix per row that the warp is, if it is one."""
        only = self.links[0] if len(self.links) == 1 else None
        return only if isinstance(only, np.ndarray) else None


@lru_cache(maxsize=64)
def spline_weights(length: int, grid: int) -> NDArray[np.float64]:
    """(length, grid): cubic B-spline weights of the controls at each pixel, of unit norm, in multiples of 2^-12."""
    position = np.arange(length) / max(length - 1, 1) * (grid - 1)
    away = np.abs(position[:, None] - np.arange(grid)[None, :])
    near = 2 / 3 - away**2 + away**3 / 2
    far = np.maximum(2 - away, 0) ** 3 / 6
    weights = np.where(away < 1, near, far)
    return np.rint(weights / np.sqrt((weights**2).sum(axis=1, keepdims=True)) / _UNIT) * _UNIT


def exact_controls(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Controls in whole multiples of 2^-12 pixel, none beyond 255 pixels: what makes `Field.evaluate` exact."""
    return np.rint(np.clip(shifts, -_MAX_SHIFT_PX, _MAX_SHIFT_PX) / _UNIT) * _UNIT


def compose(first: Matrices, later: Matrices) -> Matrices:
    """Matrix products, row by row, written out: numpy's are slower for 3x3."""
    out = np.empty(np.broadcast_shapes(first.shape, later.shape))
    for i in range(3):
        for j in range(3):
            out[:, i, j] = (
                first[:, i, 0] * later[:, 0, j] + first[:, i, 1] * later[:, 1, j] + first[:, i, 2] * later[:, 2, j]
            )
    return out


def invert(matrices: Matrices) -> Matrices:
    """Inverses by cofactors, up to scale (a homography's scale says nothing)."""
    a, b, c = matrices[:, 0], matrices[:, 1], matrices[:, 2]
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=2)
    return cofactors / np.einsum("ni,ni->n", a, np.cross(b, c))[:, None, None]


def is_affine(matrices: Matrices) -> bool:
    """Whether no row has perspective."""
    return bool((matrices[:, 2] == (0.0, 0.0, 1.0)).all())


def coordinates(warp: Warp) -> tuple[Grid, Grid]:
    """Source x and y (N, H, W) of every output pixel."""
    height, width = warp.size
    x: Any = np.arange(width, dtype=np.float32)[None, None, :]
    y: Any = np.arange(height, dtype=np.float32)[None, :, None]
    on_grid = True
    for link in reversed(warp.links):
        if isinstance(link, np.ndarray):
            x, y = _project(link, x, y)
        else:
            shift = link.evaluate()
            if not (on_grid and link.size == warp.size):
                shift = _sample(shift, *np.broadcast_arrays(x, y))
            x, y = x + shift[:, 0], y + shift[:, 1]
        on_grid = False
    return x, y


def _project(matrices: Matrices, x: Grid, y: Grid) -> tuple[Grid, Grid]:
    """Coordinates put through matrices; x and y stay apart as long as they are (1, 1, W) and (1, H, 1)."""
    m: Any = matrices.astype(np.float32)[:, :, :, None, None]
    new_x: Grid = (m[:, 0, 0] * x + m[:, 0, 2]) + m[:, 0, 1] * y
    new_y: Grid = (m[:, 1, 0] * x + m[:, 1, 2]) + m[:, 1, 1] * y
    if is_affine(matrices):
        return new_x, new_y
    depth = (m[:, 2, 0] * x + m[:, 2, 2]) + m[:, 2, 1] * y
    return cast(Grid, new_x / depth), cast(Grid, new_y / depth)


def _sample(shift: NDArray[np.float32], x: Grid, y: Grid) -> NDArray[np.float32]:
    """Displacements (N, 2, h, w) read at coordinates (N, H, W) between the pixels they were made for."""
    out = np.empty((len(shift), 2, *x.shape[1:]), np.float32)
    for row in range(len(shift)):
        at = (np.ascontiguousarray(x[row % len(x)]), np.ascontiguousarray(y[row % len(y)]))
        for axis in range(2):
            out[row, axis] = cv2.remap(shift[row, axis], *at, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return out


def warp_images(images: Images, warp: Warp) -> Images:
    """Images seen through the warp, between pixels linearly; what is shrunk to less than half is averaged first."""
    return _warped(images, warp, cv2.INTER_LINEAR)


def warp_masks(masks: Masks, warp: Warp) -> Masks:
    """Masks seen through the warp: each pixel takes the class of the source pixel nearest to it."""
    return _warped(masks[..., None], warp, cv2.INTER_NEAREST)[..., 0]


def _warped(images: Images, warp: Warp, how: int) -> Images:
    """One interpolation per image, by matrix where that will do, else by coordinates."""
    if not len(images):
        return np.empty((0, *warp.size, images.shape[3]), np.uint8)
    if warp.matrices is not None:
        return _by_matrix(images, warp, how)
    return _by_coordinates(images, warp, how)


def _by_matrix(images: Images, warp: Warp, how: int) -> Images:
    """Each row through its own matrix; rows that stay as they are are copied."""
    matrices = warp.matrices
    assert matrices is not None
    same_size = images.shape[1:3] == warp.size
    moving = ~(matrices == np.eye(3)).all(axis=(1, 2)) if same_size else np.ones(len(images), bool)
    if not moving.any():
        return images
    rows = np.flatnonzero(moving)
    out = np.empty((len(images), *warp.size, images.shape[3]), np.uint8)
    if same_size:
        out[~moving] = images[~moving]
    affine = is_affine(matrices)
    through = cv2.warpAffine if affine else cv2.warpPerspective
    used = matrices[:, :2] if affine else matrices
    shrink = _shrinking(matrices) if how != cv2.INTER_NEAREST else np.ones(len(images), int)
    edge = warp.edge or Edge()
    flags, size, code, fill = how | cv2.WARP_INVERSE_MAP, warp.size[::-1], edge.code, (edge.fill,) * 4
    sources, targets = _flat(images), _flat(out)
    if len(rows) == len(images) and (shrink == 1).all():
        for source, matrix, target in zip(sources, used, targets, strict=True):
            through(source, matrix, size, target, flags, code, fill)
        return out
    for row in rows:
        source, matrix = sources[row], used[row]
        if shrink[row] > 1:
            source, matrix = _shrunk(source, matrix, int(shrink[row]))
        through(source, matrix, size, targets[row], flags, code, fill)
    return out


def _shrinking(matrices: Matrices) -> NDArray[np.int64]:
    """How many source pixels across make one output pixel: 1 where less than two do."""
    across = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    down = np.hypot(matrices[:, 0, 1], matrices[:, 1, 1])
    return np.maximum(np.floor(np.minimum(across, down) + 1e-9), 1).astype(np.int64)


def _shrunk(source: Images, matrix: NDArray[np.float64], times: int) -> tuple[Images, NDArray[np.float64]]:
    """The source averaged over blocks of about `times` pixels, and the matrix into it; else it would alias."""
    height, width = source.shape[:2]
    new = (max(round(width / times), 1), max(round(height / times), 1))
    fx, fy = new[0] / width, new[1] / height
    small = np.array([[fx, 0, fx / 2 - 0.5], [0, fy, fy / 2 - 0.5], [0, 0, 1]])
    into = small @ np.vstack([matrix, (0, 0, 1)]) if len(matrix) == 2 else small @ matrix
    return cast(Images, cv2.resize(source, new, interpolation=cv2.INTER_AREA)), into[: len(matrix)]


def _by_coordinates(images: Images, warp: Warp, how: int) -> Images:
    """Each row through its own coordinates, as many rows at once as the cache holds."""
    out = np.empty((len(images), *warp.size, images.shape[3]), np.uint8)
    step = max(1, _CHUNK_PIXELS // (warp.size[0] * warp.size[1]))
    edge = warp.edge or Edge()
    code, fill = edge.code, (edge.fill,) * 4
    for start in range(0, len(images), step):
        rows = slice(start, start + step)
        x, y = coordinates(warp.take(rows))
        for source, one_x, one_y, target in zip(_flat(images[rows]), x, y, _flat(out[rows]), strict=True):
            cv2.remap(source, one_x, one_y, how, target, code, fill)
    return out


def _flat(images: Images) -> Images:
    """Grey images without their channel axis, which OpenCV takes faster."""
    return images[..., 0] if images.shape[3] == 1 else images

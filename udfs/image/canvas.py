"""The three ways in which a step touches images, on plain stacks and on stacks under way.

`moved` (geometry), `recoloured` (one level table per image) and `repainted` (anything else) each take a deterministic
core and its parameters per row. On a plain uint8 stack they act at once. On a `Canvas` geometry and tables wait, and
join with what follows: the pixels are touched once, when something must see them. So a step is written once and fuses
by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from udfs.image.boxes import BoxSet, warp_boxes
from udfs.image.values import Flags, Images, Masks, Tables, flattened
from udfs.image.warp import Edge, Field, Link, Size, Warp, warp_images, warp_masks

SMALL = 1 << 12  # up to so many values per image, numpy over the stack beats OpenCV image by image
Parameters = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Note:
    """What a step drew: for which rows it fired, and its parameters."""

    where: Flags
    parameters: Parameters


@dataclass(frozen=True)
class Canvas:
    """A stack of images under way: its pixels, then a warp and tables that wait."""

    images: Images
    masks: Masks | None = None
    boxes: BoxSet | None = None
    mask_fill: int = 0
    warp: Warp | None = None
    tables: Tables | None = None
    notes: list[Note] | None = field(default=None, compare=False)

    def settled(self) -> Canvas:
        """With nothing waiting."""
        images, masks, boxes = self.images, self.masks, self.boxes
        if self.warp is not None:
            images = warp_images(images, self.warp)
            if masks is not None:
                edge = replace(self.warp.edge or Edge(), fill=self.mask_fill)
                masks = warp_masks(masks, replace(self.warp, edge=edge))
            if boxes is not None:
                boxes = warp_boxes(boxes, self.warp)
        if self.tables is not None:
            images = recolour(images, self.tables)
        return replace(self, images=images, masks=masks, boxes=boxes, warp=None, tables=None)

    def note(self, where: Flags | None, parameters: Parameters) -> None:
        """Write down what was drawn, if anyone asked for it."""
        if self.notes is not None:
            fired = np.ones(len(self.images), bool) if where is None else where
            self.notes.append(Note(fired, parameters))


Stack = TypeVar("Stack", Images, Canvas)


def size_of(images: Images | Canvas) -> Size:
    """Height and width as they are after all that waits."""
    if isinstance(images, Canvas):
        return images.warp.size if images.warp is not None else (images.images.shape[1], images.images.shape[2])
    return images.shape[1], images.shape[2]


def count(images: Stack) -> int:
    """How many images."""
    return len(images) if isinstance(images, np.ndarray) else len(images.images)


def pixels(images: Stack) -> tuple[Stack, Images]:
    """The stack with nothing waiting, and its pixels."""
    if isinstance(images, Canvas):
        settled = images.settled()
        return cast(Stack, settled), settled.images
    return images, images


def moved(
    images: Stack,
    where: Flags | None,
    core: Callable[..., Link],
    edge: Edge | None,
    size: Size | None,
    **parameters: NDArray[Any],
) -> Stack:
    """Warp each image by `core(height, width, **parameters)`, matrices or a field; rows not in `where` stay."""
    height, width = size_of(images)
    link = core(height, width, **parameters)
    warp = Warp((link if where is None else _stilled(link, where),), size or (height, width), edge)
    if not isinstance(images, Canvas):
        return warp_images(images, warp)
    images.note(where, parameters)
    waits = images.tables is not None or (images.warp is not None and not images.warp.joins(warp))
    ready = images.settled() if waits else images
    return cast(Stack, replace(ready, warp=warp if ready.warp is None else ready.warp.then(warp)))


def _stilled(link: Link, where: Flags) -> Link:
    """The same maps, but identity for the rows not in `where`."""
    if isinstance(link, Field):
        return replace(link, controls=link.controls * where[:, None, None, None])
    return np.where(where[:, None, None], link, np.eye(3))


def recoloured(images: Stack, where: Flags, core: Callable[..., Tables], **parameters: NDArray[Any]) -> Stack:
    """Put each image's levels through `core(**parameters)`; rows not in `where` keep theirs."""
    tables = core(**parameters)
    if not where.all():
        tables = np.where(where.reshape(-1, *[1] * (tables.ndim - 1)), tables, np.arange(256, dtype=np.uint8))
    if not isinstance(images, Canvas):
        return recolour(images, tables)
    images.note(where, parameters)
    return replace(images, tables=tables if images.tables is None else _chained(images.tables, tables))


def _chained(first: Tables, later: Tables) -> Tables:
    """One table for two."""
    if first.ndim < later.ndim:
        first = np.broadcast_to(first[:, None], later.shape)
    elif later.ndim < first.ndim:
        later = np.broadcast_to(later[:, None], first.shape)
    start = np.arange(later.size // 256, dtype=np.int32).reshape(*later.shape[:-1], 1) * 256
    return later.reshape(-1).take(first + start)


def repainted(images: Stack, where: Flags, core: Callable[..., Images], **parameters: NDArray[Any]) -> Stack:
    """Replace the images in `where` by `core(images, **parameters)`; the others stay as they are."""
    stack, plain = pixels(images)
    if isinstance(stack, Canvas):
        stack.note(where, parameters)
    if not where.any():
        new = plain
    elif where.all():
        new = core(plain, **parameters)
    else:
        new = plain.copy()
        new[where] = core(plain[where], **{name: values[where] for name, values in parameters.items()})
    return replace(stack, images=new) if isinstance(stack, Canvas) else new


def recolour(images: Images, tables: Tables) -> Images:
    """Each image's levels read from its own table: (N, 256), or (N, C, 256) with one for each channel."""
    shape = images.shape
    if tables.ndim == 3 and shape[3] == 1:
        tables = tables[:, 0]
    if tables.ndim == 2 and shape[1] * shape[2] * shape[3] <= SMALL:
        places = flattened(images) + (np.arange(len(images), dtype=np.int32) * 256)[:, None]
        return tables.reshape(-1).take(places).reshape(shape)
    out = np.empty_like(images)
    for image, table, target in zip(images, tables, out, strict=True):
        cv2.LUT(image, table if table.ndim == 1 else np.ascontiguousarray(table.T)[None], target)
    return out

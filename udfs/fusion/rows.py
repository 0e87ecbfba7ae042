"""What steps for rows of several payloads take and give.

A step gets each row's image, text, cells and label side by side. It changes images (with their boxes), and flags the
rows that it could not handle and left as they were. Steps do not change their input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from udfs.image.values import Images

Box = dict[str, Any]  # x0, y0, x1, y1, label


@dataclass(frozen=True)
class Rows:
    """N rows: images uint8[N, H, W, C], their boxes, texts, cells by column, labels, and what steps flagged."""

    images: Images
    texts: Sequence[str | None]
    labels: Sequence[str | None]
    cells: Mapping[str, Sequence[Any]]
    boxes: tuple[tuple[Box, ...], ...] | None = None  # None where the recipe keeps none
    flags: tuple[tuple[str, ...], ...] = ()
    notes: list[dict[str, Any]] = field(default_factory=list, compare=False)

    def __len__(self) -> int:
        return len(self.images)

    def with_images(self, images: Images, boxes: list[list[Box]], flags: list[list[str]]) -> Rows:
        """Other images, with boxes and flags besides those that there are."""
        known = self.flags or ((),) * len(self)
        told = tuple((*old, *new) for old, new in zip(known, flags, strict=True))
        if self.boxes is None:
            return replace(self, images=images, flags=told)
        more = tuple((*old, *new) for old, new in zip(self.boxes, boxes, strict=True))
        return replace(self, images=images, boxes=more, flags=told)

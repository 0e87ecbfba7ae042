"""The first pass of clean over a row: decode it, bring it into the declared form, apply the stateless rules, take its
marks.

The marks are what later passes compare instead of images: a hash of the decoded pixels (exact copies), a perceptual
hash (near ones), and a thumbnail of at most 16x16 (the content of a near copy, and the distance from its class). They
keep those passes narrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.schema import ImageForm
from udfs import image as image_steps
from udfs import records
from udfs.image.boxes import BoxSet
from udfs.image.codec import read_image
from udfs.image.features import block_means
from udfs.image.fitting import fit_boxes
from udfs.image.headers import read_header
from udfs.rules import Rules

THUMB_SIDE = 16
THUMB_LEVEL = 16  # block_means counts in sixteenths of a grey level
MAX_DECODED_BYTES = 32 << 20  # of one batch's images in the declared form
MAX_ROWS = 2048

MARKS = pa.schema([("pixels", pa.string()), ("look", pa.int64()), ("thumb", pa.binary())])

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Decoding:
    """What a worker needs: the declared form, the rules, and the schema of what it returns."""

    form: ImageForm
    rules: Rules
    schema: pa.Schema
    stage: str

    @property
    def batch_rows(self) -> int:
        """How many decoded rows fit a batch."""
        return int(np.clip(MAX_DECODED_BYTES // (self.form.height * self.form.width * self.form.channels), 1, MAX_ROWS))

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """Rows in canonical form with their marks; refused ones with their bytes as they came and the reason."""
        table = pa.Table.from_batches([batch])
        blobs, form, size = table.column("image").to_pylist(), self.form, table.num_rows
        images, reasons = image_steps.decode(blobs, form.height, form.width, form.channels, form.resize)
        good = [place for place, reason in enumerate(reasons) if reason is None]
        stack = np.asarray(images)
        found, flags = self.rules(stack)
        for place, reason in zip(good, found, strict=True):
            reasons[place] = reason
        masks, extra = self._masks(table, blobs) if form.masks else ([], [])
        columns = {
            **marks_of(stack, good, size),
            "image": placed(image_steps.encode(stack, form.encoding, form.jpeg_quality), good, blobs),
            "row_flags": placed(flags, good, [[] for _ in range(size)]),
            "row_reason": [reason or more for reason, more in zip(reasons, extra or [None] * size, strict=True)],
            "row_stage": [self.stage] * size,
        }
        columns |= {"mask": masks} if form.masks else {}
        columns |= {"boxes": self._boxes(table, blobs, reasons)} if form.boxes else {}
        return with_columns(table, columns, self.schema)

    def _masks(self, table: pa.Table, blobs: list[bytes | None]) -> tuple[list[bytes | None], list[str | None]]:
        """Masks in the declared form, encoded, and the reasons against the others."""
        form, masks = self.form, table.column("mask").to_pylist()
        images, reasons = image_steps.decode_masks(masks, form.height, form.width, form.resize, form.mask_fill)
        good = [place for place, reason in enumerate(reasons) if reason is None]
        told = [
            None if reason is None else f"mask_{reason.removeprefix('image_').removeprefix('mask_')}"
            for reason in reasons
        ]
        for place in good:
            if not same_size(blobs[place], masks[place]):
                told[place] = "mask_wrong_size"
        return placed(image_steps.encode_masks(images), good, masks), told

    def _boxes(self, table: pa.Table, blobs: list[bytes | None], reasons: Sequence[str | None]) -> list[Any]:
        """Boxes moved with their pictures into the declared form; none is the empty list."""
        form, rows = self.form, table.column("boxes").to_pylist()
        if form.resize is None:
            return [boxes or [] for boxes in rows]
        kept = [boxes if reason is None else [] for boxes, reason in zip(rows, reasons, strict=True)]
        sizes = [
            read_image(blob, 1).shape[:2] if boxes and blob else (1, 1) for boxes, blob in zip(kept, blobs, strict=True)
        ]
        moved = fit_boxes(BoxSet.of(kept), np.array(sizes, np.int64), (form.height, form.width), form.resize)
        return [
            new if reason is None else old
            for new, old, reason in zip(moved.rows(len(rows)), rows, reasons, strict=True)
        ]


def same_size(image: bytes | None, mask: bytes | None) -> bool:
    """Whether a picture and its mask declare one size, as far as their headers tell."""
    one, two = (read_header(blob or b"") for blob in (image, mask))
    return one is None or two is None or (one.height, one.width) == (two.height, two.width)


def marks_of(stack: Images, good: Sequence[int], size: int) -> dict[str, list[Any]]:
    """The marks of the images that could be decoded, at their places among `size` rows."""
    looks = image_steps.perceptual_hash(stack).view(np.int64).tolist() if len(stack) else []
    marks = {
        "pixels": [pixel_hash(each) for each in stack],
        "look": looks,
        "thumb": [each.tobytes() for each in thumbs(stack)],
    }
    return {name: placed(values, good, [None] * size) for name, values in marks.items()}


def pixel_hash(pixels: Images) -> str:
    """32 hex digits of an image's pixels and shape."""
    state = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    state.update(np.ascontiguousarray(pixels).tobytes())
    return state.hexdigest()


def thumb_shape(form: ImageForm) -> tuple[int, int, int]:
    """Height, width and channels of a thumbnail."""
    return min(form.height, THUMB_SIDE), min(form.width, THUMB_SIDE), form.channels


def thumbs(stack: Images) -> Images:
    """uint8[N, h, w, C], no side beyond THUMB_SIDE; means of blocks."""
    if not len(stack):
        return stack
    return ((block_means(stack, THUMB_SIDE) + THUMB_LEVEL // 2) // THUMB_LEVEL).clip(0, 255).astype(np.uint8)


def unpacked(column: pa.Array | pa.ChunkedArray, shape: tuple[int, int, int]) -> Images:
    """Thumbnails from their column, as uint8[N, h, w, C]."""
    blobs = column.to_pylist()
    return np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), *shape)


def placed(values: Sequence[Any], places: Sequence[int], whole: Sequence[Any]) -> list[Any]:
    """A copy of `whole` with the values at their places."""
    out = list(whole)
    for place, value in zip(places, values, strict=True):
        out[place] = value
    return out


def with_columns(table: pa.Table, columns: dict[str, list[Any]], schema: pa.Schema) -> pa.Table:
    """The table with columns replaced or added, in the order of `schema`; missing ones null."""
    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(pa.array(columns[field.name], field.type))
        elif field.name in table.schema.names:
            arrays.append(table.column(field.name).cast(field.type))
        else:
            arrays.append(pa.nulls(table.num_rows, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def decoding_schema(rows: pa.Schema) -> pa.Schema:
    """The columns of refused rows, and the marks."""
    return pa.schema([field.with_nullable(True) for field in (*records.refused_schema(rows), *MARKS)])

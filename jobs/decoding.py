"""The first pass of clean over a row: decode it, bring it into the declared form, apply the stateless rules, take its marks.

The marks are what later passes compare instead of images: a hash of the decoded pixels (exact copies), a perceptual hash (near ones), and
a thumbnail of at most 16x16 (the check of a near copy's content, and the distance from its class). They keep those passes narrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.schema import ImageForm, Step
from udfs import image as image_steps
from udfs import names, records

THUMB_SIDE = 16
MAX_DECODED_BYTES = 32 << 20  # of one batch's images in the declared form
WARN = "warn"

MARKS = pa.schema([("pixels", pa.string()), ("look", pa.int64()), ("thumb", pa.binary())])

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Decoding:
    """What a worker needs: the declared form, the rules, and the schema of what it returns."""

    form: ImageForm
    rules: tuple[Step, ...]
    schema: pa.Schema
    stage: str

    @property
    def batch_rows(self) -> int:
        """How many decoded rows fit a batch."""
        return int(np.clip(MAX_DECODED_BYTES // (self.form.height * self.form.width * self.form.channels), 1, 4096))

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """Rows in canonical form with their marks; refused ones with their bytes as they came and the reason."""
        cv2.setNumThreads(0)
        table = pa.Table.from_batches([batch])
        blobs = table.column("image").to_pylist()
        form = self.form
        images, reasons = image_steps.decode(blobs, form.height, form.width, form.channels, form.resize)
        good = [place for place, reason in enumerate(reasons) if reason is None]
        stack = stacked(images, good, form)
        rules, flags = apply_rules(self.rules, stack)
        for place, reason in zip(good, rules, strict=True):
            reasons[place] = reason
        columns = self._marked(table, stack, good, blobs)
        columns["row_flags"] = _spread(flags, good, table.num_rows, [])
        columns["row_reason"] = list(reasons)
        columns["row_stage"] = [self.stage] * table.num_rows
        return _with_columns(table, columns, self.schema)

    def _marked(self, table: pa.Table, stack: Images, good: list[int], blobs: list[Any]) -> dict[str, list[Any]]:
        """Canonical bytes and marks of the rows that could be decoded."""
        encoded = image_steps.encode(stack, self.form.encoding, self.form.jpeg_quality) if good else []
        looks = image_steps.perceptual_hash(stack).astype(np.uint64).view(np.int64).tolist() if good else []
        size = table.num_rows
        image = list(blobs)
        for place, blob in zip(good, encoded, strict=True):
            image[place] = blob
        return {
            "image": image,
            "pixels": _spread([pixel_hash(each) for each in stack], good, size, None),
            "look": _spread(looks, good, size, None),
            "thumb": _spread([each.tobytes() for each in thumbs(stack)], good, size, None),
        }


def apply_rules(rules: Sequence[Step], stack: Images) -> tuple[list[str | None], list[list[str]]]:
    """The first reason against each image, and the flags of rules that only warn."""
    reasons: list[str | None] = [None] * len(stack)
    flags: list[list[str]] = [[] for _ in stack]
    for rule in rules if len(stack) else ():
        options = {key: value for key, value in rule.options.items() if key != "severity"}
        found = resolve(rule)(stack, **options)
        for place, reason in enumerate(found):
            if reason is None:
                continue
            if rule.options.get("severity") == WARN:
                flags[place].append(reason)
            elif reasons[place] is None:
                reasons[place] = reason
    return reasons, flags


def resolve(rule: Step) -> Callable[..., Sequence[str | None]]:
    """The function of a rule."""
    function: Callable[..., Sequence[str | None]] = names.resolve(rule.name)
    return function


def stacked(images: Any, good: list[int], form: ImageForm) -> Images:
    """The decoded images as one uint8[N, H, W, C]."""
    if isinstance(images, np.ndarray) and len(images) == len(good):
        return images
    if not good:
        return np.zeros((0, form.height, form.width, form.channels), np.uint8)
    return np.stack([images[place] for place in good])


def pixel_hash(pixels: Images) -> str:
    """32 hex digits of an image's pixels and shape."""
    state = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    state.update(np.ascontiguousarray(pixels).tobytes())
    return state.hexdigest()


def thumbs(stack: Images) -> Images:
    """uint8[N, h, w, C], no side beyond THUMB_SIDE; area means."""
    if len(stack) == 0 or max(stack.shape[1:3]) <= THUMB_SIDE:
        return stack
    height, width = (min(side, THUMB_SIDE) for side in stack.shape[1:3])
    small = [cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in stack]
    return np.stack(small).reshape(len(stack), height, width, stack.shape[3])


def _spread(values: Sequence[Any], places: Sequence[int], size: int, missing: Any) -> list[Any]:
    """The values at their places in a list of `size`."""
    whole = [missing] * size
    for place, value in zip(places, values, strict=True):
        whole[place] = value
    return whole


def _with_columns(table: pa.Table, columns: dict[str, list[Any]], schema: pa.Schema) -> pa.Table:
    """The table with columns replaced or added, in the order of `schema`."""
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

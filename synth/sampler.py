"""Rows from a checkpoint. Torch only: Ray's actors, `explain` and a notebook call the same class.

A row is a function of (maker, label, index): its noise is drawn by its own id, and it is always computed at position
index % SAMPLE_BLOCK of a block of SAMPLE_BLOCK rows, on one thread. So the same bytes come out of any shard, actor
or attempt.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from conf.errors import RecipeError, StageError
from synth import checkpoint
from synth.encode import Images, from_tensor
from synth.models import SAMPLE_BLOCK, Generator
from udfs import image, records
from udfs.rng import RowRandom

REVISION = 1  # raise it when the same checkpoint, label and index would give other bytes


@dataclass(frozen=True)
class Form:
    """How to make images again, as the card's `decode` tells it."""

    model: str
    options: dict[str, Any]
    channels: int
    height: int
    width: int
    labels: list[str]
    encoding: str = "png"
    jpeg_quality: int = 95


def build(form: Form) -> Any:
    """The model of a form, before its weights are loaded. Raises StageError where it cannot be built."""
    module = importlib.import_module(f"synth.models.{form.model}")
    config = laid_over(next(iter(module.PRESETS.values())), form.options)
    try:
        return module.build(config, form.channels, form.height, form.width, len(form.labels))
    except ValueError as error:
        shape = f"{form.height} x {form.width} x {form.channels}"
        raise StageError(f"{form.model} cannot be built for images of {shape}: {error}") from error


def laid_over(config: Any, options: dict[str, Any]) -> Any:
    """A model's Config with some options changed; options of a part of it are themselves a dict."""
    parts = {name: getattr(config, name) for name, value in options.items() if isinstance(value, dict)}
    return dataclasses.replace(config, **{**options, **{k: laid_over(part, options[k]) for k, part in parts.items()}})


def maker_of(checkpoint_id: str, temperature: float, where: str = "") -> str:
    """The maker of the rows of a checkpoint and plan: all that decides them but label and index.

    `where` tells the conditions that rows meet, or the rows that they are near to.
    """
    told: dict[str, Any] = {"where": where or {}, "temperature": float(temperature)}
    return records.maker("synthetic", checkpoint_id, told, REVISION)


def lineage_of(checkpoint_id: str, label: str, start: int, ids: pa.Array) -> dict[str, pa.Array]:
    """Lineage columns of the rows of these ids, from index `start` on; label "" is drawn with the others."""
    count, schema = len(ids), records.LINEAGE
    asked = f", label {label}" if label else ""
    numbers = pa.array(np.arange(start, start + count)).cast(pa.string())
    empty = pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()))
    same = {"row_origin": "synthetic", "row_split": "train", "row_label_source": "generator"}
    return {
        "row_id": ids,
        "row_parents": empty,
        "row_flags": empty,
        "row_source": pc.binary_join_element_wise(f"checkpoint {checkpoint_id}{asked}, index ", numbers, ""),
        **{name: pa.repeat(pa.scalar(value, schema.field(name).type), count) for name, value in same.items()},
    }


class Sampler:
    """Makes the images of one checkpoint."""

    label_column = "label"

    def __init__(
        self,
        folder: str,
        temperature: float = 1.0,
        threads: int = 1,
        device: str = "cpu",
        where: str = "",
        near: str = "",
    ) -> None:
        """Load and verify the checkpoint in `folder`.

        Raises CheckpointError where it is damaged, RecipeError for conditions: images have no columns to meet them.
        """
        if where or near:
            raise RecipeError(f"rows.where is {where or near!r}, and images have no columns: it goes with tables.")
        loaded = checkpoint.load(folder)
        self.id, self.temperature, self.threads, self.device = loaded.id, temperature, threads, device
        self.form = Form(**loaded.card["decode"])
        build_again = functools.partial(build, self.form)
        self.model: Generator = with_weights(build_again, loaded.tensors, loaded.folder).to(device)
        self.maker = maker_of(loaded.id, temperature)
        self.schema = records.image_schema()
        self.codes = {label: code for code, label in enumerate(self.form.labels)}

    def __call__(self, label: str, start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop` of a label, as `records.image_schema` has them, hashes included."""
        first, ids = self._ids(label, start, stop)
        images = self._made(label, first, ids)[start - first : stop - first]
        blobs = image.encode(images, encoding=self.form.encoding, quality=self.form.jpeg_quality)
        lineage = self._lineage(label, start, ids[start - first : stop - first])
        schema = records.image_schema()
        columns = {**lineage, "label": [label] * len(blobs), "image": blobs}
        table = pa.table({name: pa.array(value, schema.field(name).type) for name, value in columns.items()})
        return records.with_hashes(records.conform(table, schema))

    def ids(self, label: str, start: int, stop: int) -> pa.Array:
        """The ids of a label's rows."""
        return pa.array(records.sampled_ids(self.maker, label, range(start, stop)), pa.string())

    def images(self, label: str, start: int, stop: int) -> Images:
        """uint8[stop - start, H, W, C]: the rows' pixels alone."""
        first, ids = self._ids(label, start, stop)
        return self._made(label, first, ids)[start - first : stop - first]

    def _ids(self, label: str, start: int, stop: int) -> tuple[int, list[str]]:
        """The index at which the first block begins, and the ids of all rows of the blocks that hold the range."""
        if label not in self.codes:
            raise StageError(f"{label!r} is not among the checkpoint's labels {self.form.labels}.")
        first = start - start % SAMPLE_BLOCK
        last = first + -(-(stop - first) // SAMPLE_BLOCK) * SAMPLE_BLOCK if stop > start else first
        return first, records.sampled_ids(self.maker, label, range(first, last))

    @torch.inference_mode()
    def _made(self, label: str, first: int, ids: list[str]) -> Images:
        """uint8[N, H, W, C]: whole blocks, one after the other."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        noise = RowRandom(ids, 0, "sample").normal(size=(self.model.noise_width,)).astype(np.float32)
        condition = torch.full((SAMPLE_BLOCK,), self.codes[label], dtype=torch.int64, device=self.device)
        made = np.empty((len(ids), self.form.height, self.form.width, self.form.channels), np.uint8)
        for start in range(0, len(ids), SAMPLE_BLOCK):
            block = torch.from_numpy(noise[start : start + SAMPLE_BLOCK]).to(self.device)
            made[start : start + SAMPLE_BLOCK] = from_tensor(self.model.sample(block, condition, self.temperature))
        return made

    def _lineage(self, label: str, start: int, ids: list[str]) -> dict[str, list[Any]]:
        """Who made the rows, and which ones they are."""
        count = len(ids)
        return {
            "row_id": ids,
            "row_origin": ["synthetic"] * count,
            "row_parents": [[]] * count,
            "row_split": ["train"] * count,
            "row_source": [f"checkpoint {self.id}, label {label}, index {start + place}" for place in range(count)],
            "row_label_source": ["generator"] * count,
            "row_flags": [[]] * count,
        }


def with_weights(build_again: Callable[[], Any], tensors: dict[str, Tensor], folder: str) -> Any:
    """The model with a checkpoint's weights. Raises CheckpointError where they do not belong together."""
    try:
        model = build_again()
        model.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError, ModuleNotFoundError) as error:
        raise checkpoint.CheckpointError(f"{folder}: weights and card do not belong together: {error}.") from error
    return model.eval().requires_grad_(False)

"""Rows from a checkpoint. Torch only: Ray's actors, `explain` and a notebook call the same class.

A row is a function of (maker, label, index): its noise is drawn by its own id, and it is always computed at position
index % SAMPLE_BLOCK of a block of SAMPLE_BLOCK rows, on one thread. So the same bytes come out of any shard, actor
or attempt.
"""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from conf.errors import StageError
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
    """The model of a form, before its weights are loaded."""
    module = importlib.import_module(f"synth.models.{form.model}")
    config = laid_over(next(iter(module.PRESETS.values())), form.options)
    return module.build(config, form.channels, form.height, form.width, len(form.labels))


def laid_over(config: Any, options: dict[str, Any]) -> Any:
    """A model's Config with some options changed; options of a part of it are themselves a dict."""
    parts = {name: getattr(config, name) for name, value in options.items() if isinstance(value, dict)}
    return dataclasses.replace(config, **{**options, **{k: laid_over(part, options[k]) for k, part in parts.items()}})


def maker_of(checkpoint_id: str, temperature: float) -> str:
    """The maker of the rows of a checkpoint and plan: all that decides them but label and index."""
    return records.maker("synthetic", checkpoint_id, {"where": {}, "temperature": float(temperature)}, REVISION)


def row_id_of(maker: str, label: str, index: int) -> str:
    """The id of a maker's row."""
    return maker + records.which(label, index)


class Sampler:
    """Makes the rows of one checkpoint."""

    def __init__(self, folder: str, temperature: float = 1.0, threads: int = 1, device: str = "cpu") -> None:
        """Load and verify the checkpoint in `folder`. Raises CheckpointError where it is damaged."""
        loaded = checkpoint.load(folder)
        self.id, self.temperature, self.threads, self.device = loaded.id, temperature, threads, device
        self.form = Form(**loaded.card["decode"])
        self.model: Generator = _with_weights(self.form, loaded).to(device)
        self.maker = maker_of(loaded.id, temperature)
        self.codes = {label: code for code, label in enumerate(self.form.labels)}

    def __call__(self, label: str, start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop` of a label, as `records.image_schema` has them, hashes included."""
        images = self.images(label, start, stop)
        blobs = image.encode(images, encoding=self.form.encoding, quality=self.form.jpeg_quality)
        columns = {**self._lineage(label, range(start, stop)), "label": [label] * len(blobs), "image": blobs}
        schema = records.image_schema()
        table = pa.table({name: pa.array(value, schema.field(name).type) for name, value in columns.items()})
        return records.with_hashes(records.conform(table, schema))

    def images(self, label: str, start: int, stop: int) -> Images:
        """uint8[stop - start, H, W, C]: whole blocks are made, and what was not asked for is cut off."""
        if label not in self.codes:
            raise StageError(f"{label!r} is not among the checkpoint's labels {self.form.labels}.")
        first = start - start % SAMPLE_BLOCK
        blocks = [from_tensor(self._block(label, place)) for place in range(first, stop, SAMPLE_BLOCK)]
        if not blocks:
            return np.zeros((0, self.form.height, self.form.width, self.form.channels), np.uint8)
        return np.concatenate(blocks)[start - first : stop - first]

    @torch.inference_mode()
    def _block(self, label: str, first: int) -> Tensor:
        """(SAMPLE_BLOCK, C, H, W) in [-1, 1]: the block of rows that begins at `first`."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        ids = [row_id_of(self.maker, label, index) for index in range(first, first + SAMPLE_BLOCK)]
        drawn = RowRandom(ids, 0, "sample").normal(size=(self.model.noise_width,))
        noise = torch.from_numpy(drawn.astype(np.float32)).to(self.device)
        condition = torch.full((SAMPLE_BLOCK,), self.codes[label], dtype=torch.int64, device=self.device)
        return self.model.sample(noise, condition, self.temperature)

    def _lineage(self, label: str, indices: range) -> dict[str, list[Any]]:
        """Who made the rows, and which ones they are."""
        count = len(indices)
        return {
            "row_id": [row_id_of(self.maker, label, index) for index in indices],
            "row_origin": ["synthetic"] * count,
            "row_parents": [[]] * count,
            "row_split": ["train"] * count,
            "row_source": [f"checkpoint {self.id}, label {label}, index {index}" for index in indices],
            "row_label_source": ["generator"] * count,
            "row_flags": [[]] * count,
        }


def _with_weights(form: Form, loaded: checkpoint.Loaded) -> Any:
    """The model with the checkpoint's weights. Raises CheckpointError where they do not belong together."""
    try:
        model = build(form)
        model.load_state_dict(loaded.tensors)
    except (RuntimeError, TypeError, AttributeError, ModuleNotFoundError) as error:
        raise checkpoint.CheckpointError(
            f"{loaded.folder}: weights and card do not belong together: {error}."
        ) from error
    return model.eval().requires_grad_(False)

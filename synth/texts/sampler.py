"""Rows of texts from a checkpoint. Torch only: Ray's actors, `explain` and a notebook call the same class.

A row is a function of (maker, label, index): its code, where the model has codes, and its pieces are drawn by the row's
own id. It is always computed at position index % BLOCK of a block of BLOCK rows, on one thread, so that not even its
last bit depends on who asks for it. Label "" stands for rows whose label is drawn too, as often as train rows have it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from conf.errors import RecipeError, StageError
from synth import checkpoint
from synth.sampler import lineage_of, maker_of
from synth.texts.copies import Copies
from synth.texts.drawing import Drawing
from synth.texts.training import opened
from udfs import hashing, records
from udfs.rng import Words, numbered

BLOCK = 64
LABEL = 1 << 20  # the counter of the draw of a row's label
CODE = LABEL + 1  # and of the first draw of its code
_LEAST = 2.0**-54  # for the draw 0, which no normal number has
_SALT = hashing.word_of("text", "draw")


class Sampler:
    """Makes the texts of one checkpoint."""

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

        Raises CheckpointError where it is damaged, RecipeError for conditions: texts have no columns to meet them. Rows
        are always drawn on the CPU, `device` or not: another device rounds otherwise.
        """
        if where or near:
            raise RecipeError(f"rows.where is {where or near!r}, and texts have no columns: it goes with tables.")
        loaded = checkpoint.load(folder)
        self.id, self.temperature, self.threads = loaded.id, temperature, threads
        decode = loaded.card["decode"]
        self.model, pieces, allowed = opened(loaded)
        copies = Copies.from_tensors(decode["run"], loaded.tensors)
        self.drawing = Drawing(self.model.writer, pieces, allowed, copies, self.model.config.top_p)
        self.maker = maker_of(loaded.id, temperature)
        self.schema = records.text_schema()
        self.labels: list[str] = decode["labels"]
        counts = np.array([decode["per_label"][label] for label in self.labels], np.float64)
        self.shares = np.cumsum(counts) / counts.sum()

    def __call__(self, label: str, start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop` of a label, as `records.text_schema` has them, hashes included."""
        ids = self.ids(label, start, stop)
        texts, codes = self._made(label, start, stop)
        payload = {"label": pa.array([self.labels[code] for code in codes.tolist()], pa.string()), "text": texts}
        table = pa.table({**lineage_of(self.id, label, start, ids), **payload})
        return records.with_hashes(records.conform(table, self.schema))

    def ids(self, label: str, start: int, stop: int) -> pa.Array:
        """The ids of a label's rows."""
        return hashing.numbered_ids(self.maker, label, start, stop)

    def texts(self, label: str, start: int, stop: int) -> list[str]:
        """The rows' texts alone."""
        return self._made(label, start, stop)[0].to_pylist()

    def _made(self, label: str, start: int, stop: int) -> tuple[pa.Array, NDArray[np.int64]]:
        """Texts and labels of rows `start` to `stop`, whole blocks drawn one after the other."""
        if label and label not in self.labels:
            raise StageError(f"{label!r} is not among the checkpoint's labels {self.labels}.")
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        first, texts, codes = start - start % BLOCK, list[str](), [np.zeros(0, np.int64)]
        for at in range(first, stop, BLOCK) if stop > start else ():
            words = hashing.id_words(self.ids(label, at, at + BLOCK), _SALT)
            codes.append(self._codes(label, words))
            uniforms = numbered(words, np.arange(self.model.writer.shape.context))
            told = self.model.told(torch.from_numpy(codes[-1]), self._noise(words), self.temperature)
            texts += self.drawing.texts(told, uniforms, self.temperature)
        here = slice(start - first, stop - first)
        return pa.array(texts[here], pa.string()), np.concatenate(codes)[here]

    def _noise(self, words: Words) -> torch.Tensor:
        """float32 (N, noise_width), standard normal: by inverse CDF."""
        uniforms = numbered(words, CODE + np.arange(self.model.noise_width))
        return torch.special.ndtri(torch.from_numpy(uniforms).clamp_min(_LEAST)).float()

    def _codes(self, label: str, words: Words) -> NDArray[np.int64]:
        """int64[N]: the label's place, or one drawn for each row."""
        if label:
            return np.full(len(words), self.labels.index(label))
        return np.searchsorted(self.shares[:-1], numbered(words, np.array([LABEL]))[:, 0], side="right")

"""Windows from a checkpoint. Torch only: Ray's actors, `explain` and a notebook call the same class.

A row is a function of (maker, label, index): its noise is drawn by its own id, and it is always computed at position
index % BLOCK of a block of BLOCK rows, on one thread, so that not even its last bit depends on who asks for it. Label
"" stands for rows whose label is drawn too, as often as train rows have it, or that have none.

`complete` makes what is missing of windows: a forecast, or what stands between. There a row is a function of its id,
its label and what is known of it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from conf.errors import RecipeError, StageError
from synth import checkpoint
from synth.models import SAMPLE_BLOCK as BLOCK
from synth.sampler import lineage_of, maker_of, with_weights
from synth.series.representation import Encoded, Representation
from synth.series.rows import Codes, Windows
from synth.series.training import VALUES, Form, built, shape_of
from udfs import hashing, records
from udfs.rng import Words, numbered
from udfs.series.windows import listed

LABEL = 1 << 40  # the counter of the draw of a row's label
_SALT = hashing.word_of("series", "draw")
_UNIT = 2.0**-53


class Sampler:
    """Makes the windows of one checkpoint."""

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

        Raises CheckpointError where it is damaged, RecipeError for conditions: series have no columns to meet them.
        Rows are always drawn on the CPU, `device` or not: another device rounds otherwise.
        """
        if where or near:
            raise RecipeError(f"rows.where is {where or near!r}, and series have no columns: it goes with tables.")
        loaded = checkpoint.load(folder)
        self.id, self.temperature, self.threads = loaded.id, temperature, threads
        decode, tensors = loaded.card["decode"], loaded.tensors
        arrays = {name.removeprefix(VALUES): t.numpy() for name, t in tensors.items() if name.startswith(VALUES)}
        self.representation = Representation.from_card(decode["representation"], arrays)
        form = Form(decode["model"], decode["options"], decode["labels"])
        weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(VALUES)}
        shape = shape_of(self.representation, decode["rows"])
        self.model = with_weights(functools.partial(built, form, shape), weights, loaded.folder)
        self.maker = maker_of(loaded.id, temperature)
        self.schema = records.series_schema()
        self.labels = form.labels
        self.label_column = "label" if form.labels else None
        self.shares = np.cumsum(decode["rows"]) / np.sum(decode["rows"])

    def __call__(self, label: str, start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop` of a label, as `records.series_schema` has them, hashes included."""
        ids = self.ids(label, start, stop)
        windows, codes = self._made(label, start, stop)
        told = [self.labels[code] for code in codes.tolist()] if self.labels else [None] * len(codes)
        payload = {"label": pa.array(told, pa.string()), "series": listed(windows)}
        table = pa.table({**lineage_of(self.id, label, start, ids), **payload})
        return records.with_hashes(records.conform(table, self.schema))

    def ids(self, label: str, start: int, stop: int) -> pa.Array:
        """The ids of a label's rows."""
        return hashing.numbered_ids(self.maker, label, start, stop)

    def windows(self, label: str, start: int, stop: int) -> Windows:
        """float64[stop - start, T, C]: the rows' values alone."""
        return self._made(label, start, stop)[0]

    def complete(self, windows: Windows, labels: Sequence[str], ids: pa.Array) -> Windows:
        """Windows float64[N, T, C] with a draw for each NaN that goes with what is known, which stays as it is.

        `labels` says each window's, "" where the checkpoint has none; draws belong to the rows' `ids` (40 hex digits
        each). Raises StageError for windows or labels that are not of the checkpoint's form.
        """
        self._check(windows, labels, ids)
        codes = np.array([self.labels.index(each) if self.labels else 0 for each in labels], np.int64)
        words = hashing.id_words(ids, _SALT)
        known, out = self.representation.known(windows), np.zeros(windows.shape, np.float32)
        for rows in blocks_by(words):
            out[rows] = self._block(words, codes, known, rows)
        return self.representation.completed(out, windows) if len(windows) else windows

    def _made(self, label: str, start: int, stop: int) -> tuple[Windows, Codes]:
        """Windows and labels of rows `start` to `stop`, whole blocks drawn one after the other."""
        if label and label not in self.labels:
            raise StageError(f"{label!r} is not among the checkpoint's labels {self.labels}.")
        first, shape = start - start % BLOCK, self.model.shape
        made, codes = [np.zeros((0, shape.length, shape.channels), np.float32)], [np.zeros(0, np.int64)]
        for at in range(first, stop, BLOCK) if stop > start else ():
            words = hashing.id_words(self.ids(label, at, at + BLOCK), _SALT)
            codes.append(self._codes(label, words))
            made.append(self._drawn(words, codes[-1]))
        here = slice(start - first, stop - first)
        return self.representation.decode(np.concatenate(made)[here]), np.concatenate(codes)[here]

    def _codes(self, label: str, words: Words) -> Codes:
        """int64[N]: the label's place, or one drawn for each row."""
        if label:
            return np.full(len(words), self.labels.index(label))
        return np.searchsorted(self.shares[:-1], numbered(words, np.array([LABEL]))[:, 0], side="right")

    def _block(self, words: Words, codes: Codes, known: Encoded, rows: NDArray[np.int64]) -> Encoded:
        """Complete rows, each at its own place of a block; the others there are as if nothing were known."""
        places = (words[rows] % np.uint64(BLOCK)).astype(np.int64)
        full_words, full_codes = np.zeros(BLOCK, np.uint64), np.zeros(BLOCK, np.int64)
        full = np.full((BLOCK, *known.shape[1:]), np.nan, np.float32)
        full_words[places], full_codes[places], full[places] = words[rows], codes[rows], known[rows]
        return self._drawn(full_words, full_codes, full)[places]

    @torch.inference_mode()
    def _drawn(self, words: Words, codes: Codes, known: Encoded | None = None) -> Encoded:
        """A block of windows as the model makes them, by the rows' words."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        uniforms = torch.from_numpy(numbered(words, np.arange(self.model.noise_width)))
        noise = torch.special.ndtri(uniforms.clamp(_UNIT, 1 - _UNIT)).float()
        given = None if known is None else torch.from_numpy(known)
        return self.model.sample(noise, torch.from_numpy(codes), self.temperature, known=given).numpy()

    def _check(self, windows: Windows, labels: Sequence[str], ids: pa.Array) -> None:
        """Refuse windows, labels or ids that do not go with the checkpoint or with each other."""
        form = (self.model.shape.length, self.model.shape.channels)
        if windows.shape[1:] != form or not len(windows) == len(labels) == len(ids):
            raise StageError(
                f"complete has windows of shape {windows.shape}, {len(labels)} labels and {len(ids)} ids; "
                f"the checkpoint {self.id} makes windows of {form[0]} steps and {form[1]} channels: give each its own."
            )
        if np.isinf(windows).any():
            raise StageError("complete has a value that is infinite: what is to be made is NaN.")
        strange = [each for each in labels if each not in (self.labels or [""])]
        if strange:
            raise StageError(f"{strange[0]!r} is not among the checkpoint's labels {self.labels}: give every window's.")


def blocks_by(words: Words) -> list[NDArray[np.int64]]:
    """Rows in blocks in which no two want the same place, which a row's own word tells."""
    places = (words % np.uint64(BLOCK)).astype(np.int64)
    order = np.argsort(places, kind="stable")
    turn = np.arange(len(words)) - np.searchsorted(places[order], places[order])
    return [order[turn == each] for each in range(int(turn.max()) + 1 if len(words) else 0)]

"""Users from a checkpoint. Torch only: Ray's actors, `explain` and a notebook call the same class.

A row is a function of (maker, label "", index): all its draws are numbers of the row's own id. It is always computed at
position index % BLOCK of a block of BLOCK rows, on one thread, so that not even its last bit depends on who asks.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from conf.errors import RecipeError, StageError
from synth import checkpoint
from synth.behaviour.alphabet import Alphabet
from synth.behaviour.copies import Copies
from synth.behaviour.drawing import DRAWS, Drawing
from synth.behaviour.profiles import Profiles
from synth.behaviour.training import BESIDE, COUNTS, PROFILES, RUNS, Form, built
from synth.sampler import lineage_of, maker_of, with_weights
from udfs import hashing, records
from udfs.behaviour.compiled import lists_of
from udfs.behaviour.values import Events, Sequences
from udfs.rng import Words, numbered

BLOCK = 64
PROFILE = 1 << 24  # the counter of the draw of a row's profile, then of its length, its first moment, its attributes
_SALT = hashing.word_of("behaviour", "draw")


class Sampler:
    """Makes the users of one checkpoint."""

    label_column = None

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

        Raises CheckpointError where it is damaged, RecipeError for conditions that no train user meets. Rows are always
        drawn on the CPU, `device` or not: another device rounds otherwise.
        """
        if near:
            raise RecipeError("users are not made near single ones: rows.hard goes with tables.")
        loaded = checkpoint.load(folder)
        self.id, self.temperature, self.threads = loaded.id, temperature, threads
        decode, tensors = loaded.card["decode"], loaded.tensors
        self.alphabet = Alphabet.from_dict(decode["alphabet"])
        weights = {name: tensor for name, tensor in tensors.items() if name not in BESIDE}
        form = Form(decode["model"], decode["options"])
        build_again = functools.partial(built, form, tensors[COUNTS], self.alphabet)
        self.model = with_weights(build_again, weights, loaded.folder)
        copies = Copies(decode["run"], tensors[RUNS].numpy().view(np.uint64))
        self.drawing = Drawing(self.model, self.alphabet, copies)
        self.profiles = Profiles.of(self.alphabet, tensors[PROFILES].numpy(), where)
        self.maker = maker_of(loaded.id, temperature, where)
        self.schema = records.behaviour_schema({trait.name: trait.kind for trait in self.alphabet.traits})

    def __call__(self, label: str, start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop`, as `records.behaviour_schema` has them, hashes included; they name no user."""
        ids = self.ids(label, start, stop)
        users, attributes = self._made(label, start, stop)
        table = pa.table({**lineage_of(self.id, label, start, ids), **attributes, **lists_of(Sequences(list(users)))})
        return records.with_hashes(records.conform(table, self.schema))

    def ids(self, label: str, start: int, stop: int) -> pa.Array:
        """The ids of the rows."""
        return hashing.numbered_ids(self.maker, label, start, stop)

    def users(self, start: int, stop: int) -> list[Events]:
        """The rows' events alone."""
        return self._made("", start, stop)[0]

    def _made(self, label: str, start: int, stop: int) -> tuple[list[Events], dict[str, pa.Array]]:
        """Events and attributes of rows `start` to `stop`, whole blocks drawn one after the other."""
        if label:
            raise StageError(f"{label!r} is asked for, and users have no label.")
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        first, users = start - start % BLOCK, list[Events]()
        told: dict[str, list[Any]] = {trait.name: [] for trait in self.alphabet.traits}
        for at in range(first, stop, BLOCK) if stop > start else ():
            made, attributes = self._block(hashing.id_words(self.ids(label, at, at + BLOCK), _SALT))
            users += made
            for name, values in attributes.items():
                told[name] += values
        here = slice(start - first, stop - first)
        kinds = {name: self.schema.field(name).type for name in told}
        return users[here], {name: pa.array(values[here], kinds[name]) for name, values in told.items()}

    def _block(self, words: Words) -> tuple[list[Events], dict[str, list[Any]]]:
        """One block's users."""
        traits = len(self.alphabet.traits)
        who = numbered(words, np.arange(PROFILE, PROFILE + 3 + traits))
        profiles = self.profiles.drawn(who[:, 0])
        lengths = self.alphabet.lengths.drawn_by_size(profiles[:, traits + 1], who[:, 1]).astype(np.int64)
        if not self.alphabet.repeats:
            lengths = np.minimum(lengths, len(self.alphabet.items))
        starts = self.alphabet.starts.drawn(profiles[:, traits], who[:, 2], whole=True)
        longest = int(lengths.max())
        uniforms = numbered(words, np.arange(longest * DRAWS)).reshape(len(words), longest, DRAWS)
        users = self.drawing.users(profiles, lengths, starts, uniforms, self.temperature)
        return users, self.profiles.attributes(profiles, who[:, 3:])

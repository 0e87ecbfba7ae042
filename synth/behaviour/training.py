"""How a generator of behaviour is trained: its form, and train rows as codes."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conf import Config
from conf.errors import StageError
from conf.schema import Generate
from synth.behaviour.alphabet import Alphabet
from synth.behaviour.copies import Copies
from synth.behaviour.fitting import UserRows, rows_of
from synth.encode import in_random_order, read_rows
from synth.fit import Settings
from synth.job import Job
from synth.sampler import laid_over
from udfs.behaviour.compiled import sequences_of
from udfs.behaviour.values import Events

COUNTS, RUNS, PROFILES = "counts", "runs", "profiles"  # tensors beside the model's weights
BESIDE = (COUNTS, RUNS, PROFILES)
LEAST_EVENTS = 2  # of known items, or a user teaches nothing


@dataclasses.dataclass(frozen=True)
class Form:
    """Which model with which options."""

    model: str
    options: dict[str, Any]


def form_of(config: Config, generator: Generate, options: Any, attempt: int) -> Form:
    """How the model of an attempt is built: the same each time."""
    return Form(generator.model, dataclasses.asdict(options))


def built(form: Form, counts: Tensor, alphabet: Alphabet) -> Any:
    """The model of a form for items that train rows have so often, before its weights are loaded.

    Raises StageError where its options do not go together.
    """
    module = importlib.import_module(f"synth.models.{form.model}")
    config = laid_over(next(iter(module.PRESETS.values())), form.options)
    steps = len(alphabet.ratings), len(alphabet.gaps), alphabet.conditions
    try:
        return module.build(config, module.Shape(counts, *steps, alphabet.repeats))
    except ValueError as error:
        raise StageError(f"{form.model} cannot be built: {error}.") from error


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Train rows, and the models that learn from them."""

    job: Job
    alphabet: Alphabet
    copies: Copies
    rows: UserRows
    per_label: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The job's, with as many steps as its epochs over these rows."""
        return self.job.settings_over(len(self.rows.lengths))

    @property
    def counts(self) -> Tensor:
        """float64 (items,): how often train rows have each item."""
        rows = self.rows
        there = torch.arange(rows.items.shape[1]) < rows.lengths[:, None]
        return torch.bincount(rows.items[there], minlength=len(self.alphabet.items)).double()

    def build(self, attempt: int) -> Any:
        """The untrained model of an attempt."""
        return built(self.job.forms[attempt], self.counts, self.alphabet)

    def decode(self, attempt: int) -> dict[str, Any]:
        """What is needed beside the tensors to make rows again, as JSON."""
        told = {"alphabet": self.alphabet.as_dict(), "run": self.copies.run}
        return {**dataclasses.asdict(self.job.forms[attempt]), **told}

    def tensors(self) -> dict[str, Tensor]:
        """How often train rows have each item, hashes of what is not to be copied, and what kinds of users there are,
        in an order that says nothing of them.
        """
        profiles = self.rows.condition.numpy()
        ordered = profiles[np.lexsort(profiles.T[::-1])]
        runs = torch.from_numpy(self.copies.words.view(np.int64))
        return {COUNTS: self.counts, RUNS: runs, PROFILES: torch.from_numpy(np.ascontiguousarray(ordered))}


def prepare(job: Job) -> Prepared:
    """All train rows as codes. Raises StageError where none has known items enough."""
    form, options = job.config.recipe.behaviour, job.forms[0].options
    assert form is not None
    table = in_random_order(read_rows(job.rows_folder, [*form.attributes, "items", "ratings", "times"]))
    whole: list[Events] = [user for user in sequences_of(table).users if user is not None]
    if len(whole) < table.num_rows or not whole:
        raise StageError(f"{job.rows_folder}: a train row has no events. Run clean again.")
    kinds = {name: (said.type, table.column(name).to_pylist()) for name, said in form.attributes.items()}
    alphabet = Alphabet.of(whole, kinds, options["items"])
    users = [alphabet.known(user) for user in whole]
    good = np.array([len(user) >= LEAST_EVENTS for user in users])
    if not good.any():
        raise StageError(f"no train user has {LEAST_EVENTS} events of the {options['items']:,} most frequent items.")
    traits = [trait.codes(kinds[trait.name][1])[good] for trait in alphabet.traits]
    rows = rows_of([user for user, fine in zip(users, good, strict=True) if fine], traits, alphabet)
    sequences = [row[:length].numpy() for row, length in zip(rows.items, rows.lengths.tolist(), strict=True)]
    return Prepared(job, alphabet, Copies.of(sequences, options["longest_copy"] + 1), rows)

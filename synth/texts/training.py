"""How a generator of texts is trained: its form, and train rows as pieces."""

from __future__ import annotations

import dataclasses
import importlib
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conf import Config
from conf.errors import StageError
from conf.schema import Generate
from synth.encode import counts, in_random_order, read_rows, to_codes
from synth.fit import Settings
from synth.job import Job
from synth.models.text_writer import Shape
from synth.sampler import laid_over
from synth.texts.copies import Copies
from synth.texts.fitting import TextRows, padded
from synth.texts.pieces import Pieces, measure

PIECES, COUNTS, RUNS, WHOLES = "pieces", "counts", "runs", "wholes"  # tensors beside the model's weights
BESIDE = (PIECES, COUNTS, RUNS, WHOLES)


@dataclasses.dataclass(frozen=True)
class Form:
    """Which model with which options, for which labels."""

    model: str
    options: dict[str, Any]
    labels: list[str]


def form_of(config: Config, generator: Generate, options: Any, attempt: int) -> Form:
    """How the model of an attempt is built: the same each time."""
    return Form(generator.model, dataclasses.asdict(options), list(config.recipe.labels))


def built(form: Form, counts: Tensor, context: int) -> Any:
    """The model of a form for pieces that train rows have so often, before its weights are loaded.

    Raises StageError where its options do not go together.
    """
    module = importlib.import_module(f"synth.models.{form.model}")
    config = laid_over(next(iter(module.PRESETS.values())), form.options)
    try:
        return module.build(config, Shape(counts, len(form.labels), context))
    except ValueError as error:
        raise StageError(f"{form.model} cannot be built: {error}.") from error


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Train rows, and the models that learn from them."""

    job: Job
    pieces: Pieces
    copies: Copies
    rows: TextRows

    @property
    def settings(self) -> Settings:
        """The job's, with as many steps as its epochs over these rows."""
        options, settings = self.job.forms[0].options, self.job.settings
        if settings.max_steps:
            return settings
        steps = math.ceil(options["epochs"] * len(self.rows.labels) / settings.batch_size)
        return dataclasses.replace(settings, max_steps=max(options["least_steps"], steps))

    @property
    def per_label(self) -> dict[str, int]:
        """Train rows of each label."""
        return counts(self.rows.labels.cpu().numpy(), self.job.config.recipe.labels)

    @property
    def context(self) -> int:
        """Pieces of the longest train row, its end among them."""
        return int(self.rows.tokens.shape[1])

    @property
    def counts(self) -> Tensor:
        """float64 (pieces + 1,): how often train rows have each piece, and end."""
        rows, size = self.rows, len(self.pieces) + 1
        there = torch.arange(self.context) < rows.lengths[:, None]
        return torch.bincount(rows.tokens.cpu()[there], minlength=size).double()

    def build(self, attempt: int) -> Any:
        """The untrained model of an attempt."""
        return built(self.job.forms[attempt], self.counts, self.context)

    def decode(self, attempt: int) -> dict[str, Any]:
        """What is needed beside the tensors to make rows again, as JSON."""
        told = {"context": self.context, "per_label": self.per_label, "run": self.copies.run}
        return {**dataclasses.asdict(self.job.forms[attempt]), **told}

    def tensors(self) -> dict[str, Tensor]:
        """The vocabulary, how often train rows have each piece, and the hashes of what is not to be copied."""
        words = {RUNS: self.copies.runs, WHOLES: self.copies.wholes}
        hashes = {name: torch.from_numpy(each.view(np.int64)) for name, each in words.items()}
        return {PIECES: torch.from_numpy(self.pieces.array()), COUNTS: self.counts, **hashes}


def prepare(job: Job) -> Prepared:
    """All train rows as pieces. Raises StageError for a label without any."""
    recipe, options = job.config.recipe, job.forms[0].options
    table = in_random_order(read_rows(job.rows_folder, ["label", "text"]))
    codes, texts = to_codes(table, recipe.labels), [text or "" for text in table.column("text").to_pylist()]
    empty = [label for label, count in counts(codes, recipe.labels).items() if count == 0]
    if empty:
        raise StageError(f"there are no train rows of {empty[0]!r}: a generator needs at least one row of each label.")
    pieces = measure(texts, options["pieces"])
    tokens, lengths = padded([pieces.encode(text) for text in texts], len(pieces), options["context"])
    rows = TextRows(tokens, lengths, torch.from_numpy(codes))
    return Prepared(job, pieces, Copies.of(texts, options["longest_copy"] + 1), rows)

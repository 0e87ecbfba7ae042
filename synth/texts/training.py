"""How a generator of texts is trained: its form, and train rows as pieces."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from typing import Any

import torch
from torch import Tensor

from conf import Config
from conf.errors import StageError
from conf.schema import Generate
from synth import checkpoint
from synth.encode import counts
from synth.fit import Settings
from synth.job import Job
from synth.models.text_writer import Shape
from synth.sampler import laid_over, with_weights
from synth.texts import pretrained
from synth.texts.copies import RUNS, WHOLES, Copies
from synth.texts.fitting import TextRows, padded, texts_of
from synth.texts.model_folder import Vocabulary
from synth.texts.pieces import Pieces, measure

PIECES, COUNTS = "pieces", "counts"  # tensors beside the model's weights
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
        return self.job.settings_over(len(self.rows.labels))

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
        return {PIECES: torch.from_numpy(self.pieces.array()), COUNTS: self.counts, **self.copies.tensors()}


def prepare(job: Job) -> Prepared | pretrained.Prepared:
    """All train rows as pieces. Raises StageError for a label without any."""
    options = job.forms[0].options
    if job.forms[0].model == pretrained.MODEL:
        return pretrained.prepare(job)
    texts, codes = texts_of(job)
    pieces = measure(texts, options["pieces"])
    tokens, lengths = padded([pieces.encode(text) for text in texts], len(pieces), options["context"])
    rows = TextRows(tokens, lengths, torch.from_numpy(codes))
    return Prepared(job, pieces, Copies.of(texts, options["longest_copy"] + 1), rows)


def opened(loaded: checkpoint.Loaded) -> tuple[Any, Pieces | Vocabulary, Tensor]:
    """A checkpoint's model, the pieces that it writes with, and which of them may be drawn, the end of a text last."""
    decode, tensors = loaded.card["decode"], loaded.tensors
    if decode["model"] == pretrained.MODEL:
        return pretrained.opened(loaded)
    form = Form(decode["model"], decode["options"], decode["labels"])
    weights = {name: tensor for name, tensor in tensors.items() if name not in BESIDE}
    build_again = functools.partial(built, form, tensors[COUNTS], decode["context"])
    model = with_weights(build_again, weights, loaded.folder)
    return model, Pieces.from_array(tensors[PIECES].numpy()), tensors[COUNTS] > 0

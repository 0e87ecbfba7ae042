"""How a language model of a person's own becomes a generator: its folder read, train rows in its own pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from conf.errors import RecipeError, StageError
from conf.runs import below
from synth import checkpoint
from synth.encode import counts
from synth.fit import Settings
from synth.job import Job
from synth.models import text_pretrained
from synth.models.text_pretrained import Asked, Config, Pretrained
from synth.models.text_writer import Shape
from synth.sampler import with_weights
from synth.texts.copies import RUNS, WHOLES, Copies
from synth.texts.fitting import TextRows, padded, texts_of
from synth.texts.model_folder import (
    ModelFolder,
    Vocabulary,
    as_tensor,
    as_text,
    check_room,
    ends,
    filled,
    net_of,
    pieces_of,
    read,
)

MODEL = "text_pretrained"
FORM, TOKENIZER = "form", "tokenizer"  # tensors beside the model's weights: the bytes of two files
BESIDE = (FORM, TOKENIZER, RUNS, WHOLES)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Train rows, and the model that learns from them or only writes."""

    job: Job
    folder: str
    model: ModelFolder
    vocabulary: Vocabulary
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

    def build(self, attempt: int) -> Pretrained:
        """The model with the folder's weights. Raises StageError where they do not belong to its config.json."""
        form = self.job.forms[attempt]
        try:
            net = filled(net_of(self.model.config), self.model.weights, self.folder)
        except RecipeError as error:
            raise StageError(str(error)) from error
        return _built(
            form.options, form.labels, int(self.rows.tokens.shape[1]), self.model.config, net, self.vocabulary
        )

    def decode(self, attempt: int) -> dict[str, Any]:
        """What is needed beside the tensors to make rows again, as JSON; not where the folder lay."""
        form = self.job.forms[attempt]
        told = {**dataclasses.asdict(form), "options": {**form.options, "folder": ""}}
        return {**told, "context": int(self.rows.tokens.shape[1]), "per_label": self.per_label, "run": self.copies.run}

    def tensors(self) -> dict[str, Tensor]:
        """The folder's two files, and the hashes of what is not to be copied."""
        files = {FORM: as_tensor(self.model.config), TOKENIZER: as_tensor(self.model.tokenizer)}
        return {**files, **self.copies.tensors()}


def prepare(job: Job) -> Prepared:
    """The folder's model, and all train rows as its pieces. Raises StageError where either cannot be used."""
    options, recipe = job.forms[0].options, job.config.recipe
    texts, codes = texts_of(job)
    folder = below(recipe.data, options["folder"])
    try:
        model = read(folder)
        size = pieces_of(net_of(model.config))
        end = ends(model.config)[1]
    except RecipeError as error:
        raise StageError(str(error)) from error
    vocabulary = Vocabulary(model.tokenizer, size)
    if end >= size:
        raise StageError(f"{folder}: its eos_token_id is {end}, and it has {size:,} pieces.")
    tokens, lengths = padded([vocabulary.encode(f" {text}") for text in texts], size, options["context"])
    prompts = _prompts(options["prompt"], recipe.labels, model.config, vocabulary)
    try:
        check_room(model.config, max(map(len, prompts)) + int(tokens.shape[1]) - 1, folder)
    except RecipeError as error:
        raise StageError(str(error)) from error
    rows = TextRows(tokens, lengths, torch.from_numpy(codes))
    return Prepared(job, folder, model, vocabulary, Copies.of(texts, options["longest_copy"] + 1), rows)


def opened(loaded: checkpoint.Loaded) -> tuple[Pretrained, Vocabulary, Tensor]:
    """A checkpoint's model, its vocabulary, and which pieces may be drawn."""
    decode, tensors = loaded.card["decode"], loaded.tensors
    config = as_text(tensors[FORM])
    weights = {name: tensor for name, tensor in tensors.items() if name not in BESIDE}
    net = net_of(config)
    vocabulary = Vocabulary(as_text(tensors[TOKENIZER]), pieces_of(net))

    def build_again() -> Pretrained:
        return _built(decode["options"], decode["labels"], decode["context"], config, net, vocabulary)

    return with_weights(build_again, weights, loaded.folder), vocabulary, vocabulary.writes


def _built(
    options: dict[str, Any], labels: list[str], context: int, config: str, net: nn.Module, vocabulary: Vocabulary
) -> Pretrained:
    """The net behind our contract, with its prompts."""
    _, end = ends(config)
    told = Config(**options)
    prompts = _prompts(told.prompt, labels, config, vocabulary)
    size = len(vocabulary)
    shape = Shape(torch.from_numpy(np.ones(size + 1)), len(labels), context)
    return text_pretrained.build(told, shape, net, Asked(prompts, end, size))


def _prompts(prompt: str, labels: Sequence[str], config: str, vocabulary: Vocabulary) -> list[list[int]]:
    """What stands before a text of each label, as pieces."""
    begin, _ = ends(config)
    return [[begin, *vocabulary.encode(prompt.replace("{label}", label))] for label in labels]

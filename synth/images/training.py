"""How a generator of images is trained: its forms, and train rows as pixels."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from conf import Config
from conf.errors import StageError
from conf.schema import Generate
from synth.encode import counts, in_random_order, read_rows, to_bytes_tensor, to_codes, to_images
from synth.fit import Settings
from synth.images.rows import ImageRows
from synth.job import Job
from synth.sampler import Form, build

LOSSES = ("hinge", "non_saturating")  # what a collapsed adversarial training tries next


def form_of(config: Config, generator: Generate, options: Any, attempt: int) -> Form:
    """How the model of an attempt is built: after a collapse with the next loss, where it has a choice of them."""
    fields, shape = dataclasses.asdict(options), config.recipe.image
    if attempt and "loss" in fields:
        others = [loss for loss in LOSSES if loss != fields["loss"]]
        fields["loss"] = others[(attempt - 1) % len(others)]
    labels = list(config.recipe.labels)
    return Form(
        generator.model, fields, shape.channels, shape.height, shape.width, labels, shape.encoding, shape.jpeg_quality
    )


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Train rows, and the models that learn from them."""

    job: Job
    rows: ImageRows

    @property
    def settings(self) -> Settings:
        """As the job has them."""
        return self.job.settings

    @property
    def per_label(self) -> dict[str, int]:
        """Train rows of each label."""
        return counts(self.rows.labels.cpu().numpy(), self.job.config.recipe.labels)

    def build(self, attempt: int) -> Any:
        """The untrained model of an attempt."""
        return build(self.job.forms[attempt])

    def decode(self, attempt: int) -> dict[str, Any]:
        """What is needed beside the tensors to make rows again, as JSON."""
        return dataclasses.asdict(self.job.forms[attempt])

    def tensors(self) -> dict[str, Tensor]:
        """Nothing beside the weights."""
        return {}


def prepare(job: Job) -> Prepared:
    """All train rows, in an order that says nothing of them. Raises StageError for a label without any."""
    recipe = job.config.recipe
    table = in_random_order(read_rows(job.rows_folder, ["label", "image"]))
    codes = to_codes(table, recipe.labels)
    empty = [label for label, count in counts(codes, recipe.labels).items() if count == 0]
    if empty:
        raise StageError(f"there are no train rows of {empty[0]!r}: a generator needs at least one row of each label.")
    return Prepared(job, ImageRows(to_bytes_tensor(to_images(table, recipe.image)), torch.from_numpy(codes)))

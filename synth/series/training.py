"""How a generator of time series is trained: its form, and train rows as windows."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf import Config
from conf.errors import StageError
from conf.schema import Generate
from synth.encode import counts, in_random_order, read_rows, to_codes
from synth.fit import Settings
from synth.job import Job
from synth.models import Measured
from synth.models.windows import Shape
from synth.sampler import laid_over
from synth.series.fitting import SeriesRows
from synth.series.pools import form_of as window_form
from synth.series.representation import Representation
from udfs.series.windows import stacked

VALUES = "values."  # before a channel's place: the values that it takes, beside the model's weights


@dataclasses.dataclass(frozen=True)
class Form:
    """Which model with which options, for which labels: none where rows have none."""

    model: str
    options: dict[str, Any]
    labels: list[str]


def form_of(config: Config, generator: Generate, options: Any, attempt: int) -> Form:
    """How the model of an attempt is built: the same each time."""
    return Form(generator.model, dataclasses.asdict(options), list(config.recipe.labels))


def built(form: Form, shape: Shape) -> Any:
    """The model of a form for windows of this shape, before its weights are loaded.

    Raises StageError where its options do not go together.
    """
    module = importlib.import_module(f"synth.models.{form.model}")
    config = laid_over(next(iter(module.PRESETS.values())), form.options)
    try:
        return module.build(config, shape)
    except ValueError as error:
        size = f"{shape.length} steps of {shape.channels} channels"
        raise StageError(f"{form.model} cannot be built for {size}: {error}.") from error


def shape_of(representation: Representation, rows: list[int]) -> Shape:
    """The shape of windows, of which so many train rows have each label."""
    return Shape(representation.length, len(representation.channels), len(rows), tuple(rows))


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Train rows, and the models that learn from them."""

    job: Job
    representation: Representation
    rows: SeriesRows

    @property
    def settings(self) -> Settings:
        """As the job has them."""
        return self.job.settings

    @property
    def per_label(self) -> dict[str, int]:
        """Train rows of each label; empty where there are none."""
        return counts(self.rows.labels.cpu().numpy(), self.job.config.recipe.labels) if self._labels else {}

    @property
    def _labels(self) -> list[str]:
        return self.job.config.recipe.labels

    @property
    def _each(self) -> list[int]:
        """Train rows of each label, or of all where there are none."""
        return list(self.per_label.values()) or [len(self.rows.labels)]

    def build(self, attempt: int) -> Any:
        """The untrained model of an attempt."""
        model = built(self.job.forms[attempt], shape_of(self.representation, self._each))
        if isinstance(model, Measured):
            model.measure(self.rows.series)
        return model

    def decode(self, attempt: int) -> dict[str, Any]:
        """What is needed beside the tensors to make rows again, as JSON."""
        told = {"rows": self._each, "representation": self.representation.card()}
        return {**dataclasses.asdict(self.job.forms[attempt]), **told}

    def tensors(self) -> dict[str, Tensor]:
        """The values that channels take."""
        return {VALUES + name: torch.from_numpy(each) for name, each in self.representation.arrays().items()}


def prepare(job: Job) -> Prepared:
    """All train rows as windows. Raises StageError where there are none, or a label has none."""
    recipe = job.config.recipe
    columns = ["series", "label"] if recipe.labels else ["series"]
    table = in_random_order(read_rows(job.rows_folder, columns))
    if table.num_rows == 0:
        raise StageError("there are no train rows: a generator of series needs at least one.")
    codes = codes_of(table, recipe.labels)
    there = counts(codes, recipe.labels) if recipe.labels else {}
    empty = [label for label, count in there.items() if count == 0]
    if empty:
        raise StageError(f"there are no train rows of {empty[0]!r}: a generator needs at least one row of each label.")
    windows = stacked(table.column("series"), *window_form(job.config))
    representation = Representation.of(windows)
    rows = SeriesRows(torch.from_numpy(representation.encode(windows)), torch.from_numpy(codes))
    return Prepared(job, representation, rows)


def codes_of(table: pa.Table, labels: list[str]) -> NDArray[np.int64]:
    """int64[N]: each row's label by its place; 0 where rows have none."""
    return to_codes(table, labels) if labels else np.zeros(table.num_rows, np.int64)

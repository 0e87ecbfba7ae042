"""How a generator of tables is trained: its form, and train rows as tokens."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from conf import Config, runs
from conf.errors import StageError
from conf.schema import Generate
from synth.encode import in_random_order, read_rows
from synth.fit import Settings
from synth.job import Job
from synth.sampler import laid_over
from synth.tables import neighbours, relations
from synth.tables.fitting import TableRows
from synth.tables.rows import Question
from synth.tables.tokens import TableTokens, measure
from udfs.table.form import Column, TableForm, to_matrix

TOKENS = "tokens."  # what names of tensors that hold the decode state begin with
NEIGHBOURS = "neighbours"


@dataclasses.dataclass(frozen=True)
class Form:
    """Which model with which options."""

    model: str
    options: dict[str, Any]


def form_of(config: Config, generator: Generate, options: Any, attempt: int) -> Form:
    """How the model of an attempt is built: the same each time."""
    return Form(generator.model, dataclasses.asdict(options))


def built(form: Form, shape: Any) -> Any:
    """The model of a form for a table of this shape, before its weights are loaded."""
    module = importlib.import_module(f"synth.models.{form.model}")
    return module.build(laid_over(next(iter(module.PRESETS.values())), form.options), shape)


def shape_of(tokens: TableTokens, looks_at: Tensor) -> Any:
    """What a model must know of tokens."""
    from synth.models.columns import Shape

    return Shape(
        [torch.from_numpy(column.count) for column in tokens.columns],
        [torch.from_numpy(column.positions()) for column in tokens.columns],
        looks_at,
    )


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Train rows, and the models that learn from them."""

    job: Job
    table: TableForm
    known: dict[str, int]  # words of each vocabulary that others know by their places too
    tokens: TableTokens
    looks_at: Tensor  # (C, k)
    rows: TableRows
    per_label: dict[str, int]
    held: list[Any]  # relations that are kept while rows are drawn

    @property
    def settings(self) -> Settings:
        """The job's, with as many steps as its epochs over these rows."""
        return self.job.settings_over(len(self.rows.labels))

    def build(self, attempt: int) -> Any:
        """The untrained model of an attempt."""
        return built(self.job.forms[attempt], shape_of(self.tokens, self.looks_at))

    def decode(self, attempt: int) -> dict[str, Any]:
        """What is needed beside the tensors to make rows again, as JSON."""
        return {
            **dataclasses.asdict(self.job.forms[attempt]),
            "table": dataclasses.asdict(self.table),
            "known": self.known,
            "tokens": self.tokens.facts(),
            "relations": self.held,
        }

    def tensors(self) -> dict[str, Tensor]:
        """The tokens' arrays, and which columns each column looks at."""
        arrays = {f"{TOKENS}{name}": torch.from_numpy(array) for name, array in self.tokens.arrays().items()}
        return {**arrays, NEIGHBOURS: self.looks_at}


def prepare(job: Job) -> Prepared:
    """All train rows as tokens. Raises StageError where there are none, or a class has none."""
    recipe, options = job.config.recipe, job.forms[0].options
    statistics = runs.read_json(job.statistics, "statistics.json") or {}
    measured = TableForm.of(recipe, statistics.get("columns"))
    table = in_random_order(read_rows(job.rows_folder, [column.name for column in measured.modelled]))
    form = whole_form(table, measured)
    matrix = to_matrix(table, form)
    targets = Question.of(form).targets(matrix)
    per_label = _per_label(targets, form)
    _check(len(matrix), per_label)
    tokens = measure(matrix, form, bins=options.get("bins", 0))
    coded = tokens.encode(matrix)
    looks_at = torch.from_numpy(neighbours.choose(coded, tokens.sizes, options.get("neighbours", len(coded[0]))))
    labels = targets.astype(np.int64) if form.classes else np.zeros(len(targets), np.int64)
    rows = TableRows(torch.from_numpy(coded), torch.from_numpy(labels))
    known = {column.name: len(column.vocabulary) for column in measured.modelled if column.kind == "category"}
    held = relations.held(recipe, matrix, tokens, form)
    return Prepared(job, form, known, tokens, looks_at, rows, per_label, held)


def whole_form(table: pa.Table, form: TableForm) -> TableForm:
    """The form with all words of the train rows in its vocabularies: first those that it has, in its order."""
    return dataclasses.replace(form, columns=tuple(_whole(table, column, form.label) for column in form.columns))


def _whole(table: pa.Table, column: Column, label: str) -> Column:
    """A column with the words that its vocabulary lacks; a label has its classes and no others."""
    if column.kind != "category" or not column.modelled or column.name == label:
        return column
    words = pc.unique(table.column(column.name)).drop_null()
    missing = words.filter(pc.invert(pc.is_in(words, value_set=pa.array(column.vocabulary, pa.string()))))
    return dataclasses.replace(column, vocabulary=(*column.vocabulary, *sorted(missing.to_pylist())))


def _per_label(targets: np.ndarray, form: TableForm) -> dict[str, int]:
    """Train rows of each class; none where the label is a number."""
    if form.task != "classification":
        return {}
    if np.isnan(targets).any():
        raise StageError("a train row's label is missing, or none of the task's classes. Run clean again.")
    found = np.bincount(targets.astype(np.int64), minlength=len(form.classes))
    return {label: int(number) for label, number in zip(form.classes, found, strict=True)}


def _check(rows: int, per_label: Mapping[str, int]) -> None:
    """Refuse what nothing can be learnt from."""
    if rows < 2:
        raise StageError(f"there are {rows} train rows: a generator of tables needs two at least. See split.")
    empty = [label for label, count in per_label.items() if count == 0]
    if empty:
        raise StageError(f"there are no train rows of {empty[0]!r}: a generator needs at least one row of each label.")

"""Which rows of a table a recipe asks for, and who makes them."""

from __future__ import annotations

import dataclasses

import pyarrow as pa

from conf import Config
from conf.errors import RecipeError
from conf.schema import Generate
from synth.duty import effort_of
from synth.encode import read_rows
from synth.plan import rows_per_label
from synth.tables import hard
from synth.tables.pools import real_pool
from synth.tables.rows import Question
from synth.tables.sampler import BLOCK, Sampler
from udfs.table.form import TableForm, to_matrix

ROWS_FOR_ONE_IMAGE = 16  # rows of a table that go where a runtime allows one image: their shards are files too
ANY = ""  # the label of rows whose label is drawn with their other columns

__all__ = ["BLOCK", "Sampler", "near", "planned", "repeated", "shard_rows"]


def planned(config: Config, generator: Generate, folder: str) -> dict[str, int]:
    """Rows of each label, or of ANY where the plan follows the train rows: then labels are drawn as they go with them.

    Raises RecipeError for a plan by label where the label is a number.
    """
    rows = generator.rows
    by_label = rows.per_label is not None or rows.balance is not None
    form = TableForm.of(config.recipe)
    if by_label and form.task != "classification":
        raise RecipeError(
            f"generate {generator.name}: rows.{'balance' if rows.balance else 'per_label'} goes with classes, and "
            f"{form.label} is a number: say like: train or factor."
        )
    if rows.hard is not None:
        return {ANY: rows.hard}
    table = read_rows(folder, [form.label])
    if not by_label:
        count = table.num_rows if rows.total is None else rows.total
        return {ANY: count if rows.factor is None else round(rows.factor * table.num_rows)}
    alone = dataclasses.replace(form, columns=(form.modelled[form.label_place],))
    targets = Question.of(alone).targets(to_matrix(table, alone))
    return rows_per_label(rows, {label: int((targets == place).sum()) for place, label in enumerate(form.classes)})


def near(config: Config, generator: Generate, checkpoint: str, real: str, folder: str) -> tuple[str, str]:
    """The file of the train rows near which rows are made, written into `folder` ("" where the plan asks for none), and
    what a maker's name says of them or of the rows' conditions.

    Raises RecipeError where judges get no train row wrong.
    """
    if generator.rows.hard is None:
        return "", generator.rows.where or ""
    sampler = Sampler(checkpoint, threads=config.runtime.judge.threads)
    train = real_pool(real, "train", config, sampler.form)
    path = hard.write(train, sampler.tokens, effort_of(config), config.recipe.seed, folder, generator.name)
    return path, hard.Anchors.read(path).plan


def shard_rows(config: Config) -> int:
    """About how many rows a staged file has."""
    return config.runtime.sample.shard_rows * ROWS_FOR_ONE_IMAGE


def repeated(table: pa.Table) -> list[str]:
    """Columns whose cells are often equal, which files hold as dictionaries."""
    alone = ("row_id", "row_hash", "row_source")
    return [field.name for field in table.schema if field.name not in alone and not pa.types.is_floating(field.type)]

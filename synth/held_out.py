"""One trial of a candidate for augment: judges learn from some folds of the train rows and their children, and are
asked about the fold that was left out. Train rows alone are read.

The children are those that augment makes (`udfs/families.py`), of the rows that the judges may see and with partners
among them, so that nothing of the fold left out gets in. No engine is needed: a test and a benchmark call `tried`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf import Config
from conf.schema import Augment
from synth.arms import Pool, parents_of
from synth.arms import empty_pool as no_images
from synth.arms import row_bound as images_bound
from synth.arms import to_pool as image_pool
from synth.decide import Losses, losses
from synth.duty import Duty, answered, effort_of
from synth.encode import in_random_order
from synth.judges.folds import folds
from synth.labelled.duty import asked, package_of
from synth.tables import duty as table_duty
from synth.tables import pools as table_pools
from synth.tables.metrics import variance
from synth.usefulness import AUGMENT, STEPS_SHARE, TRAIN
from synth.ways import way_of
from udfs.families import children_of, family_of
from udfs.table.form import TableForm

Places = NDArray[np.int64]
Measured = Mapping[str, Any] | None  # what normalize measured, where the rows are a table's


@dataclass(frozen=True)
class Trial:
    """Which candidate, how the rows were dealt into folds, and which fold is left out."""

    candidate: str
    repeat: int
    fold: int


def tried(trial: Trial, config: Config, train: pa.Table, measured: Measured) -> tuple[Places, Losses]:
    """(places of the fold's rows in `train`, their losses by judge, of one seed).

    `train` holds real train rows in the order of their hashes.
    """
    augment = config.recipe.augment
    assert augment is not None
    setting = Setting(config, measured)
    whole = setting.pool(train, {})
    fold = folds_of(whole, augment, config.recipe.seed + trial.repeat)
    held, known = np.flatnonzero(fold == trial.fold), np.flatnonzero(fold != trial.fold)
    pools: dict[str, Pool[Any]] = {TRAIN: whole, AUGMENT: setting.children(train.take(pa.array(known)), whole, trial)}
    rows, seed = whole.rows.take(held), config.recipe.seed + trial.repeat
    places: dict[str, Places | None] = {TRAIN: known, AUGMENT: None}
    said: dict[str, list[Any]] = {}
    for kind in config.recipe.evaluate.judges:
        duty = Duty(kind, seed, effort_of(config, STEPS_SHARE), len(config.recipe.labels), places)
        said[kind] = [setting.ask(duty, rows, tuple(pools), *pools.values())]
    return held, setting.losses(said, rows, whole.rows)


def folds_of(whole: Pool[Any], augment: Augment, seed: int) -> Places:
    """Each train row's fold; groups stay whole, labels are spread evenly."""
    return folds(whole.rows.labels, whole.rows.group_codes(), augment.folds, seed)


@dataclass(frozen=True)
class Setting:
    """What the modality's own parts do: rows as judges read them, children, judges asked, losses."""

    config: Config
    measured: Measured

    @property
    def form(self) -> TableForm:
        """A table's columns with what was measured of them."""
        assert self.measured is not None
        return TableForm.of(self.config.recipe, self.measured["columns"])

    @property
    def bound(self) -> int:
        """How many rows judges learn from at most."""
        if self.config.recipe.modality == "image":
            return images_bound(self.config)
        if self.config.recipe.modality == "table":
            return table_pools.row_bound(self.config, self.form)
        return int(way_of(self.config.recipe, "pools").row_bound(self.config))

    def pool(self, rows: pa.Table, parents: Mapping[str, int]) -> Pool[Any]:
        """The rows as judges read them."""
        if self.config.recipe.modality == "image":
            return image_pool(rows, self.config, parents)
        if self.config.recipe.modality == "table":
            return table_pools.to_pool(rows, self.form, parents)
        pool: Pool[Any] = way_of(self.config.recipe, "pools").to_pool(rows, self.config, parents)
        return pool

    def empty(self) -> Pool[Any]:
        """No rows."""
        if self.config.recipe.modality == "image":
            return no_images(self.config)
        if self.config.recipe.modality == "table":
            return table_pools.empty_pool(self.form)
        pool: Pool[Any] = way_of(self.config.recipe, "pools").empty_pool(self.config)
        return pool

    def children(self, known: pa.Table, whole: Pool[Any], trial: Trial) -> Pool[Any]:
        """The candidate's children of these rows, those of the lowest hashes within the judges' bound."""
        recipe = self.config.recipe
        plan = recipe.augment.of(trial.candidate) if recipe.augment else None
        if plan is None:
            return self.empty()
        steps = family_of(recipe).compiled(recipe, plan.steps, self.measured)
        kept: pa.Table | None = None
        for part in children_of(known, recipe, steps, plan.copies):
            kept = in_random_order(part if kept is None else pa.concat_tables([kept, part])).slice(0, self.bound)
        return self.empty() if kept is None else self.pool(kept, parents_of(whole))

    def ask(self, duty: Duty, rows: Any, names: tuple[str, ...], *pools: Pool[Any]) -> Any:
        """What the judge, once trained, says of the rows."""
        if self.config.recipe.modality == "image":
            return answered(duty, rows.images, names, *pools)
        if self.config.recipe.modality == "table":
            return table_duty.asked(duty, rows.cells, names, *pools)
        return asked(package_of(self.config.recipe), duty, rows.payload, names, *pools)

    def losses(self, said: Mapping[str, Sequence[Any]], rows: Any, whole: Any) -> Losses:
        """By judge: wrong answers and Brier scores; of numbers squared errors, as shares of all labels' variance."""
        if self.config.recipe.modality != "table" or rows.question.classes:
            return losses(said, rows.labels)
        spread = variance(whole.targets)
        shares = {
            judge: np.stack([(each[:, 0] - rows.targets) ** 2 / spread for each in seeds])
            for judge, seeds in said.items()
        }
        return Losses(shares, shares)

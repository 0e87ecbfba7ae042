"""What is said of each made row of a table: does it keep its columns' bounds, is it a copy, is it likely at all.

Bounds are those of the recipe: a range, the values that may stand, what is required, a label that is a class. Nearness
is measured against what held-out rows show: `distance_ratio` 1 is as far from its nearest train row as the farthest
twentieth of held-out rows are. Likelihood is what the row's own generator says of it, where it says anything; where it
does not, distance stands for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf import Config
from conf.schema import Gate, Recipe
from synth.arms import Pool
from synth.tables.nearness import Space
from synth.tables.rows import Numbers, Question, Rows
from udfs.table.form import Matrix, TableForm, to_matrix

FAR_QUANTILE = 0.95  # of held-out rows' distances to train rows: where distance_ratio is 1
NEAR_QUANTILE = 0.01  # as near as the nearest hundredth of held-out rows come
COPY_SHARE = 0.5  # and nearer than half of that is no coincidence
LEAST_RATIO = 1e-6
LIKELY_ROWS = 20_000  # train rows whose likelihoods make the quantile

SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("broken", pa.string()),
        pa.field("nearest_id", pa.string()),
        pa.field("nearest_distance", pa.float64()),
        pa.field("distance_ratio", pa.float64()),
        pa.field("log_likelihood", pa.float64()),
        pa.field("breaks_constraint", pa.bool_()),
        pa.field("is_copy", pa.bool_()),
        pa.field("is_unlikely", pa.bool_()),
        pa.field("is_far", pa.bool_()),
    ]
)
FLAGS = ("breaks_constraint", "is_copy", "is_unlikely", "is_far")
Likelihood = Callable[[Matrix], Numbers]  # float64[N, D] -> float64[N]: log-likelihoods


@dataclass(frozen=True)
class Bench:
    """Against what made rows are held: train rows, the distances at which a row is a copy or is far, and bounds."""

    space: Space
    train: Pool[Rows]
    copy_below: float
    equal_is_copy: bool
    far_unit: float
    max_distance_factor: float
    form: TableForm
    required: tuple[str, ...]
    listed: tuple[str, ...]  # columns whose values are all declared


def bench(train: Pool[Rows], val: Pool[Rows], form: TableForm, config: Config) -> Bench:
    """Measure on held-out rows how near rows come to train rows by themselves."""
    space = Space.of(form.modelled, train.rows.matrix)
    apart = space.nearest(val.rows.matrix).distance
    unit = float(np.quantile(apart, FAR_QUANTILE)) if len(apart) else np.inf
    below, equal = copy_rule(apart)
    required, listed = bounds_of(config.recipe, form)
    factor = config.recipe.gate.max_distance_factor
    return Bench(space, train, below, equal, max(unit, LEAST_RATIO), factor, form, required, listed)


def copy_rule(apart: Numbers) -> tuple[float, bool]:
    """(distance below which a row is a copy, whether an equal row is one), from held-out rows' distances.

    Where held-out rows equal train rows as well (few categories), equality tells nothing.
    """
    if not len(apart):
        return 0.0, True
    return COPY_SHARE * float(np.quantile(apart, NEAR_QUANTILE)), float((apart == 0).mean()) < NEAR_QUANTILE


def bounds_of(recipe: Recipe, form: TableForm) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(columns that must not be empty, categories whose values are all declared), of those that are modelled."""
    said = {column.name: recipe.columns[column.name] for column in form.modelled}
    required = tuple(name for name, each in said.items() if each.required or name == form.label)
    return required, tuple(name for name, each in said.items() if each.values)


def broken(matrix: Matrix, against: Bench) -> list[str | None]:
    """Of each row the first bound that it breaks, in words."""
    found: list[str | None] = [None] * len(matrix)
    for place, column in reversed(list(enumerate(against.form.modelled))):
        values = matrix[:, place]
        checks = [("is missing", np.isnan(values) & (column.name in against.required))]
        if column.kind == "category":
            strange = (values >= column.size - 1) & (column.name in against.listed)
            checks.append(("is none of the declared values", strange))
        if column.name == against.form.label:
            checks.append(("is none of the classes", np.isnan(Question.of(against.form).targets(matrix))))
        if column.low is not None:
            checks.append((f"is below {column.low:g}", values < column.low))
        if column.high is not None:
            checks.append((f"is above {column.high:g}", values > column.high))
        for words, holds in reversed(checks):  # what is asked first is written last
            for row in np.flatnonzero(holds):
                found[row] = f"{column.name} {words}"
    return found


def judge_rows(table: pa.Table, against: Bench, likelihood: Likelihood | None, least: float) -> pa.Table:
    """The verdicts on these rows, in SCHEMA; `least` is the log-likelihood below which a row is unlikely."""
    matrix = to_matrix(table, against.form)
    near = against.space.nearest(matrix)
    ratio = near.distance / against.far_unit
    told = broken(matrix, against)
    children = np.array([bool(parents) for parents in table.column("row_parents").to_pylist()], bool)
    likely = None if likelihood is None else likelihood(matrix)
    copied = (near.distance < against.copy_below) | (against.equal_is_copy & (near.distance == 0))
    columns = {
        "row_id": table.column("row_id").to_pylist(),
        "broken": told,
        "nearest_id": [against.train.ids[place] for place in near.place],
        "nearest_distance": near.distance,
        "distance_ratio": ratio,
        "log_likelihood": pa.nulls(len(matrix), pa.float64()) if likely is None else likely,
        "breaks_constraint": [words is not None for words in told],
        "is_copy": copied & ~children,
        "is_unlikely": np.zeros(len(matrix), bool) if likely is None else ~(likely >= least),
        "is_far": ratio > against.max_distance_factor,
    }
    return pa.table(columns, schema=SCHEMA)


def passing(told: pa.Table, gate: Gate) -> NDArray[np.bool_]:
    """bool[N]: the rows that nothing speaks against, before the question whether rows like them are of use."""
    refusing = [name for name in FLAGS if name != "is_copy" or gate.copies == "quarantine"]
    return ~np.any([told.column(name).to_numpy() for name in refusing], axis=0)


def least_likelihood(likelihood: Likelihood, train: Matrix, share: float) -> float:
    """The log-likelihood that `share` of the train rows stay below."""
    return float(np.quantile(likelihood(train[:LIKELY_ROWS]), share))

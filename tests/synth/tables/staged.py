"""A table whose true distribution is known, as the stages before `score` and `evaluate` leave it on disk.

So a perfect generator is at hand (more draws), and any other can be had by spoiling it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import conf
from conf import Config, runs
from synth.sampler import maker_of
from tests.synth.staged import finish
from udfs import records
from udfs.table.form import TableForm, from_matrix
from udfs.table.statistics import Statistics, measure

SPLITS = {"train": 200, "val": 200, "test": 300, "reserve": 200}
RECIPE = """
name: small
modality: table
task: {kind: classification, label: y, classes: ["no", "yes"], positive: "yes"}
seed: 3
data: DATA
sources: [{name: one, reader: csv, path: one.csv}]
columns:
  a: {type: number}
  b: {type: number}
  group: {type: category, values: [p, q, r]}
  count: {type: integer, range: [0, 40]}
  key: {type: id}
  y: {type: category}
split: {train: 200, val: 200, reserve: 200, rest: test}
augment: {copies: 2, steps: [table.jitter]}
generate:
  - {model: table_mixture, name: made, rows: {per_label: 200}}
gate: {usefulness: not_worse}
evaluate: {judges: [boosting, logistic], seeds: 2, steps: 300, curve_points: 3}
"""
REGRESSION = (
    (
        'task: {kind: classification, label: y, classes: ["no", "yes"], positive: "yes"}',
        "task: {kind: regression, label: y}",
    ),
    ("y: {type: category}", "y: {type: number}"),
    ("{per_label: 200}", "{like: train, total: 400}"),
)
CATEGORIES = {"group": ["p", "q", "r"], "y": ["no", "yes"]}


def config_at(folder: Path, *changes: tuple[str, str]) -> Config:
    """The recipe above with parts of its text replaced, its root in `folder`."""
    text = RECIPE.replace("DATA", str(folder))
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "one.csv").write_text("a\n")
    (folder / "small.yaml").write_text(text)
    return conf.load(str(folder / "small.yaml"), "local", [], str(folder / "root"))


def drawn(count: int, seed: int, regression: bool = False, positives: float = 0.0) -> np.ndarray:
    """float64[count, 5]: draws from the true distribution; `positives` shifts the label's shares."""
    random = np.random.default_rng(seed)
    group = random.choice(3, count, p=[0.5, 0.3, 0.2])
    a = random.normal(size=count) + 0.8 * group
    b = np.exp(0.5 * a + 0.5 * random.normal(size=count))
    numbers = np.where(random.random(count) < 0.6, 0, random.poisson(8, count)).clip(0, 40)
    score = 1.5 * a - 2.0 * (group == 1) + 0.25 * numbers - 2.2 + positives
    y = score + random.normal(0, 1.0, count) if regression else random.random(count) < 1 / (1 + np.exp(-score))
    gaps = random.random(count) < 0.06
    return np.column_stack([a, np.where(gaps, np.nan, np.round(b, 3)), group, numbers, y]).astype(np.float64)


def form(config: Config) -> TableForm:
    """The table's form, its categories known."""
    plain = TableForm.of(config.recipe)
    columns = [replace(column, vocabulary=tuple(CATEGORIES.get(column.name, ()))) for column in plain.columns]
    return replace(plain, columns=tuple(columns))


def table(
    config: Config, matrix: np.ndarray, origin: str, split: str, seed: int = 0, parents: list[str] | None = None
) -> pa.Table:
    """Rows as the stages write them."""
    count = len(matrix)
    maker = records.maker(origin, split, seed)
    ids = [maker + records.which(place) for place in range(count)]
    lineage = {
        "row_id": pa.array(ids),
        "row_origin": pa.array([origin] * count),
        "row_parents": pa.array([[parent] for parent in parents] if parents else [[]] * count, pa.list_(pa.string())),
        "row_split": pa.array([split] * count),
        "row_label_source": pa.array(["given" if origin == "real" else "generator"] * count),
        "key": pa.array(ids),
    }
    cells = from_matrix(matrix, form(config))
    return records.with_hashes(records.conform(pa.table(lineage | cells), records.row_schema(config.recipe)))


def is_regression(config: Config) -> bool:
    return config.recipe.task.kind == "regression"  # type: ignore[union-attr]


def real_matrices(config: Config) -> dict[str, np.ndarray]:
    """The real rows of each split."""
    return {
        split: drawn(count, seed, is_regression(config))
        for seed, (split, count) in enumerate(SPLITS.items(), start=100)
    }


def real_tables(config: Config) -> dict[str, pa.Table]:
    """The same as the stages write them."""
    return {split: table(config, matrix, "real", split) for split, matrix in real_matrices(config).items()}


def children(config: Config) -> pa.Table:
    """Two of each train row, their numbers moved a little."""
    matrix = real_matrices(config)["train"]
    parents = real_tables(config)["train"].column("row_id").to_pylist()
    random = np.random.default_rng(5)
    moved = [matrix.copy() for _ in range(2)]
    for each in moved:
        each[:, :2] += random.normal(0, 0.05, (len(matrix), 2))
    return table(config, np.concatenate(moved), "augmented", "train", parents=parents * 2)


def perfect(config: Config, count: int = 400, seed: int = 50) -> np.ndarray:
    """What a generator would make that knows the truth."""
    return drawn(count, seed, is_regression(config))


def generated(config: Config, matrix: np.ndarray) -> pa.Table:
    """Rows of a generator."""
    return table(config, matrix, "synthetic", "train", seed=9)


def shuffled(matrix: np.ndarray) -> np.ndarray:
    """The same rows, their labels dealt anew."""
    out = matrix.copy()
    out[:, -1] = np.random.default_rng(1).permutation(out[:, -1])
    return out


def stage_up(config: Config, rows: Mapping[str, pa.Table]) -> None:
    """Finish the stages before `score`; `rows` are those of `augment` and `sample`."""
    finish(config, "ingest", "", {}, {})
    real = {f"rows/row_split={split}": part for split, part in real_tables(config).items()}
    finish(config, "clean", "", real, {"splits": {}})
    folder = runs.locate(config, "normalize").folder
    runs.write_json(folder, "statistics.json", statistics(config))
    finish(config, "normalize", "", {}, {})
    if config.recipe.augment:
        finish(config, "augment", "", {"rows": rows["augment"]}, {"staged": rows["augment"].num_rows})
    for generator in config.recipe.generate:
        finish(config, "train", generator.name, {}, {}, checkpoint="c0")
        made, counts = {"rows": rows["sample"]}, {"staged": rows["sample"].num_rows}
        finish(config, "sample", generator.name, made, counts, maker=maker_of("c0", 1.0))


def statistics(config: Config) -> dict[str, Any]:
    """What normalize measures."""
    return measured(config).as_dict()


def measured(config: Config) -> Statistics:
    """The statistics of the train rows; categories in the order of CATEGORIES."""
    found = Statistics.of(measure(real_tables(config)["train"], form(config)))
    columns = {
        name: replace(each, vocabulary=tuple(CATEGORIES.get(name, each.vocabulary)), counts=())
        for name, each in found.columns.items()
    }
    return Statistics(columns)

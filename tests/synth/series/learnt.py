"""Train rows of small windows, and generators that learnt from them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf import Config, runs
from synth.job import Job, job_of
from synth.work import work
from tests.jobs.series.made import CHANNELS, STEPS, Window, recipe
from udfs import records
from udfs.series.windows import listed


def config_at(folder: Path, **generator: Any) -> Config:
    """A recipe of rising and falling windows with one generator, on one thread, its root in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = recipe(folder, generate=[{"model": "series_mixture", "rows": {"like": "train"}, **generator}])
    train = config.runtime.train.model_copy(update={"threads": 1})
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update={"train": train}))


def without_labels(config: Config) -> Config:
    """The recipe, as if its rows had no labels."""
    return dataclasses.replace(config, recipe=config.recipe.model_copy(update={"labels": []}))


def train_rows(some: list[tuple[Window, str]]) -> pa.Table:
    """(window, label) as the train rows that clean writes; no label where it is empty."""
    ids = [records.real_id("waves", str(place).encode()) for place in range(len(some))]
    lineage = {"row_id": ids, "row_origin": ["real"] * len(ids), "row_split": ["train"] * len(ids)}
    windows = np.array([window for window, _ in some], np.float64).reshape(-1, STEPS, CHANNELS)
    labels = pa.array([label or None for _, label in some], pa.string())
    table = pa.table({**lineage, "label": labels, "series": listed(windows)})
    return records.with_hashes(records.conform(table, records.series_schema()))


def job_at(config: Config, some: list[tuple[Window, str]], name: str = "train") -> Job:
    """The job of the recipe's generator on these windows, its folder called `name`."""
    folder = Path(config.files) / "waves"
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    pq.write_table(train_rows(some), folder / "rows" / "part-0.parquet")
    return job_of(config, config.recipe.generate[0], str(folder / "rows"), str(folder / name))


def learnt(config: Config, some: list[tuple[Window, str]], name: str = "train") -> str:
    """Train, and return the checkpoint's folder."""
    job = job_at(config, some, name)
    work(job)
    outcome = runs.read_json(job.folder, "fitted.json")
    assert outcome and "error" not in outcome, outcome
    return f"{job.folder}/checkpoint"

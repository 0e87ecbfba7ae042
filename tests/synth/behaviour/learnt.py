"""Train users of two tastes, and a generator that learnt from them for some seconds."""

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
from tests.jobs.behaviour.made import events, people, recipe
from udfs import records
from udfs.behaviour.compiled import lists_of
from udfs.behaviour.values import Events, Sequences

SMALL = {"width": 16, "dropout": 0.0, "longest_copy": 4}
KINDS = {"age": "integer", "sex": "category"}


def config_at(folder: Path, **generator: Any) -> Config:
    """A recipe of visits with one small generator, on one thread, its root in `folder`."""
    told = {
        "model": "sequence_ar",
        "options": SMALL,
        "rows": {"like": "train"},
        "train": {"max_steps": 150, "learning_rate": 0.02},
        **generator,
    }
    folder.mkdir(parents=True, exist_ok=True)
    config = recipe(folder, generate=[told])
    train = config.runtime.train.model_copy(update={"threads": 1})
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update={"train": train}))


def users_of(count: int) -> list[Events]:
    """Users as `made.events` has them."""
    found: dict[str, list[tuple[str, float, int]]] = {f"u{number}": [] for number in range(count)}
    for user, item, rating, time in events(count):
        found[user].append((item, float(rating), int(time)))
    return [
        Events(tuple(item for item, _, _ in told), np.array([r for _, r, _ in told]), np.array([t for _, _, t in told]))
        for told in found.values()
    ]


def train_rows(count: int) -> pa.Table:
    """So many users as the train rows that clean writes."""
    known = people(count)
    ids = [records.real_id("ratings", user.encode()) for user, _, _ in known]
    lineage = {"row_id": ids, "row_origin": ["real"] * count, "row_split": ["train"] * count}
    payload = {
        "user": [user for user, _, _ in known],
        "age": [int(age) for _, age, _ in known],
        "sex": [sex for _, _, sex in known],
    }
    rows = pa.table({**lineage, **payload, **lists_of(Sequences(list(users_of(count))))})
    return records.with_hashes(records.conform(rows, records.behaviour_schema(KINDS)))


def job_at(config: Config, count: int, name: str = "train") -> Job:
    """The job of the recipe's generator on so many users, its folder called `name`."""
    folder = Path(config.files) / "visits"
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    pq.write_table(train_rows(count), folder / "rows" / "part-0.parquet")
    return job_of(config, config.recipe.generate[0], str(folder / "rows"), str(folder / name))


def learnt(config: Config, count: int, name: str = "train") -> str:
    """Train, and return the checkpoint's folder."""
    job = job_at(config, count, name)
    work(job)
    outcome = runs.read_json(job.folder, "fitted.json")
    assert outcome and "error" not in outcome, outcome
    return f"{job.folder}/checkpoint"

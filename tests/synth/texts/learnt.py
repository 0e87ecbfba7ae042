"""Train rows of small texts, and a generator that learnt from them for some seconds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from conf import Config, runs
from synth.job import Job, job_of
from synth.work import work
from tests.jobs.texts.made import recipe
from udfs import records

SMALL = {"width": 32, "layers": 1, "heads": 2, "dropout": 0.0, "wrong_share": 0.0, "pieces": 360}


def config_at(folder: Path, **generator: Any) -> Config:
    """A recipe of good and bad texts with one small generator, on one thread, its root in `folder`."""
    told = {
        "model": "text_lm",
        "options": SMALL,
        "rows": {"like": "train"},
        "train": {"max_steps": 140, "learning_rate": 0.01},
        **generator,
    }
    folder.mkdir(parents=True, exist_ok=True)
    config = recipe(folder, generate=[told])
    train = config.runtime.train.model_copy(update={"threads": 1})
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update={"train": train}))


def train_rows(some: list[tuple[str, str]]) -> pa.Table:
    """(text, label) as the train rows that clean writes."""
    ids = [records.real_id("notes", str(place).encode()) for place in range(len(some))]
    lineage = {"row_id": ids, "row_origin": ["real"] * len(ids), "row_split": ["train"] * len(ids)}
    payload = {"label": [label for _, label in some], "text": [text for text, _ in some]}
    return records.with_hashes(records.conform(pa.table({**lineage, **payload}), records.text_schema()))


def job_at(config: Config, some: list[tuple[str, str]], name: str = "train") -> Job:
    """The job of the recipe's generator on these texts, its folder called `name`."""
    folder = Path(config.files) / "notes"
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    pq.write_table(train_rows(some), folder / "rows" / "part-0.parquet")
    return job_of(config, config.recipe.generate[0], str(folder / "rows"), str(folder / name))


def learnt(config: Config, some: list[tuple[str, str]], name: str = "train") -> str:
    """Train, and return the checkpoint's folder."""
    job = job_at(config, some, name)
    work(job)
    outcome = runs.read_json(job.folder, "fitted.json")
    assert outcome and "error" not in outcome, outcome
    return f"{job.folder}/checkpoint"

"""A small table with ids, holes, rules and rare words, and a generator that learnt from it for some seconds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import conf
from conf import Config, runs
from synth.job import Job, job_of
from synth.work import work
from udfs import records

RECIPE = """
name: people
modality: table
task: {kind: classification, label: pays, classes: ["no", "yes"]}
seed: 5
data: DATA
sources: [{name: one, reader: csv, path: one.csv}]
columns:
  key: {type: id}
  town: {type: category}
  region: {type: category}
  born: {type: date}
  begin: {type: number}
  end: {type: number}
  age: {type: integer, range: [17, 90]}
  gain: {type: integer}
  note: {type: category, model: false}
  pays: {type: category}
clean: {rules: [{table.relation: {expression: "begin <= end"}}]}
split: {train: 800, val: 0.1, rest: test}
generate:
  - {model: table_ar, options: {hidden: 32, embedding: 8, cosines: 8}, rows: {like: train}, train: {max_steps: 400}}
"""
KNOWN = ["t0", "t1", "t2"]  # towns that normalize kept; the others are rare


def config_at(folder: Path, *changes: tuple[str, str]) -> Config:
    """The recipe above with parts of its text replaced, its root in `folder`."""
    text = RECIPE.replace("DATA", str(folder))
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "one.csv").write_text("a\n")
    (folder / "people.yaml").write_text(text)
    config = conf.load(str(folder / "people.yaml"), "local", [], str(folder / "root"))
    train = config.runtime.train.model_copy(
        update={"threads": 1}
    )  # two that wait for each other are slow beside others
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update={"train": train}))


def people(count: int, seed: int = 0) -> pa.Table:
    """Payload of `count` rows. The region follows from the town, `end` from `begin`, and who pays from both."""
    random = np.random.default_rng(seed)
    town = np.minimum(random.geometric(0.3, count) - 1, 9)
    begin = np.round(random.normal(town, 1.0) + 10, 1)
    end = np.round(begin + random.exponential(1.0, count), 1)
    age = np.clip(np.round(random.normal(30 + 6 * (town % 3), 8)), 17, 90)
    pays = random.random(count) < 0.15 + 0.5 * (town % 3 == 2) + 0.2 * (age > 40)
    days = np.datetime64("2001-01-01") + random.integers(0, 3000, count)
    return pa.table(
        {
            "key": pa.array([f"k{place}" for place in range(count)]),
            "town": pa.array([f"t{place}" for place in town]),
            "region": pa.array([f"r{place % 3}" for place in town]),
            "born": pa.array(days.astype("datetime64[D]")),
            "begin": pa.array(begin),
            "end": pa.array(end),
            "age": pa.array(age.astype(np.int64), mask=random.random(count) < 0.1),
            "gain": pa.array(np.where(random.random(count) < 0.9, 0, random.integers(1, 9000, count))),
            "note": pa.array(["private"] * count),
            "pays": pa.array(np.where(pays, "yes", "no")),
        }
    )


def train_rows(config: Config, table: pa.Table) -> pa.Table:
    """Payload as the train rows that clean writes."""
    ids = [records.real_id("one", str(place).encode()) for place in range(table.num_rows)]
    lineage = {"row_id": ids, "row_origin": ["real"] * len(ids), "row_split": ["train"] * len(ids)}
    for name, values in lineage.items():
        table = table.append_column(name, pa.array(values))
    return records.with_hashes(records.conform(table, records.row_schema(config.recipe)))


def lay_down(config: Config, table: pa.Table) -> tuple[str, str]:
    """Train rows and statistics as the stages before leave them; their folders."""
    whole = train_rows(config, table)
    folder = Path(config.files) / "people"
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    pq.write_table(whole.slice(0, 300), folder / "rows" / "part-0.parquet")
    pq.write_table(whole.slice(300), folder / "rows" / "part-1.parquet")
    words = {"town": KNOWN, "region": ["r0", "r1", "r2"]}
    columns = {name: {"vocabulary": words.get(name, []), "decimals": None} for name in config.recipe.columns}
    runs.write_json(str(folder / "measured"), "statistics.json", {"columns": columns})
    return str(folder / "rows"), str(folder / "measured")


def job_at(config: Config, rows: int = 800) -> Job:
    """The job of the recipe's generator on so many people."""
    places = lay_down(config, people(rows))
    folder = str(Path(config.files) / "people" / "train")
    return job_of(config, config.recipe.generate[0], places[0], folder, places[1])


def learnt(config: Config, rows: int = 800) -> str:
    """Train, and return the checkpoint's folder."""
    job = job_at(config, rows)
    work(job)
    outcome = runs.read_json(job.folder, "fitted.json")
    assert outcome and "error" not in outcome, outcome
    return f"{job.folder}/checkpoint"

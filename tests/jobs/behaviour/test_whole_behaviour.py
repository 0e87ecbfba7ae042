"""Recipes of behaviour from their sources to a dataset, a report and events again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conf import Config, runs
from jobs import explain, report
from jobs.export import export
from synth import evaluate, sample, score, train
from tests.faults.command import ended_in, finish
from tests.jobs.behaviour.made import events, people, recipe, write
from tests.jobs.made import run, table

STEPS = [{"behaviour.item_dropout": {"p": 0.2}}, {"behaviour.substitute": {"p": 0.2}}]
SMALL = {"width": 16, "longest_copy": 4}


def on_ray(ray_session: Any, config: Config, module: Any, stage: str, *part: str) -> None:
    """Run one stage of Ray's and mark it done."""
    runs.finish(runs.locate(config, stage, *part), module.run(ray_session, config, *part), 0.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_behaviour_goes_the_whole_way(spark: Any, ray_session: Any, tmp_path: Path) -> None:
    """What is merged is what the gate let pass; the report shows users; children and made users can be made again."""
    write(tmp_path, events(90), people(90))
    generate = [{"model": "sequence_ar", "options": SMALL, "rows": {"like": "train", "total": 30, "where": "sex=F"}}]
    generate[0]["train"] = {"max_steps": 40}
    judged = {"judges": ["item_knn", "sequence"], "seeds": 1, "curve_points": 2, "steps": 20, "batch_size": 16}
    parts = {"split": {"train": 30, "val": 44, "rest": "test"}, "gate": {"usefulness": "report", "copies": "report"}}
    parts["clean"] = {"duplicates": {"exact": "keep"}}  # some of so few have the same items
    config = recipe(tmp_path, augment={"copies": 1, "steps": STEPS}, generate=generate, evaluate=judged, **parts)
    run(spark, config, "ingest", "clean", "normalize", "augment")
    on_ray(ray_session, config, train, "train", "sequence_ar")
    on_ray(ray_session, config, sample, "sample", "sequence_ar")
    on_ray(ray_session, config, score, "score")
    gate = run(spark, config, "gate")
    run(spark, config, "merge")
    on_ray(ray_session, config, evaluate, "evaluate")
    rows = table(config, "dataset")
    origins = Counter(row["row_origin"] for row in rows)
    assert origins == {"real": 90, "augmented": 30, "synthetic": 30} and gate.counts["accepted"] == 60
    assert {row["sex"] for row in rows if row["row_origin"] == "synthetic"} == {"F"}
    told = json.loads((Path(runs.locate(config, "evaluate").folder) / "evaluate.json").read_text("utf-8"))
    assert set(told["judges"]["sequence"]) == {"real", "augmented", "all", "synthetic"}
    assert told["judges"]["item_knn"]["real"]["hit_rate"][0] > told["floor"]["hit_rate"]
    assert {"ceiling", "augmented", "sequence_ar"} == set(told["quality"]) and "sequence_ar" in told["privacy"]
    place = runs.locate(config, "report")
    facts = report.facts(config, place.inputs)
    page = report.html(config, place.inputs, facts).decode()
    assert facts["balanced"] and "Users, real and made" in page and "What each step changed" in page
    for origin in ("augmented", "synthetic"):
        assert explain.explain(config, next(row["row_id"] for row in rows if row["row_origin"] == origin)).same
    export(config, None, tmp_path / "out", ["train"])
    with (tmp_path / "out" / "train-events.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    of_train = [row for row in rows if row["row_split"] == "train"]
    assert len(lines) == sum(len(row["items"]) for row in of_train)
    real = sorted(
        (line["user"], line["item"], line["rating"], line["time"]) for line in lines if line["origin"] == "real"
    )
    users = {row["user"] for row in of_train}
    assert real == sorted(event for event in events(90) if event[0] in users)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_shipped_recipe_grows_into_a_dataset_and_a_report(tmp_path: Path, data_dir: Path) -> None:
    """By the command: every event is kept, merged or refused; every made user is in the dataset or refused."""
    root, folder = tmp_path / "root", data_dir / "recsys" / "ml-100k"
    if not (folder / "u.data").is_file():
        pytest.skip(f"no MovieLens at {folder}")
    sets = [f"data={folder}", "evaluate.seeds=1", "evaluate.steps=40", "evaluate.judges=[item_knn]"]
    rows = '"rows": {"like": "train", "total": 64}'
    generate = f'[{{"model": "sequence_ar", "preset": "fast", "train": {{"max_steps": 60}}, {rows}}}]'
    finish(root, *sets, "gate.usefulness=report", f"generate={generate}", recipe="movielens")
    metrics = json.loads((root / "movielens" / "metrics.json").read_text("utf-8"))
    assert all(each["adds_up"] is not False for each in metrics["stages"])
    grown, refused = ended_in(root / "movielens")
    real = grown[grown.row_origin == "real"]
    assert len(real) == 943 and real["items"].map(len).sum() == 100_000
    made = len(grown[grown.row_origin == "synthetic"]) + len(refused[refused.row_origin == "synthetic"])
    assert made == 64

"""Recipes of series from their source to a dataset and a report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable

from conf import Config, runs
from jobs import explain, report
from jobs.report_series import curves
from synth import evaluate, sample, score, train
from tests.faults.command import finish
from tests.jobs.made import run, table
from tests.jobs.series.made import lines, recipe, windows

DATA = {"robot-failures": "timeseries/robot-failures", "basic-motions": "timeseries/BasicMotions"}
STEPS = [{"series.jitter": {"std": 0.2}}, {"series.window_slice": {"p": 0.5}}]


def on_ray(ray_session: Any, config: Config, module: Any, stage: str) -> None:
    """Run one stage of Ray's and mark it done."""
    runs.finish(runs.locate(config, stage), module.run(ray_session, config), 0.0)


def test_series_go_the_whole_way(spark, ray_session, tmp_path):
    """What is merged is what the gate let pass; the report shows curves and steps; a child can be made again."""
    (tmp_path / "waves.jsonl").write_text(lines(windows(120)))
    judged = {"judges": ["nearest", "rocket"], "seeds": 1, "curve_points": 2}
    parts = {"split": {"train": 30, "val": 50, "rest": "test"}, "gate": {"usefulness": "report"}, "evaluate": judged}
    config = recipe(tmp_path, augment={"copies": 2, "steps": STEPS}, **parts)
    run(spark, config, "ingest", "clean", "normalize", "augment")
    on_ray(ray_session, config, score, "score")
    gate = run(spark, config, "gate")
    run(spark, config, "merge")
    on_ray(ray_session, config, evaluate, "evaluate")
    rows = table(config, "dataset")
    assert sum(row["row_origin"] == "augmented" for row in rows) == gate.counts["accepted"] == 60
    assert {row["row_split"] for row in rows} == {"train", "val", "test"} and len(rows) == 120 + 60
    assert all(len(row["series"]) == 24 and row["label"] in config.recipe.labels for row in rows)
    place = runs.locate(config, "report")
    facts = report.facts(config, place.inputs)
    page = report.html(config, place.inputs, facts).decode()
    assert "What each step changed" in page and "series.window_slice" in page and page.count("<path d=") > 20
    assert {row["judge"] for row in facts["gain"]} == {"nearest", "rocket"}
    child = next(row for row in rows if row["row_origin"] == "augmented")
    found = explain.explain(config, child["row_id"])
    assert found.same and any("series.jitter" in line for line in found.lines)
    assert explain.explain(config, child["row_parents"][0]).same


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_made_series_go_the_whole_way(spark, ray_session, tmp_path):
    """Trained, sampled by any number of actors, judged and merged; a made row can be made again."""
    (tmp_path / "waves.jsonl").write_text(lines(windows(120)))
    parts = {"split": {"train": 30, "val": 50, "rest": "test"}, "gate": {"usefulness": "report"}}
    model = "series_mixture"
    config = recipe(tmp_path, generate=[{"model": model, "rows": {"per_label": 80}}], **parts)
    run(spark, config, "ingest", "clean", "normalize")
    trained = train.run(ray_session, config, model)
    assert trained.counts["rows"] == sum(trained.counts["per_label"].values()) == 30
    runs.finish(runs.locate(config, "train", model), trained, 0.0)
    shards = Path(runs.locate(config, "sample", model).folder) / "rows"
    found = []
    for actors in (1, 2):
        some = config.runtime.sample.model_copy(update={"actors": actors, "shard_rows": 64})
        runtime = config.runtime.model_copy(update={"sample": some})
        sampled = sample.run(ray_session, dataclasses.replace(config, runtime=runtime), model)
        found.append((sampled, {path.name: path.read_bytes() for path in shards.iterdir()}))
        _ = [path.unlink() for path in shards.iterdir() if actors == 1]
    assert found[0] == found[1] and len(found[0][1]) == 3
    assert found[0][0].counts["per_label"] == {"rise": 80, "fall": 80}
    runs.finish(runs.locate(config, "sample", model), found[0][0], 0.0)
    on_ray(ray_session, config, score, "score")
    gate = run(spark, config, "gate")
    run(spark, config, "merge")
    made = [row for row in table(config, "dataset") if row["row_origin"] == "synthetic"]
    assert len(made) == gate.counts["accepted"] > 80 and {row["row_split"] for row in made} == {"train"}
    told = explain.explain(config, made[5]["row_id"])
    assert told.same and any("index" in line for line in told.lines)


def test_a_curve_has_a_gap_where_values_are_missing():
    drawn = curves([np.array([0.0, np.nan, 1.0])], (0.0, 1.0), "#000", 'a "title"')
    assert '<path d="M2.0 42.0M118.0 2.0"/>' in drawn and 'aria-label="a &#34;title&#34;"' in drawn


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", DATA)
def test_a_shipped_recipe_grows_into_a_dataset_and_a_report(tmp_path: Path, data_dir: Path, name: str) -> None:
    """By the command: every row that was planned is in the dataset, or refused with its reason."""
    root = tmp_path / "root"
    finish(root, f"data={data_dir / DATA[name]}", "evaluate.seeds=1", recipe=name)
    metrics = json.loads((root / name / "metrics.json").read_text("utf-8"))
    assert all(each["adds_up"] is not False for each in metrics["stages"])
    planned = next(each["planned"] for each in metrics["stages"] if each["key"] == "augment")
    rows = DeltaTable(str(root / name / "dataset")).to_pandas()
    made = rows[rows.row_origin == "augmented"]
    assert 0 < len(made) <= planned and set(made.row_split) == {"train"}

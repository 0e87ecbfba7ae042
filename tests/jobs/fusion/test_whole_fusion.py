"""Recipes of several payloads from their source to a dataset and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conf import Config, runs
from jobs import explain, report
from synth import evaluate, score
from tests.faults.command import ended_in, finish
from tests.jobs.fusion.made import captions, images, recipe, row
from tests.jobs.made import run, table

STEPS = [
    {"text.word_deletion": {"p": 0.2}},
    {"image.gaussian_noise": {"std": 4}},
    {"table.gaussian_jitter": {"std": 0.05}},
    {"fusion.draw_text": {"template": "{colour}", "size_px": [6, 6], "least_px": 5, "p": 0.5}},
]


def on_ray(ray_session: Any, config: Config, module: Any, stage: str) -> None:
    """Run one stage of Ray's and mark it done."""
    runs.finish(runs.locate(config, stage), module.run(ray_session, config), 0.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_rows_of_several_payloads_go_the_whole_way(spark, ray_session, tmp_path):
    """What is merged is what the gate let pass; the report shows all payloads; a child can be made again."""
    images(tmp_path, range(80))
    captions(tmp_path, [row(number) for number in range(80)])
    judged = {"judges": ["table.logistic", "text.words", "joint"], "seeds": 1, "curve_points": 2, "steps": 20}
    form = {"height": 16, "width": 16, "channels": 1, "boxes": True}
    split = {"train": 30, "val": 20, "rest": "test"}
    parts = {"image": form, "split": split, "gate": {"usefulness": "report"}, "evaluate": judged}
    config = recipe(tmp_path, augment={"copies": 2, "steps": STEPS}, **parts)
    run(spark, config, "ingest", "clean", "normalize", "augment")
    on_ray(ray_session, config, score, "score")
    gate = run(spark, config, "gate")
    run(spark, config, "merge")
    on_ray(ray_session, config, evaluate, "evaluate")
    rows = table(config, "dataset")
    assert sum(each["row_origin"] == "augmented" for each in rows) == gate.counts["accepted"] > 40
    place = runs.locate(config, "report")
    page = report.html(config, place.inputs, report.facts(config, place.inputs)).decode()
    assert "What each step did" in page and "fusion.draw_text" in page and "written on it:" in page
    child = next(each for each in rows if each["row_origin"] == "augmented")
    found = explain.explain(config, child["row_id"])
    assert found.same and any("text.word_deletion" in line for line in found.lines)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_captioned_digits_grow_into_a_dataset_and_a_report(tmp_path: Path) -> None:
    """By the command: every row that was planned is in the dataset, or refused with its reason."""
    root, name = tmp_path / "root", "captioned-digits"
    finish(root, "evaluate.seeds=1", "gate.usefulness=report", recipe=name)
    metrics = json.loads((root / name / "metrics.json").read_text("utf-8"))
    assert all(each["adds_up"] is not False for each in metrics["stages"])
    planned = next(each["planned"] for each in metrics["stages"] if each["key"] == "augment")
    rows, refused = ended_in(root / name)
    made, kept_out = (each[each.row_origin == "augmented"] for each in (rows, refused))
    assert len(made) + len(kept_out) == planned and len(made) > 0
    assert set(made.row_split) == {"train"} and set(rows.label) == {"match", "mismatch"}

"""Recipes of texts from their source to a dataset and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conf import Config, runs
from jobs import explain, report
from jobs.report_rows import chosen
from synth import evaluate, score
from tests.faults.command import ended_in, finish
from tests.jobs.made import run, table
from tests.jobs.texts.made import recipe, texts, write
from udfs.records import MAKER_HEX

DATA = {"word-senses": "", "sms-spam": "text/sms-spam", "movie-reviews": "text/nltk/corpora"}
STEPS = [{"text.word_deletion": {"p": 0.3}}, {"text.keyboard_typos": {"p": 0.05}}]


def on_ray(ray_session: Any, config: Config, module: Any, stage: str) -> None:
    """Run one stage of Ray's and mark it done."""
    runs.finish(runs.locate(config, stage), module.run(ray_session, config), 0.0)


def test_texts_go_the_whole_way(spark, ray_session, tmp_path):
    """What is merged is what the gate let pass; the report shows texts and steps; a child can be made again."""
    write(tmp_path, texts(120))
    judged = {"judges": ["words"], "seeds": 1, "curve_points": 2, "steps": 20}
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
    place = runs.locate(config, "report")
    page = report.html(config, place.inputs, report.facts(config, place.inputs)).decode()
    assert "What each step changed" in page and "text.keyboard_typos" in page and "number 1 7 13" not in page[:2000]
    child = next(row for row in rows if row["row_origin"] == "augmented")
    found = explain.explain(config, child["row_id"])
    assert found.same and any("text.word_deletion" in line for line in found.lines)
    shown = chosen(f"{runs.locate(config, 'augment').folder}/rows", 8, ("row_origin",))
    assert len({row.id[MAKER_HEX:] for row in shown}) == len(shown) == 8  # no two of one parent


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", DATA)
def test_a_shipped_recipe_grows_into_a_dataset_and_a_report(tmp_path: Path, request: Any, name: str) -> None:
    """By the command: every row that was planned is in the dataset, or refused with its reason."""
    root = tmp_path / "root"
    sets = [f"data={request.getfixturevalue('data_dir') / DATA[name]}"] if DATA[name] else []
    finish(root, *sets, "evaluate.seeds=1", "gate.usefulness=report", recipe=name)
    metrics = json.loads((root / name / "metrics.json").read_text("utf-8"))
    assert all(each["adds_up"] is not False for each in metrics["stages"])
    planned = next(each["planned"] for each in metrics["stages"] if each["key"] == "augment")
    rows, refused = ended_in(root / name)
    made, kept_out = (each[each.row_origin == "augmented"] for each in (rows, refused))
    assert len(made) + len(kept_out) == planned and len(made) > 0
    assert set(made.row_split) == {"train"} and kept_out.row_reason.notna().all()

"""Fingerprints follow content, markers come last, and a plan needs no engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import conf
from conf import Config, runs, stages
from conf.errors import RecipeError, StageError
from conf.runs import StageResult
from conf.runs.survey import _readable

FOLDER = """
name: mine
modality: image
image: {height: 8, width: 8, channels: 1}
labels: [a, b]
data: pictures
sources: [{name: folder, reader: image_folder, path: all}]
split: {test: 0.2, rest: train}
augment: {copies: 2, steps: [image.horizontal_flip]}
"""


@pytest.fixture
def folder_recipe(tmp_path: Path) -> Callable[..., Config]:
    """A recipe over a folder of two files; call it with overrides."""
    for label in "ab":
        (tmp_path / "pictures" / "all" / label).mkdir(parents=True)
        (tmp_path / "pictures" / "all" / label / "1.png").write_bytes(label.encode())
    (tmp_path / "mine.yaml").write_text(FOLDER)
    return lambda *overrides: conf.load(str(tmp_path / "mine.yaml"), "local", overrides, str(tmp_path / "root"))


def walk(config: Config, digests: dict[str, str] | None = None) -> dict[str, str]:
    """Mark every stage as done, each output's digest its name or as given; returns fingerprints by key."""
    outputs = (
        "rows",
        "refused",
        "train",
        "val",
        "test",
        "reserve",
        "unlabelled",
        "accepted",
        "verdicts",
        "usefulness",
        "checkpoint",
    )
    while todo := next((each for each in runs.survey(config) if each.place and not each.done), None):
        made = {output: (digests or {}).get(f"{todo.key}.{output}", output) for output in outputs}
        runs.finish(todo.place, StageResult({"rows": 1}, made), 0.1)
    return {each.key: each.place.fingerprint for each in runs.survey(config) if each.place}


def test_a_stage_is_done_when_its_marker_is_there(config_for: Callable[..., Config]) -> None:
    """What was finished is read back whole; without the marker it is not done."""
    config = config_for("digits")
    place = runs.locate(config, "ingest")
    assert runs.done(config, "ingest") is None
    finished = runs.finish(place, StageResult({"rows": 3}, {"rows": "d"}, {}, ["said"]), 1.5)
    assert runs.done(config, "ingest") == finished
    os.remove(f"{place.folder}/DONE.json")
    assert runs.done(config, "ingest") is None


def test_a_stage_names_the_one_that_must_run_first(config_for: Callable[..., Config]) -> None:
    """A stage out of order is answered with the command to run."""
    with pytest.raises(StageError, match="run `seedbed ingest digits` first"):
        runs.locate(config_for("digits"), "clean")


def test_an_edit_changes_only_the_stages_that_read_it(config_for: Callable[..., Config]) -> None:
    """One more augmentation copy leaves ingest, clean, normalize and both generators as they are."""
    before = walk(config_for("digits"))
    after = {
        each.key: each.place.fingerprint
        for each in runs.survey(config_for("digits", "augment.copies=21"))
        if each.place
    }
    assert {key for key in after if after[key] != before[key]} == {"augment"}
    assert {"train.image_gan", "train.image_mixture", "normalize", "clean"} <= after.keys()


def test_equal_content_ends_the_work_there(config_for: Callable[..., Config]) -> None:
    """A clean stage that ran anew but made the same rows reruns nothing after it.

    Another train digest reruns its readers.
    """
    before = walk(config_for("digits"))
    edited = config_for("digits", "clean.duplicates.max_distance_bits=3")
    same = walk(edited)
    assert {key for key in same if same[key] != before[key]} == {"clean", "report"}
    other = walk(config_for("digits", "clean.duplicates.max_distance_bits=4"), {"clean.test": "other"})
    assert {key for key in other if other[key] != before[key]} == {"clean", "merge", "evaluate", "report"}


def test_a_touched_removed_or_added_file_is_noticed(folder_recipe: Callable[..., Config], tmp_path: Path) -> None:
    """The source's listing is part of ingest's fingerprint; moving the whole folder is not."""
    seen = {runs.locate(folder_recipe(), "ingest").fingerprint}
    (tmp_path / "pictures" / "all" / "a" / "2.png").write_bytes(b"x")
    seen.add(runs.locate(folder_recipe(), "ingest").fingerprint)
    (tmp_path / "pictures" / "all" / "a" / "2.png").write_bytes(b"xy")
    seen.add(runs.locate(folder_recipe(), "ingest").fingerprint)
    assert len(seen) == 3
    last = runs.locate(folder_recipe(), "ingest").fingerprint
    os.rename(tmp_path / "pictures", tmp_path / "moved")
    assert runs.locate(folder_recipe(f"data={tmp_path / 'moved'}"), "ingest").fingerprint == last


def test_missing_data_is_answered_with_the_mend(folder_recipe: Callable[..., Config]) -> None:
    """The sentence names the source, the place and the flag."""
    with pytest.raises(RecipeError, match=r"source folder: /nowhere/all is not there.*--set data=DIR"):
        runs.survey(folder_recipe("data=/nowhere"))


def test_another_relation_trains_anew_even_where_no_row_broke_it(config_for: Callable[..., Config]) -> None:
    """A generator of tables keeps relations while it draws; other rules are clean's and the gate's."""
    relation, spelling = "clean.rules=[{relation: {expression: mean_radius <= worst_radius}}]", "clean.rules=[]"
    config = config_for("breast-cancer", spelling)
    part = f"train.{config.recipe.generate[0].name}"
    before = walk(config)
    assert walk(config_for("breast-cancer", relation))[part] != before[part]
    ranged = "clean.rules=[{range: {column: mean_radius, low: 0}}]"
    assert walk(config_for("breast-cancer", ranged))[part] == before[part]


def test_a_model_that_learns_otherwise_is_trained_anew_and_no_other(
    config_for: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = walk(config_for("digits"))
    monkeypatch.setitem(stages.TRAINING, "image_mixture", 2)
    then = walk(config_for("digits"))
    assert then["train.image_mixture"] != first["train.image_mixture"]
    assert then["train.image_gan"] == first["train.image_gan"]


def test_renaming_a_generator_does_not_retrain_it(config_for: Callable[..., Config]) -> None:
    """The generator's own name is not part of what it makes."""
    before = walk(config_for("digits"))
    after = walk(config_for("digits", "generate.1.name=other"))
    assert after["train.other"] == before["train.image_gan"]
    assert after["sample.other"] == before["sample.image_gan"]


def test_merge_runs_again_when_its_table_has_moved_on(config_for: Callable[..., Config]) -> None:
    """Merge is done only while the version it wrote is the newest: so an old recipe puts its old rows back."""
    config = config_for("digits")
    place = runs.locate(config, "ingest")
    log = Path(config.tables) / "digits" / "dataset" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text("{}")
    merge = runs.Place("merge", "", "f" * 16, place.folder, {}, {}, {})
    done = runs.finish(merge, StageResult({}, {}, {"dataset": 0}), 0.0)
    assert _readable(config, done)
    (log / f"{1:020d}.json").write_text("{}")
    assert not _readable(config, done)


def test_a_damaged_marker_is_named(config_for: Callable[..., Config]) -> None:
    """Half a marker is no marker and no crash: the sentence says what to delete."""
    config = config_for("digits")
    place = runs.locate(config, "ingest")
    Path(place.folder).mkdir(parents=True)
    (Path(place.folder) / "DONE.json").write_text('{"stage": ')
    with pytest.raises(StageError, match=r"DONE\.json is damaged.*delete it"):
        runs.survey(config)


def test_runs_are_numbered_and_point_at_fingerprints(config_for: Callable[..., Config]) -> None:
    """Each run writes one small file more."""
    config = config_for("digits")
    done = runs.finish(runs.locate(config, "ingest"), StageResult({}, {}), 0.0)
    assert runs.record_run(config, 0.0, [done], "done") == "run-00001.json"
    assert runs.record_run(config, 0.0, [done], "stopped") == "run-00002.json"
    last = runs.last_run(config)
    assert last is not None
    assert last["stages"] == {"ingest": done.fingerprint}
    assert last["state"] == "stopped"


def test_planning_imports_no_engine() -> None:
    """A survey loads neither pyspark nor ray nor torch."""
    code = (
        "import sys, json, conf\nfrom conf import runs\nrun = runs.survey(conf.load('digits', root='/tmp/none'))\n"
        "print(json.dumps([m for m in ('pyspark', 'ray', 'torch', 'cv2', 'sklearn') if m in sys.modules]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert json.loads(told.stdout) == []

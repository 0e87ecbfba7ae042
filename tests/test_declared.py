"""The dataset is declared: it equals its recipe and its sources, and a rerun changes exactly what they changed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from deltalake import DeltaTable
from sklearn.datasets import load_digits

import conf
from conf import Config
from jobs import pipeline

RECIPE = """
name: mine
modality: image
image: {height: 8, width: 8, channels: 1}
labels: ["0", "1", "2"]
seed: 3
data: pictures
sources: [{name: folder, reader: image_folder, path: .}]
clean: {duplicates: {exact: drop, near: keep}}
split: {val: 0.2, test: 0.2, rest: train}
augment:
  copies: 2
  steps:
    - image.rotate: {degrees: [-10, 10]}
generate:
  - {model: image_mixture, rows: {per_label: 4}}
gate: {min_label_agreement: 0.0, copies: report, max_distance_factor: 1000, usefulness: report}
evaluate: {judges: [linear], seeds: 1, steps: 20, curve_points: 2}
"""
AFTER_STAGING = {"score", "gate", "merge", "evaluate", "report"}

Run = Callable[..., pipeline.RunResult]


class Dataset:
    """The recipe's folder of pictures, and what its table holds."""

    def __init__(self, home: Path) -> None:
        self.home, self.root = home, home / "root"
        self.pictures = home / "pictures"
        digits = load_digits()
        for label in range(3):
            (self.pictures / str(label)).mkdir(parents=True)
            for place, image in enumerate(digits.images[digits.target == label][:20]):
                cv2.imwrite(str(self.pictures / str(label) / f"{place:02d}.png"), (image * 15.9).astype("uint8"))
        (home / "mine.yaml").write_text(RECIPE)

    def config(self, *overrides: str) -> Config:
        return conf.load(str(self.home / "mine.yaml"), "local", overrides, str(self.root))

    def run(self, *overrides: str) -> pipeline.RunResult:
        return pipeline.run(self.config(*overrides))

    def version(self) -> int:
        return DeltaTable(str(self.root / "mine" / "dataset")).version()

    def rows(self) -> dict[str, dict[str, Any]]:
        """Every row of the table by its id, each with a hash over all its bytes."""
        table = DeltaTable(str(self.root / "mine" / "dataset")).to_pyarrow_dataset().to_table()
        found = {}
        for row in table.to_pylist():
            row["bytes"] = hashlib.blake2b(repr(sorted(row.items())).encode()).hexdigest()
            found[row["row_id"]] = row
        assert len(found) == table.num_rows
        return found


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, spark: Any, ray_session: Any) -> Dataset:
    """A dataset that was grown once; each test starts from a copy of it."""
    dataset = Dataset(tmp_path_factory.mktemp("declared"))
    dataset.run()
    return dataset


@pytest.fixture
def dataset(grown: Dataset) -> Dataset:
    """The dataset, brought back to how it was first grown where a test before left it otherwise."""
    grown.run()
    return grown


def changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[set[str], set[str], set[str]]:
    """Ids inserted, updated (any byte), deleted."""
    same = before.keys() & after.keys()
    updated = {row for row in same if before[row]["bytes"] != after[row]["bytes"]}
    return after.keys() - before.keys(), updated, before.keys() - after.keys()


def of_origin(rows: dict[str, Any], ids: set[str]) -> set[str]:
    return {rows[row]["row_origin"] for row in ids}


def stages(result: pipeline.RunResult) -> set[str]:
    """Names of the stages that ran."""
    return {key.partition(".")[0] for key in result.ran}


def test_an_unchanged_rerun_commits_nothing(dataset: Dataset) -> None:
    """Nothing runs, and the table keeps its version."""
    version = dataset.version()
    assert dataset.run().ran == []
    assert dataset.version() == version


def test_what_is_in_the_table_is_what_the_recipe_says(dataset: Dataset) -> None:
    """Real rows as they were split, two children for each train row, four synthetic rows a label."""
    rows = dataset.rows().values()
    real = [row for row in rows if row["row_origin"] == "real"]
    train = [row for row in real if row["row_split"] == "train"]
    assert len(real) == 60
    assert sum(row["row_origin"] == "augmented" for row in rows) == 2 * len(train)
    assert sum(row["row_origin"] == "synthetic" for row in rows) == 12
    assert all(row["row_split"] == "train" for row in rows if row["row_origin"] != "real")
    parents = {parent for row in rows for parent in row["row_parents"] or []}
    assert parents <= {row["row_id"] for row in train}


def test_one_more_copy_inserts_that_copy_alone(dataset: Dataset) -> None:
    """A third child for each train row; no generator is trained again; back again, and it is gone."""
    before = dataset.rows()
    result = dataset.run("augment.copies=3")
    inserted, updated, deleted = changes(before, dataset.rows())
    train = sum(row["row_origin"] == "real" and row["row_split"] == "train" for row in before.values())
    assert (len(inserted), updated, deleted) == (train, set(), set())
    assert stages(result) == {"augment", *AFTER_STAGING}
    back = dataset.run()
    assert changes(before, dataset.rows()) == (set(), set(), set())
    assert set(back.ran) == {"merge"}


def test_another_step_replaces_augmented_rows_only(dataset: Dataset) -> None:
    """The children have another maker now: all old ones go, as many new ones come, nothing else is touched."""
    before = dataset.rows()
    result = dataset.run("augment.steps=[{image.rotate: {degrees: [-10, 10]}}, {image.brightness: {}}]")
    after = dataset.rows()
    inserted, updated, deleted = changes(before, after)
    assert of_origin(after, inserted) == of_origin(before, deleted) == {"augmented"}
    assert len(inserted) == len(deleted)
    assert updated == set()
    assert "train" not in stages(result)


def test_a_corrected_label_of_a_test_row_updates_that_row_alone(dataset: Dataset) -> None:
    """The picture moves to another class's folder: its row keeps id and split; nothing that reads train rows runs."""
    before = dataset.rows()
    row = next(row for row in before.values() if row["row_split"] == "test" and row["label"] == "1")
    name = Path(row["row_source"].partition("#")[0]).name
    moved = dataset.pictures / "2" / f"moved-{name}"
    shutil.move(dataset.pictures / "1" / name, moved)
    try:
        result = dataset.run()
        after = dataset.rows()
        inserted, updated, deleted = changes(before, after)
        assert (inserted, updated, deleted) == (set(), {row["row_id"]}, set())
        assert after[row["row_id"]]["label"] == "2"
        assert not {"train", "sample", "augment", "score", "gate"} & stages(result)
    finally:
        shutil.move(moved, dataset.pictures / "1" / name)


def test_a_removed_train_file_takes_its_children_along(dataset: Dataset) -> None:
    """Its real row and its children go; other real rows and their children stay; put back, everything is as before."""
    before = dataset.rows()
    row = next(row for row in before.values() if row["row_split"] == "train" and row["row_origin"] == "real")
    path = dataset.pictures / row["label"] / Path(row["row_source"].partition("#")[0]).name
    away = dataset.home / path.name
    shutil.move(path, away)
    try:
        dataset.run()
        _, updated, deleted = changes(before, dataset.rows())
        lost = {each for each in deleted if before[each]["row_origin"] != "synthetic"}
        children = {each["row_id"] for each in before.values() if row["row_id"] in (each["row_parents"] or [])}
        assert lost == {row["row_id"]} | children
        assert updated == set()
    finally:
        shutil.move(away, path)
    dataset.run()
    assert changes(before, dataset.rows()) == (set(), set(), set())


@pytest.mark.slow
def test_a_checkpoint_serves_while_few_train_rows_changed(dataset: Dataset) -> None:
    """One train file gone, `train.refresh` at a tenth: no generator is trained, its rows stay, the plan says why."""
    before = dataset.rows()
    train = [row for row in before.values() if row["row_split"] == "train" and row["row_origin"] == "real"]
    row = train[-1]  # the work without the first is there from another test
    path = dataset.pictures / row["label"] / Path(row["row_source"].partition("#")[0]).name
    away = dataset.home / path.name
    shutil.move(path, away)
    try:
        result = dataset.run("generate.0.train.refresh=0.1")
        assert "train" not in stages(result)
        assert {"ingest", "clean", "augment", "sample"} <= stages(result)
        _, updated, deleted = changes(before, dataset.rows())
        assert updated == set()
        assert of_origin(before, deleted) == {"real", "augmented"}
        planned = {each.key: each for each in pipeline.plan(dataset.config("generate.0.train.refresh=0.1"))}
        assert planned["train.image_mixture"].action == "skip"
        assert planned["train.image_mixture"].why.startswith("1 of ")
        assert "train.refresh is 10.0%" in planned["train.image_mixture"].why
    finally:
        shutil.move(away, path)


def test_new_files_leave_every_other_row_in_its_split(dataset: Dataset) -> None:
    """Splits stick: a newcomer gets one, nobody's changes."""
    before = dataset.rows()
    newcomer = dataset.pictures / "0" / "new.png"
    image = (load_digits().images[load_digits().target == 0][30] * 15.9).astype("uint8")
    cv2.imwrite(str(newcomer), image)
    try:
        dataset.run()
        after = dataset.rows()
        real = {row for row in before if before[row]["row_origin"] == "real"}
        assert {row: after[row]["row_split"] for row in real} == {row: before[row]["row_split"] for row in real}
        assert sum(row["row_origin"] == "real" for row in after.values()) == len(real) + 1
    finally:
        newcomer.unlink()


def test_the_plan_says_what_the_merge_then_does(dataset: Dataset) -> None:
    """Before anything ran the merge is unknown; once its inputs are there, its numbers are told and right."""
    planned = {each.key: each for each in pipeline.plan(dataset.config("augment.copies=4"))}
    assert planned["augment"].action == "run"
    assert planned["augment"].why == "recipe: augment"
    assert planned["merge"].action == "unknown"
    assert planned["train.image_mixture"].action == "skip"
    dataset.run("augment.copies=4")
    back = {each.key: each for each in pipeline.plan(dataset.config())}["merge"]
    before = dataset.rows()
    dataset.run()
    inserted, updated, deleted = changes(before, dataset.rows())
    assert back.counts == {"insert": len(inserted), "update": len(updated), "delete": len(deleted)}
    assert len(deleted) > 0

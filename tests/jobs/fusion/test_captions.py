"""Captions files and what they name: never beyond the folder, never lost without a reason; recipes of joins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conf.errors import RecipeError
from jobs import readers
from jobs.fusion import ingest
from jobs.fusion.readers import captions as reader
from jobs.tabular.cells import Cells
from tests.jobs.fusion.made import captions, images, recipe, row
from tests.jobs.made import picture, png, put

PHOTOS = {"name": "photos", "reader": "captions", "path": "images", "manifest": "photos.csv", "gives": ["image"]}
NOTES = {"name": "notes", "reader": "csv", "path": "notes.csv", "gives": ["label", "text", "weight", "colour"]}
NEAREST = {"by": "nearest_time", "column": "time", "tolerance_s": 1, "within": "drive", "reuse": True}


def read(folder: Path, name: str) -> tuple[int, dict[str, str]]:
    """(rows, reason of each refused line) of a captions file, pieces sent through JSON as to the workers."""
    source = {"name": "pets", "reader": "captions", "path": "images", "manifest": name}
    config = recipe(folder, sources=[source])
    task = readers.reading(config, config.recipe.sources[0])
    rows, bad = 0, {}
    for piece in json.loads(json.dumps(ingest.pieces(task))):
        for part in reader.read(task, piece):
            if isinstance(part, Cells):
                rows += len(part.positions)
            else:
                bad |= {each.position.rpartition("/")[2]: each.reason for each in part}
    return rows, bad


def test_a_folder_behind_a_link_is_not_entered_whoever_names_it(tmp_path):
    """The listing passes it by; a line of the captions file must not lead there either."""
    images(tmp_path, range(2))
    put(tmp_path / "secret" / "x.png", png(picture(7, 16)))
    (tmp_path / "images" / "away").symlink_to(tmp_path / "secret")
    captions(tmp_path, [row(0), row(1), row(2, file="away/x.png")])
    assert read(tmp_path, "captions.csv") == (2, {"captions.csv#4": "path_outside"})


def test_halves_of_characters_and_nested_cells_are_refused_line_by_line(tmp_path):
    """JSON may hold both: a file's name that no file can have, a caption that is a list of five."""
    images(tmp_path, range(5))
    odd = [
        row(1, file="\ud800.png"),
        row(2, text="half \ud83d of it"),
        row(3, text=["one", "two"]),
        row(4, colour=None),
    ]
    captions(tmp_path, [row(0), *odd], "captions.jsonl")
    rows, bad = read(tmp_path, "captions.jsonl")
    halves = dict.fromkeys(("captions.jsonl#2", "captions.jsonl#3"), "line_not_utf8")
    told = {**halves, "captions.jsonl#4": "cell_nested", **dict.fromkeys(("001.png", "002.png"), "caption_missing")}
    assert rows == 2 and bad == {**told, "003.png": "caption_missing"}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"sources": [PHOTOS, {**NOTES, "split": "test"}]}, "notes says split, .* first source, photos"),
        ({"sources": [PHOTOS, {**NOTES, "group_column": "owner"}]}, "notes says group_column"),
        ({"sources": [{**PHOTOS, "group_column": "owner"}, NOTES]}, "group_column does not go with join.reuse"),
    ],
)
def test_what_a_join_would_pass_over_is_refused(tmp_path: Path, parts: dict[str, Any], told: str) -> None:
    """A split or a group of a following source would count for nothing; two kinds of groups would part one image."""
    split = {"train": 0.5, "val": 0.2, "rest": "test", "group": True}
    recipe(tmp_path, sources=[PHOTOS, NOTES], join=NEAREST, split=split)
    with pytest.raises(RecipeError, match=told):
        recipe(tmp_path, join=NEAREST, split=split, **parts)


def test_pairs_need_to_know_which_images_are_one_picture(tmp_path):
    """Where near copies are not looked for, another caption of the same picture would be called a mismatch."""
    pairs = {"labels": ["mismatch", "match"], "pairs": {"negatives": 1}}
    recipe(tmp_path, **pairs)
    with pytest.raises(RecipeError, match="near: group, not keep"):
        recipe(tmp_path, **pairs, clean={"duplicates": {"near": "keep"}})


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"clean": {"duplicates": {"columns": ["wieght"]}}}, "clean.duplicates names the column 'wieght'"),
        ({"normalize": {"columns": {"wieght": "z_score"}}}, "normalize names the column 'wieght'"),
    ],
)
def test_columns_that_are_none_are_refused_before_an_engine_starts(tmp_path, parts, told):
    """A worker would look for them in vain."""
    recipe(tmp_path, clean={"duplicates": {"columns": ["weight"]}}, normalize={"columns": {"weight": "z_score"}})
    with pytest.raises(RecipeError, match=told):
        recipe(tmp_path, **parts)

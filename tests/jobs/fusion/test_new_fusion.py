"""A recipe for a person's own images with captions."""

from __future__ import annotations

from pathlib import Path

import pytest

import conf
from jobs import check
from jobs.fusion.new import captions_of, written
from tests.jobs.fusion.made import captions, images, row


def lines(labelled: bool) -> list[dict[str, str]]:
    """Lines as people name their columns."""
    found = []
    for number in range(40):
        told = row(number)
        line = {"picture": f"images/{told['file']}", "description": told["text"], "weight": told["weight"]}
        line |= {"colour": told["colour"], "note by": f"person {number}"}
        found.append(line | ({"class": told["label"]} if labelled else {}))
    return found


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("name", ["lines.csv", "lines.jsonl"])
def test_a_folder_of_captions_becomes_a_recipe_that_loads(tmp_path: Path, labelled: bool, name: str) -> None:
    """With labels the rows are told apart by them; without, captions are to be matched."""
    images(tmp_path / "shop", range(40))
    captions(tmp_path / "shop", lines(labelled), name)
    found = captions_of(tmp_path / "shop", None)
    assert found is not None and found.left == ["note by"]
    file = tmp_path / "shop.yaml"
    text, told = written("shop", found, file)
    file.write_text(text)
    assert told == "40 images with captions"
    config = conf.load(str(file), "local", [], str(tmp_path / "root"))
    check.check_recipe(config)
    assert config.recipe.labels == (["cat", "dog"] if labelled else ["mismatch", "match"])
    assert {name: said.type for name, said in config.recipe.columns.items()} == {
        "weight": "number",
        "colour": "category",
    }
    assert config.recipe.image.height == 16 and (config.recipe.pairs is None) == labelled


def test_a_manifest_without_captions_is_none(tmp_path: Path) -> None:
    """Images with labels alone stay a recipe of images, a table stays a table."""
    images(tmp_path, range(5))
    captions(tmp_path, [{"file": f"images/{number:03d}.png", "label": "cat"} for number in range(5)], "plain.csv")
    assert captions_of(tmp_path, None) is None
    captions(tmp_path, [{"age": "3", "note": "some words of no image"}], "plain.csv")
    assert captions_of(tmp_path / "plain.csv", None) is None


def test_lines_that_are_nested_without_end_are_no_captions(tmp_path):
    """They are looked at by others, and end in no traceback."""
    (tmp_path / "lines.jsonl").write_text("[" * 200_000 + "\n")
    assert captions_of(tmp_path, None) is None

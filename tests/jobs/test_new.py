"""`seedbed new`: what it sees in a person's images, and that the recipe it writes is one that runs."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

import conf
from conf import Config, runs
from conf.errors import RecipeError
from jobs.look import Look, look_at
from jobs.new import check_name, write
from udfs.steps import compile_rules, compile_steps

RANDOM = np.random.default_rng(0)


def images(
    folder: Path, count: int, size: tuple[int, int] = (20, 16), colour: bool = False, suffix: str = ".png"
) -> None:
    """Write `count` pictures of random pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = RANDOM.integers(0, 256, (*size, 3 if colour else 1), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:03d}{suffix}"), pixels)


def written(look: Look, tmp_path: Path, name: str = "mine") -> Config:
    """The recipe for what was seen, saved and loaded; its steps compile and its sources are there."""
    file = tmp_path / f"{name}.yaml"
    file.write_text(write(name, look, file), "utf-8")
    config = conf.load(str(file), root=str(tmp_path / "root"))
    runs.survey(config)
    compile_rules(config.recipe.clean.rules)
    if config.recipe.augment:
        compile_steps(config.recipe.augment.steps, form=config.recipe.image)
    return config


def test_a_folder_a_class(tmp_path: Path) -> None:
    """Labels are the folders; images of one size are left as they are; grey ones get one channel."""
    for label in ("cat", "dog", 'odd "name": #1'):
        images(tmp_path / "pets" / label, 30)
    recipe = written(look_at(tmp_path / "pets"), tmp_path).recipe
    assert sorted(recipe.labels) == ["cat", "dog", 'odd "name": #1']
    assert (recipe.image.height, recipe.image.width, recipe.image.channels, recipe.image.resize) == (20, 16, 1, None)
    assert recipe.sources[0].reader == "image_folder"
    assert recipe.split.rest == "train" and recipe.split.test == 0.2


def test_given_splits_stay(tmp_path: Path) -> None:
    """Folders train and test of class folders: the test images stay apart."""
    for split in ("train", "test"):
        for label in ("0", "1", "10", "2"):
            images(tmp_path / "set" / split / label, 6, colour=True)
    recipe = written(look_at(tmp_path / "set"), tmp_path).recipe
    assert recipe.labels == ["0", "1", "2", "10"]
    assert recipe.split.test == "given" and recipe.image.channels == 3
    assert [source.split for source in recipe.sources] == [None, "test"]


def test_a_manifest(tmp_path: Path) -> None:
    """The column of files is the one whose values are files; the label's is named, told by its name, or asked for."""
    images(tmp_path / "shots", 40)
    with (tmp_path / "shots" / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["nr", "picture", "kind", "who"])
        rows.writerows([n, f"{n:03d}.png", "ab"[n % 2], f"person {n % 5}"] for n in range(40))
    source = written(look_at(tmp_path / "shots"), tmp_path).recipe.sources[0]
    assert (source.reader, source.file_column, source.label_column) == ("image_manifest", "picture", "kind")
    asked = written(look_at(tmp_path / "shots", "who"), tmp_path).recipe
    assert asked.sources[0].label_column == "who" and len(asked.labels) == 5
    named = written(look_at(tmp_path / "shots" / "list.csv"), tmp_path).recipe
    assert named.sources[0] == source, "the manifest itself stands for its folder"
    with pytest.raises(RecipeError, match="has no column 'age'"):
        look_at(tmp_path / "shots", "age")
    (tmp_path / "shots" / "list.csv").write_text("picture,kind\n000.png,a\n001.png,a\n")
    with pytest.raises(RecipeError, match=r"has kind, and none of two labels or more; --label names"):
        look_at(tmp_path / "shots")


def test_an_npz(tmp_path: Path) -> None:
    """Arrays in an archive, with and without splits."""
    pixels = RANDOM.integers(0, 256, (60, 12, 12), dtype=np.uint8)
    labels = np.arange(60) % 3
    np.savez(tmp_path / "plain.npz", images=pixels, labels=labels)
    assert written(look_at(tmp_path / "plain.npz"), tmp_path).recipe.labels == ["0", "1", "2"]
    parts = {
        f"{split}_{kind}": value
        for split in ("train", "val", "test")
        for kind, value in (("images", pixels), ("labels", labels))
    }
    np.savez(tmp_path / "parts.npz", **parts)
    recipe = written(look_at(tmp_path / "parts.npz"), tmp_path).recipe
    assert {source.split for source in recipe.sources} == {"train", "val", "test"}
    assert recipe.split.test == "given" and recipe.split.val == "given"
    np.savez(tmp_path / "uneven.npz", images=pixels, labels=labels[:50])
    with pytest.raises(RecipeError, match="60 rows and labels 50"):
        look_at(tmp_path / "uneven.npz")
    (tmp_path / "web.npz").write_text("<html>404</html>")
    with pytest.raises(RecipeError, match="is no NPZ archive"):
        look_at(tmp_path / "web.npz")


def test_sizes_that_differ_are_resized(tmp_path: Path) -> None:
    """Photographs of many sizes and shapes are fitted into one that trains in minutes."""
    images(tmp_path / "photos" / "a", 10, (300, 400), True, ".jpg")
    images(tmp_path / "photos" / "b", 10, (400, 200), True, ".jpg")
    form = written(look_at(tmp_path / "photos"), tmp_path).recipe.image
    assert form.resize == "fit" and max(form.height, form.width) <= 64


def test_a_rare_class_is_filled_up(tmp_path: Path) -> None:
    """Where one class has far fewer images, rows are planned up to the majority, and the reason is said."""
    images(tmp_path / "set" / "common", 60)
    images(tmp_path / "set" / "rare", 8)
    look = look_at(tmp_path / "set")
    assert all(generator.rows.balance == "majority" for generator in written(look, tmp_path).recipe.generate)
    assert '"rare" has 8 images where another has 60' in write("mine", look, tmp_path / "mine.yaml")


def test_a_class_of_two_gets_no_generator(tmp_path: Path) -> None:
    """Too little to learn from is said and left out, so that the recipe runs."""
    images(tmp_path / "set" / "a", 2)
    images(tmp_path / "set" / "b", 9)
    assert written(look_at(tmp_path / "set"), tmp_path).recipe.generate == []


def test_damaged_files_are_told(tmp_path: Path) -> None:
    """Files that are no images are counted, not fatal."""
    for label in ("a", "b"):
        images(tmp_path / "set" / label, 10)
    (tmp_path / "set" / "a" / "broken.png").write_bytes(b"no image")
    look = look_at(tmp_path / "set")
    assert look.unreadable == 1
    assert "1 of them cannot be read" in write("mine", look, tmp_path / "mine.yaml")


@pytest.mark.parametrize(("make", "told"), [
    (lambda path: None, "there is no such folder"),
    (lambda path: path.mkdir(), "no labelled image was found"),
    (lambda path: images(path / "one", 3), "only the class 'one'"),
    (lambda path: path.write_text("x"), "needs a folder"),
])  # fmt: skip
def test_what_cannot_be_grown_is_said(make: object, told: str, tmp_path: Path) -> None:
    """One sentence for a folder without images, one class, a file of another kind, nothing at all."""
    make(tmp_path / "given")  # type: ignore[operator]
    with pytest.raises(RecipeError, match=told):
        look_at(tmp_path / "given")


@pytest.mark.parametrize("name", ["Bad Name", "../up", "9lives", "", "a" * 64, "tick`"])
def test_a_name_that_cannot_be_one_is_mended(name: str) -> None:
    """A recipe's name becomes table and folder names: what cannot be one is refused with one that can."""
    with pytest.raises(RecipeError, match=r"such as '[a-z]"):
        check_name(name)

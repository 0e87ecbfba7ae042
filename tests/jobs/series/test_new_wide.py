"""Windows in a table's rows are told from other tables, and a recipe that reads them is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import conf
from conf import Config
from jobs import readers
from jobs.check import check_recipe
from jobs.series.look_wide import windows_in
from jobs.series.new import written
from jobs.tabular import ingest
from jobs.tabular.cells import Cells
from jobs.tabular.look import look_at

ROWS, STEPS = 40, 20


def rows(seed: int = 1, smooth: bool = True) -> list[list[str]]:
    """Rows of numbers: steps of windows, which rise and fall together, or features, which do not."""
    values = np.random.default_rng(seed).normal(size=(ROWS, STEPS))
    return [[f"{value:.4f}" for value in row] for row in (values.cumsum(axis=1) if smooth else values)]


def recipe_for(path: Path, label: str | None = None, count: int = ROWS) -> Config:
    """The recipe that is written for a table of windows, loaded; its sources have every row as a window."""
    file = path.parent / "mine.yaml"
    text, told = written("mine", path, label, file)
    file.write_text(text)
    assert "windows of 20 steps" in told
    config = conf.load(str(file), "local", [], str(path.parent / "root"))
    check_recipe(config)
    tasks = [readers.reading(config, source) for source in config.recipe.sources]
    parts = [part for task in tasks for piece in ingest.pieces(task) for part in ingest.records_of(task, piece)]
    assert sum(len(part.positions) for part in parts if isinstance(part, Cells)) == count
    return config


@pytest.mark.parametrize("place", ["first", "last"])
def test_lines_of_a_label_and_values_are_windows(tmp_path: Path, place: str) -> None:
    """As the UCR archive has them, apart by tabs; and with the label at the end."""
    lines = [[str(at % 3 - 1), *row] if place == "first" else [*row, str(at % 3 - 1)] for at, row in enumerate(rows())]
    lines[7][5] = "NaN"
    (tmp_path / "Waves_TRAIN.tsv").write_text("\n".join("\t".join(line) for line in lines) + "\n")
    recipe = recipe_for(tmp_path / "Waves_TRAIN.tsv").recipe
    assert recipe.series is not None and recipe.sources[0].wide is not None
    assert (recipe.series.length, recipe.series.channels, recipe.labels) == (STEPS, ["value"], ["-1", "0", "1"])
    assert (recipe.sources[0].header, recipe.sources[0].wide.label) == (False, place)
    assert "NaN" in recipe.missing


def test_train_and_test_files_of_one_name_stay_what_they_are(tmp_path: Path) -> None:
    for half, seed in (("TRAIN", 1), ("TEST", 2)):
        lines = "".join("\t".join([str(at % 2), *row]) + "\n" for at, row in enumerate(rows(seed)))
        (tmp_path / f"Waves_{half}.tsv").write_text(lines)
    recipe = recipe_for(tmp_path / "Waves_*.tsv", count=2 * ROWS).recipe
    told = [(source.name, source.path, source.split) for source in recipe.sources]
    assert told == [("train", "Waves_TRAIN.tsv", None), ("test", "Waves_TEST.tsv", "test")]
    assert (recipe.split.test, recipe.split.val) == ("given", 0.2)


def test_columns_that_are_counted_as_times_are_steps(tmp_path: Path) -> None:
    """Beside a label of any name and columns that are not read; without a label the question is how they go on."""
    head = ["id", *(f"t{step:02d}" for step in range(1, STEPS + 1)), "kind of day"]
    lines = [[str(at), *row, "ab"[at % 2]] for at, row in enumerate(rows())]
    (tmp_path / "days.csv").write_text("\n".join(",".join(line) for line in [head, *lines]) + "\n")
    recipe = recipe_for(tmp_path / "days.csv").recipe
    assert recipe.sources[0].wide is not None and recipe.sources[0].wide.steps == {"value": "t01"}
    assert (recipe.labels, recipe.sources[0].columns, recipe.sources[0].drift) == (
        ["a", "b"],
        {"kind of day": "label"},
        "merge",
    )
    (tmp_path / "days.csv").write_text("\n".join(",".join(line[:-1]) for line in [head, *lines]) + "\n")
    recipe = recipe_for(tmp_path / "days.csv").recipe
    assert (recipe.labels, recipe.evaluate.judges) == ([], ["forecast"])


def test_columns_that_are_counted_alike_are_channels(tmp_path: Path) -> None:
    head = [f"{channel}_{step}" for step in range(STEPS) for channel in ("x", "y")] + ["label"]
    both = zip(rows(), rows(2), strict=True)
    lines = [[*(cell for pair in zip(*row, strict=True) for cell in pair), "ab"[at % 2]] for at, row in enumerate(both)]
    (tmp_path / "moves.csv").write_text("\n".join(",".join(line) for line in [head, *lines]) + "\n")
    recipe = recipe_for(tmp_path / "moves.csv", "label").recipe
    assert recipe.series is not None and recipe.series.channels == ["x", "y"]


@pytest.mark.parametrize(
    ("head", "smooth", "label"),
    [
        (None, False, None),  # features without a header
        ([f"v{at}" for at in range(STEPS)], True, None),  # counted, and not as times are
        ([f"{name}{at}" for name in "xy" for at in range(STEPS // 2)], False, None),  # features of two kinds
        ([f"t{at}" for at in range(STEPS)], True, "t3"),  # a step is the person's label
        ([f"t{at + at // 9}" for at in range(STEPS)], True, None),  # a column is missing
    ],
)
def test_other_tables_are_no_windows(tmp_path: Path, head: list[str] | None, smooth: bool, label: str | None) -> None:
    lines = [[str(at % 2), *row] for at, row in enumerate(rows(1, smooth))]
    told = [["label", *head]] if head else []
    (tmp_path / "other.csv").write_text("\n".join(",".join(line) for line in [*told, *lines]) + "\n")
    assert windows_in(look_at(tmp_path / "other.csv"), label) is None


def test_grey_values_are_no_windows(tmp_path: Path) -> None:
    """Of images a line each, as handwritten digits are handed round."""
    random = np.random.default_rng(1)
    values = np.clip(random.normal(size=(ROWS, 49)).cumsum(axis=1) * 20 + 128, 0, 255).astype(int)
    text = "".join(",".join([str(at % 3), *map(str, row)]) + "\n" for at, row in enumerate(values))
    (tmp_path / "other.csv").write_text(text)
    assert windows_in(look_at(tmp_path / "other.csv"), None) is None

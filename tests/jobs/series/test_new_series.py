"""Recordings are told from other tables by their times, and a recipe that runs is written for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conf
from conf import Config
from jobs.check import check_recipe
from jobs.series.look import recordings_in
from jobs.series.new import write
from jobs.tabular.look import look_at
from tests.jobs.made import run
from tests.jobs.series.recorded import recording, written


def recipe_for(path: Path, name: str = "mine", label: str | None = None) -> Config:
    """The recipe that is written for a table of recordings, loaded."""
    seen = recordings_in(look_at(path), label)
    assert seen is not None
    file = path.parent / f"{name}.yaml"
    file.write_text(write(name, seen, file))
    config = conf.load(str(file), "local", [], str(path.parent / "root"))
    check_recipe(config)
    return config


def hours(count: int, entity: str = "", numbers: int = 2) -> list[str]:
    """Lines of an hour each, with numbers."""
    random = np.random.default_rng(1)
    head = f"{entity}," if entity else ""
    return [
        f"{head}2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00,{','.join(map(str, random.normal(size=numbers)))}"
        for hour in range(count)
    ]


def test_recordings_of_entities_with_labels_get_a_recipe_that_runs(spark: Any, tmp_path: Path) -> None:
    """Time, entity, label and channels are found whatever they are called; what is written grows rows."""
    lines = [line for number in range(24) for line in recording(f"m{number:02d}", 30)]
    lines[40] = (*lines[40][:2], "NA", *lines[40][3:])
    (tmp_path / "waves.csv").write_text(written(lines))
    config = recipe_for(tmp_path / "waves.csv")
    form = config.recipe.series
    assert form is not None and form.recordings is not None
    assert (form.channels, form.length, form.recordings.every) == (["left", "right"], 30, "1h")
    assert config.recipe.sources[0].columns == {"when": "time", "machine": "entity", "state": "label"}
    assert (config.recipe.labels, config.recipe.split.by) == (["fall", "rise"], "recording")
    assert config.recipe.missing == ["", "NA"]
    assert run(spark, config, "ingest", "clean").counts["refused"] == {}
    counts = run(spark, config, "normalize", "augment").counts
    assert counts["staged"] == counts["planned"] > 0


def test_one_recording_is_split_by_time(data_dir: Path, tmp_path: Path) -> None:
    """An hourly file without entities, as it is found in the wild."""
    place = tmp_path / "ETTh1.csv"
    place.symlink_to(data_dir / "timeseries" / "ett" / "ETTh1.csv")
    recipe = recipe_for(place).recipe
    assert recipe.series is not None and recipe.series.recordings is not None
    assert recipe.series.channels == ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    said = recipe.series.recordings
    assert (said.entity, said.every, recipe.series.length) == ("source", "1h", 24)
    assert (recipe.split.by, recipe.labels, recipe.evaluate.judges) == ("time", [], ["forecast"])


def test_months_have_no_grid_and_numbers_of_seconds_have_one(data_dir: Path, tmp_path: Path) -> None:
    place = tmp_path / "air.csv"
    place.symlink_to(data_dir / "timeseries" / "airline" / "airline-passengers.csv")
    told = recipe_for(place).recipe.series
    assert told is not None and told.recordings is not None
    assert (told.recordings.every, told.recordings.time_format, told.channels) == (None, "%Y-%m", ["Passengers"])
    lines = [f"{1_600_000_000 + 60 * at},{at % 7}" for at in range(300)]
    (tmp_path / "minutes.csv").write_text("timestamp,load\n" + "\n".join(lines) + "\n")
    told = recipe_for(tmp_path / "minutes.csv", "minutes").recipe.series
    assert told is not None and told.recordings is not None
    assert (told.recordings.time, told.recordings.every, told.channels) == ("seconds", "1min", ["load"])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("when,a,b\n" + "\n".join(hours(10)), None),  # too few
        ("a,b,c\n" + "\n".join(f"{at},{at % 3},{at / 7}" for at in range(100)), None),  # no times
        ("when,a,b\n" + "\n".join(hours(100)), "b"),  # the person's label is a number: a table
        ("who,when,a\n" + "\n".join(f"p{at},2020-01-{1 + at % 28:02d},{at}" for at in range(100)), None),  # a date each
        ("when,what\n" + "\n".join(f"2020-01-{1 + at:02d},word" for at in range(30)), None),  # no numbers
    ],
)
def test_other_tables_are_no_recordings(tmp_path: Path, text: str, label: str | None) -> None:
    (tmp_path / "other.csv").write_text(text + "\n")
    assert recordings_in(look_at(tmp_path / "other.csv"), label) is None


def test_a_word_among_times_that_are_numbers_does_not_hide_them(tmp_path: Path) -> None:
    """One of a hundred or fewer: clean will refuse its row."""
    lines = [f"{1_600_000_000 + 60 * row},{row % 7}.5" for row in range(120)]
    lines[40] = "oops,1.5"
    (tmp_path / "log.csv").write_text("\n".join(["time,level", *lines]) + "\n")
    seen = recordings_in(look_at(tmp_path / "log.csv"), None)
    assert seen is not None and seen.time.kind == "seconds" and seen.channels == ["level"]


def test_odd_names_of_columns_are_written_so_that_they_are_read_again(tmp_path: Path) -> None:
    """Blanks, quotes, and a channel that is called as time is."""
    lines = [line.replace(",", ";") for line in hours(60, numbers=3)]
    (tmp_path / "odd.csv").write_text('date;"time";"air: ""°C"" #1";label\n' + "\n".join(lines) + "\n")
    config = recipe_for(tmp_path / "odd.csv")
    assert config.recipe.series is not None
    assert all(re.fullmatch(r"\w+", name, re.ASCII) for name in config.recipe.series.channels)
    assert len(config.recipe.series.channels) == 3 and "the_time" in config.recipe.series.channels

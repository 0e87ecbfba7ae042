"""Streams beside each other in time: brought onto one clock, cut jointly, shifts recovered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conf
from conf import Config
from conf.errors import RecipeError
from jobs import readers
from jobs.fusion import ingest
from jobs.fusion.readers import streams as reader
from jobs.readers import Reading
from jobs.tabular.cells import Cells
from tests.jobs.fusion.clips import FPS, SIDE, clip
from tests.jobs.made import run, table
from udfs.fusion.streams import Stream, nearest_frames, on_clock, shift_between, starts
from udfs.image import decode

RATE_HZ = 50
STEPS = 100
CUT = {"window_s": 2.0, "hop_s": 1.0, "rate_hz": RATE_HZ, "shifts_s": [-0.4, 0.4], "frames": 50, "max_gap_s": 0.1}


def recipe(folder: Path, **parts: Any) -> Config:
    """A recipe of clips in `<folder>/clips`, with `parts` laid over."""
    values: dict[str, Any] = {
        "name": "clips",
        "modality": "fusion",
        "image": {"height": SIDE, "width": SIDE * 50, "channels": 1},
        "series": {"length": STEPS, "channels": ["sound"]},
        "streams": CUT,
        "labels": ["0", "-0.4", "0.4"],
        "data": str(folder),
        "sources": [{"name": "clips", "reader": "streams", "path": "clips"}],
        "split": {"train": 0.5, "val": 0.2, "rest": "test", "group": True},
        **parts,
    }
    file = folder / "clips.yaml"
    file.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    return conf.load(str(file), "local", [], str(folder / "root"))


def task(config: Config) -> Reading:
    return readers.reading(config, config.recipe.sources[0])


def read(config: Config) -> tuple[list[dict[str, Any]], list[Any]]:
    """(rows, refused) of all clips, pieces sent through JSON as to the workers."""
    rows, bad = [], []
    pieces = json.loads(json.dumps(ingest.pieces(task(config))))
    for part in (part for piece in pieces for part in reader.read(task(config), piece)):
        if isinstance(part, Cells):
            told = {name: column.to_pylist() for name, column in part.columns.items()}
            told |= {"group": part.groups.to_pylist(), "at": part.positions.to_pylist()}
            rows += [dict(zip(told, row, strict=True)) for row in zip(*told.values(), strict=True)]
        else:
            bad += part
    return rows, bad


def brightness(row: dict[str, Any]) -> np.ndarray:
    """(STEPS,): how bright the window's frames are, on the clock."""
    (picture,), _ = decode([row["image"]], None, None, 1)
    frames = picture[:, :, 0].reshape(SIDE, CUT["frames"], SIDE).mean(axis=(0, 2))
    return np.repeat(frames, STEPS // CUT["frames"])


@pytest.mark.parametrize("listed", [True, False])
def test_shifts_are_recovered_from_what_was_cut(tmp_path, listed):
    """The lamp's flashes and the sound's clicks agree best at the label's shift, to a frame."""
    for number in range(3):
        clip(tmp_path / "clips" / f"c{number}", number, listed=listed)
    rows, bad = read(recipe(tmp_path))
    assert not bad and {row["label"] for row in rows} == {"0", "-0.4", "0.4"}
    counts = {label: sum(row["label"] == label for row in rows) for label in ("0", "-0.4", "0.4")}
    assert counts["0"] >= counts["0.4"] >= 9 and counts["-0.4"] >= 9
    for row in rows:
        heard = np.array(json.loads(row["series"]))
        found = shift_between(brightness(row), heard, 30) / RATE_HZ
        assert abs(-found - float(row["label"])) <= 2 / FPS, row["at"]


def test_a_sound_that_is_late_by_itself_is_told_so(tmp_path):
    """What was recorded out of step shows in the windows that were cut in step."""
    clip(tmp_path / "clips" / "late", 5, late_s=0.2)
    rows, _ = read(recipe(tmp_path))
    found = [
        shift_between(brightness(row), np.array(json.loads(row["series"])), 30) / RATE_HZ
        for row in rows
        if row["label"] == "0"
    ]
    assert np.abs(np.array(found) - 0.2).max() <= 2 / FPS


def test_clips_that_cannot_be_read_are_refused_alone(tmp_path):
    """No sound, no WAV, a damaged frame, too short, times that are none; the others are read."""
    place = tmp_path / "clips"
    clip(place / "good", 0)
    clip(place / "mute", 1)
    (place / "mute" / "sound.wav").unlink()
    clip(place / "noise", 2)
    (place / "noise" / "sound.wav").write_bytes(b"RIFF and nothing more")
    clip(place / "torn", 3)
    (place / "torn" / "frames" / "f0010.png").write_bytes(b"\x89PNG and nothing more")
    clip(place / "brief", 4, seconds=1.0)
    clip(place / "timeless", 5)
    (place / "timeless" / "times.csv").write_text("file,time\nf0000.png,soon\n")
    rows, bad = read(recipe(tmp_path))
    assert {row["group"] for row in rows} == {"good"}
    told = {Path(each.position).name: each.reason for each in bad}
    assert told == {
        "mute": "stream_missing",
        "noise": "stream_unreadable",
        "torn": "stream_unreadable",
        "brief": "clip_too_short",
        "timeless": "stream_unreadable",
    }


def test_two_series_of_unlike_rates_are_cut_on_one_clock(tmp_path):
    """10 and 7 values a second, backwards, one doubled: both on 5 a second, and a long gap costs its windows."""
    place = tmp_path / "clips" / "one"
    place.mkdir(parents=True)
    for name, rate, seconds in (("wind", 10, 30), ("wave", 7, 30)):
        times = [number / rate for number in range(rate * seconds) if not 12 <= number / rate < 14]
        lines = [f"{at:.4f},{np.sin(at)}" for at in times]
        (place / f"{name}.csv").write_text("\n".join(["time,height", *lines[::-1], lines[0]]) + "\n")
    cut = {"window_s": 4.0, "hop_s": 1.0, "rate_hz": 5, "shifts_s": [1.0], "max_gap_s": 0.5}
    form = {"length": 20, "channels": ["wind_height", "wave_height"]}
    config = recipe(tmp_path, image=None, streams=cut, series=form, labels=["0", "1"])
    rows, bad = read(config)
    assert not bad
    for row in rows:
        window = np.array(json.loads(row["series"])).reshape(20, 2)
        start = int(row["at"].rpartition("#")[2].partition("+")[0]) / 1e6
        clock = start + (np.arange(20) + 0.5) / 5
        assert np.abs(window[:, 0] - np.sin(clock)).max() < 0.12
        assert np.abs(window[:, 1] - np.sin(clock + float(row["label"]))).max() < 0.2
    begun = {int(row["at"].rpartition("#")[2].partition("+")[0]) // 1_000_000 for row in rows}
    assert not begun & set(range(9, 14)) and {0, 15} <= begun


@pytest.mark.parametrize("rate", [15, 60])
def test_rates_whose_steps_are_no_whole_microseconds_give_windows_of_their_length(tmp_path, rate):
    """A 60th of a second is rounded up; a window has its 60 steps all the same, and begins on one."""
    place = tmp_path / "clips" / "one"
    place.mkdir(parents=True)
    lines = [f"{number / rate:.6f},{number}" for number in range(rate * 12)]
    (place / "wind.csv").write_text("\n".join(["time,a,b", *(f"{line},{line[0]}" for line in lines)]) + "\n")
    cut = {"window_s": 2.0, "hop_s": 1.0, "rate_hz": rate, "shifts_s": [1.0], "max_gap_s": 0.5}
    form = {"length": 2 * rate, "channels": ["wind_a", "wind_b"]}
    rows, bad = read(recipe(tmp_path, image=None, streams=cut, series=form, labels=["0", "1"]))
    assert not bad and {len(json.loads(row["series"])) for row in rows} == {4 * rate}
    assert len([row for row in rows if row["label"] == "0"]) >= 9


def test_what_cannot_be_right_in_a_clip_refuses_it_and_nothing_is_passed_over(tmp_path):
    """A time that is years away, a list of times that is no CSV, a frame and a clip behind links out of the folder."""
    place = tmp_path / "clips"
    for number, name in enumerate(("good", "far", "odd", "led")):
        clip(place / name, number)
    lines = (place / "far" / "times.csv").read_text().splitlines()
    (place / "far" / "times.csv").write_text("\n".join([*lines[:-1], "f0001.png,99000000000"]) + "\n")
    (place / "odd" / "times.csv").write_bytes(b"file,time\nf0000.png,0\rf0001.png,1\n")
    frame = place / "led" / "frames" / "f0010.png"
    elsewhere = tmp_path / "elsewhere.png"
    elsewhere.write_bytes(frame.read_bytes())
    frame.unlink()
    frame.symlink_to(elsewhere)
    (tmp_path / "away").mkdir()
    (place / "away").symlink_to(tmp_path / "away")
    rows, bad = read(recipe(tmp_path))
    assert {row["group"] for row in rows} == {"good"}
    assert {Path(each.position).name: each.reason for each in bad} == dict.fromkeys(
        ("far", "odd", "led", "away"), "stream_unreadable"
    )


def test_the_clock_and_the_cuts():
    """Cores of it: steps, gaps, windows that the stream does not have, the nearest frame."""
    times = np.array([0, 100_000, 300_000, 200_000, 900_000])
    stream = on_clock(times, np.arange(5.0)[:, None], 100_000, 200_000)
    assert stream.values[:4, 0].tolist() == [0, 1, 3, 2] and np.isnan(stream.values[5:8]).all()
    assert stream.cut(0, 4) is not None and stream.cut(200_000, 4) is None and stream.cut(-100_000, 2) is None
    assert starts(50_000, 1_000_000, 400_000, 200_000, 100_000).tolist() == [100_000, 300_000, 500_000]
    found = nearest_frames(np.array([0, 40_000, 80_000]), np.array([19_000, 21_000, 60_000, 90_000]), 20_000)
    assert found is not None and found.tolist() == [0, 1, 1, 2]
    assert nearest_frames(np.array([0, 40_000]), np.array([90_000]), 20_000) is None
    assert Stream(0, 100, np.zeros((3, 1))).end_us == 300


def test_a_recipe_of_streams_must_hold_together(tmp_path):
    """Length by window and rate, labels by shifts, one split for one recording."""
    wrong = [
        ({"series": {"length": 99, "channels": ["sound"]}}, "series.length is 99"),
        ({"labels": ["0", "1"]}, "labels must be the shifts"),
        ({"split": {"train": 0.5, "val": 0.2, "rest": "test"}}, "must stay in one split"),
        ({"streams": {**CUT, "shifts_s": [0.01]}, "labels": ["0", "0.01"]}, "shifts_s has 0.01 s, which is 0.5 steps"),
        ({"streams": {**CUT, "hop_s": 1e-9}}, "hop_s has 1e-09 s"),
    ]
    for parts, told in wrong:
        with pytest.raises(RecipeError, match=told):
            recipe(tmp_path, **parts)


def test_windows_of_one_clip_stay_in_one_split(spark, tmp_path):
    """From clips to splits: no recording is on both sides, nothing is lost."""
    for number in range(8):
        clip(tmp_path / "clips" / f"c{number}", number, seconds=4.0)
    config = recipe(tmp_path, clean={"duplicates": {"near": "keep"}})
    counts = run(spark, config, "ingest", "clean").counts
    assert counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    splits: dict[str, set[str]] = {}
    for row in table(config, "clean"):
        splits.setdefault(row["row_group"], set()).add(row["row_split"])
    assert len(splits) == 8 and all(len(found) == 1 for found in splits.values())

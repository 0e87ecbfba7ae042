"""Recordings on Spark: gathered, mended, cut, split so that no step is in two splits; nothing lost in silence."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.stages import parts_of, stage
from jobs import readers
from jobs.assignments import home_of_assignments
from jobs.explain import explain
from jobs.series import again
from jobs.series.clean import Cleaning, cleaned_schema, label_column
from jobs.series.gathering import Gathering, schema_of
from jobs.series.judging import Judging
from jobs.series.observing import Reading
from jobs.series.recordings import borders_name, gathered, observations
from jobs.spark import read
from tests.jobs.made import run, table
from tests.jobs.series import made
from tests.jobs.series.recorded import BEGIN_S, HEAD, HOUR, LENGTH, SOURCE, Line, recorded, recording, written
from udfs import hashing, records
from udfs.series.clock import duration
from udfs.series.recordings import Mending, cut, mended

MACHINES = [f"m{number:02d}" for number in range(16)]
ALONG = {"val": 0.2, "test": 0.2, "rest": "train"}


def fleet(hours: int = 26) -> list[Any]:
    """Recordings of several machines."""
    return [line for machine in MACHINES for line in recording(machine, hours)]


def raw_of(spark: Any, config: Config) -> Any:
    """The observations as ingest laid them down."""
    return read(spark, config, "raw", runs.locate(config, "clean").inputs["ingest"].versions["raw"])


def adds_up(counts: dict[str, Any]) -> bool:
    """Whether every window and every refused observation met a fate."""
    out = counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    of = counts["recordings"]
    cut = sum(of.get(name, 0) for name in ("windows", "too_short", "refused_observations", "refused_recordings"))
    return counts["in"] == out == cut


def steps_of(rows: list[dict[str, Any]], lines: list[Any]) -> dict[str, set[tuple[float, ...]]]:
    """The steps that lie in windows of each split; random walks have no step twice."""
    known = {(np.float32(left), np.float32(right)) for _, _, left, right, _ in lines}
    assert len(known) == len(lines)
    found: dict[str, set[tuple[float, ...]]] = {}
    for row in rows:
        values = np.array(row["series"], np.float32).reshape(LENGTH, 2)
        found.setdefault(row["row_split"], set()).update(map(tuple, values))
    return found


def disjoint(found: dict[str, set[tuple[float, ...]]]) -> bool:
    """Whether no step lies in two splits."""
    assert set(found) == {"train", "val", "test"}
    return not any(one & other for one, other in combinations(found.values(), 2))


def least_apart(rows: list[dict[str, Any]], lines: list[Any]) -> int:
    """The fewest hours from the end of a window to the start of a later one in another split."""
    hours = {(np.float32(left), np.float32(right)): hour for _, hour, left, right, _ in lines}
    starts = sorted((hours[tuple(np.array(row["series"][:2], np.float32))], row["row_split"]) for row in rows)
    pairs = [(one, two) for one, two in pairwise(starts) if one[1] != two[1]]
    return min(two[0] - (one[0] + LENGTH - 1) for one, two in pairs)


def test_windows_of_recordings_go_by_recording_and_keep_their_ids_when_observations_are_appended(spark, tmp_path):
    """Each window with its entity's label, all of one entity in one split; later ones join it."""
    lines = fleet()
    config = recorded(tmp_path, lines)
    done = run(spark, config, "ingest", "clean")
    counts = done.counts
    assert adds_up(counts) and counts["kept"] == 11 * len(MACHINES)
    assert counts["recordings"]["recordings"] == len(MACHINES) and counts["recordings"]["left_over_steps"] == 0
    before = table(config, "clean")
    assert disjoint(steps_of(before, lines))
    splits = {group: {row["row_split"] for row in before if row["row_group"] == group} for group in by_group(before)}
    assert all(len(each) == 1 for each in splits.values()) and len(splits) == len(MACHINES)
    by_entity = {f"waves:{entity}": label for entity, *_, label in lines}
    assert all(row["label"] == by_entity[row["row_group"]] for row in before)
    (tmp_path / "waves.csv").write_text(written([*lines, *recording("m00", 5, 26), *recording("new", 20)]))
    assert adds_up(run(spark, config, "ingest", "clean").counts)
    after = {row["row_id"]: row for row in table(config, "clean")}
    for row in before:
        assert {**after[row["row_id"]], "row_source": ""} == {**row, "row_source": ""}
    fresh = [row for row in after.values() if row["row_id"] not in {each["row_id"] for each in before}]
    assert Counter(row["row_group"] for row in fresh) == {"waves:m00": 2, "waves:new": 8}
    (mine,) = {row["row_split"] for row in after.values() if row["row_group"] == "waves:m00"}
    assert mine in splits["waves:m00"]


def by_group(rows: list[dict[str, Any]]) -> set[str]:
    return {row["row_group"] for row in rows}


@pytest.mark.parametrize(
    ("by", "every"),
    [
        ({"by": "time"}, None),
        pytest.param({"by": "block", "block_steps": 12}, "1h", marks=pytest.mark.slow),
    ],
)
def test_no_step_is_in_two_splits_by_time_or_by_block_and_appending_moves_no_border(spark, tmp_path, by, every):
    """Windows across a border are left out by plan, and counted; those that follow later fall behind the borders."""
    lines = recording("one", 30 * 24)
    columns = {"when": "time"}
    text = "".join(f"{line.split(',', 1)[1].rsplit(',', 1)[0]}\n" for line in written(lines).splitlines())
    parts = {
        "labels": [], "recordings": {"entity": "source", "every": every},
        "sources": [{**SOURCE, "columns": columns}], "split": {**ALONG, **by, "embargo_steps": 4},
    }  # fmt: skip
    config = recorded(tmp_path, text, **parts)
    counts = run(spark, config, "ingest", "clean").counts
    assert adds_up(counts) and counts["left_out"] == counts["recordings"]["across_borders"] > 0
    before = table(config, "clean")
    assert disjoint(steps_of(before, lines)) and least_apart(before, lines) == 4 + 1
    if by["by"] == "time":
        shares = Counter(row["row_split"] for row in before)
        assert shares["val"] / len(before) == pytest.approx(0.2, abs=0.02)
    assert all(row["label"] is None and row["row_label_source"] is None for row in before)
    more = recording("one", 31 * 24)
    text = "".join(f"{line.split(',', 1)[1].rsplit(',', 1)[0]}\n" for line in written(more).splitlines())
    (tmp_path / "waves.csv").write_text(text)
    run(spark, config, "ingest", "clean")
    after = {row["row_id"]: row for row in table(config, "clean")}
    assert all(after[row["row_id"]]["row_split"] == row["row_split"] for row in before)
    assert len(after) > len(before) and disjoint(steps_of(list(after.values()), more))


def test_odd_recordings_are_mended_or_refused_with_their_reason(spark, tmp_path):
    """One of everything: nothing is lost in silence."""
    good = [line for machine in MACHINES for line in recording(machine, 24)]
    shuffled = recording("mixed", 24)
    shuffled = [*shuffled[12:], *shuffled[:12], shuffled[3]]
    gap = [line for line in recording("gap", 24) if line[1] not in (4, 5)]
    long_gap = [line for line in recording("hole", 24) if not 8 <= line[1] < 14]
    still = [(entity, hour, 1.0, 2.0, label) for entity, hour, _, _, label in recording("still", LENGTH)]
    changing = [(entity, hour, a, b, "rise" if hour < 2 else "fall") for entity, hour, a, b, _ in recording("both", 6)]
    words = [("wordy", 0, "much", 1.0, "rise"), ("wordy", 1, 1.0, "1e300", "rise"), *recording("wordy", 6, 2)]
    nothing = [(entity, hour, "", "nan", label) for entity, hour, _, _, label in recording("blank", 8)]
    strange = [(entity, hour, a, b, "sideways") for entity, hour, a, b, _ in recording("odd", 6)]
    lines = [*good, *shuffled, *gap, *long_gap, *recording("short", 4), *still, *changing, *words, *nothing, *strange]
    text = written(lines) + "m00,yesterday,1,2,rise\n,2020-01-01 00:00:00,1,2,rise\nm00,9999-12-31 00:00:00,1\n"
    config = recorded(
        tmp_path, text, series={"fill": {"limit": 2}}, recordings={"stride": LENGTH},
        clean={"rules": ["series.reject_constant"]},
    )  # fmt: skip
    ingested = run(spark, config, "ingest").counts
    counts = run(spark, config, "clean").counts
    assert adds_up(counts) and ingested["rows"] == counts["recordings"]["observations"] == len(lines) + 2
    wanted = {
        "gaps": 2, "too_short": 2, "constant": 1, "label_changes": 1, "not_numbers": 1, "not_finite": 1,
        "label_unknown": 1, "time_unreadable": 1, "entity_missing": 1,
    }  # fmt: skip
    assert counts["refused"] == wanted
    refused = {row["row_reason"]: row for row in table(config, "quarantine")}
    assert set(refused) == {*wanted, "line_ragged"}
    assert refused["time_unreadable"]["row_detail"] == "time is 'yesterday'"
    assert refused["not_numbers"]["row_detail"] == "left is 'much'"
    assert refused["label_unknown"]["series"] is not None and refused["time_unreadable"]["series"] is None
    of = counts["recordings"]
    assert (of["doubled"], of["blank_ends"], of["filled"]) == (1, 8, 4)
    assert counts["kept"] == 4 * len(MACHINES) + 4 + 4 + 2 + 1
    rows = [row for row in table(config, "clean") if row["row_group"] == "waves:mixed"]
    values = sorted((row["series"] for row in rows), key=lambda each: each[0])
    plain = np.array([line[2:4] for line in recording("mixed", 24)], np.float32).reshape(4, -1).tolist()
    assert values == sorted(plain, key=lambda each: each[0])
    flagged = Counter(row["row_group"] for row in table(config, "clean") if row["row_flags"] == ["gaps_filled"])
    assert flagged == {"waves:gap": 1}


@pytest.mark.parametrize(
    "form", ["parquet", *(pytest.param(each, marks=pytest.mark.slow) for each in ("file", "columns"))]
)
def test_recordings_are_the_same_from_files_of_any_form(spark, tmp_path, form):
    """The windows that a plain call cuts of them: from typed cells, from a file each, from a column each."""
    lines = fleet(12)
    parts = {"parquet": as_parquet, "file": as_files, "columns": as_columns}[form](tmp_path, lines)
    config = recorded(tmp_path, **parts)
    run(spark, config, "ingest")
    gathering = Gathering.of(config.recipe, schema_of(cleaned_schema()), 512)
    found = gathered(observations(config, raw_of(spark, config)), gathering).toArrow().to_pylist()
    told = {row["row_id"]: row["series"] for row in found if row["row_id"]}
    channels, plain = config.recipe.series.channels, {}
    for machine in MACHINES:
        mine = [line for line in lines if line[0] == machine]
        values = np.array([line[2 : 2 + len(channels)] for line in mine], np.float64)
        plan = Mending(tuple(channels), duration("1h"))
        regular = mended((np.array([line[1] for line in mine]) * HOUR + BEGIN_S) * 1_000_000, values, plan)
        windows = cut(regular, np.arange(0, 7, 2), LENGTH, plan.every, machine)
        ids = hashing.ids(records.maker("real", "waves"), *windows.words).to_pylist()
        plain |= dict(zip(ids, windows.series.astype(np.float32).reshape(4, -1).tolist(), strict=True))
    assert told == plain and len(told) == 4 * len(MACHINES)


def as_parquet(folder: Path, lines: list[Line]) -> dict[str, Any]:
    """Typed cells."""
    entities, hours, left, right, labels = (list(column) for column in zip(*lines, strict=True))
    times = pa.array([(BEGIN_S + hour * HOUR) * 10**9 for hour in hours], pa.timestamp("ns"))
    names = ("entity", "time", "left", "right", "label")
    pq.write_table(
        pa.table(dict(zip(names, (entities, times, left, right, labels), strict=True))), folder / "w.parquet"
    )
    return {"sources": [{"name": "waves", "reader": "parquet", "path": "w.parquet"}]}


def as_files(folder: Path, lines: list[Line]) -> dict[str, Any]:
    """A CSV for each machine."""
    (folder / "each").mkdir()
    for machine in MACHINES:
        told = written([line for line in lines if line[0] == machine]).replace(f"{machine},", "")
        (folder / "each" / f"{machine}.csv").write_text(told.replace("machine,", ""))
    source = {**SOURCE, "path": "each", "columns": {"when": "time", "state": "label"}}
    return {"sources": [source], "recordings": {"entity": "file"}}


def as_columns(folder: Path, lines: list[Line]) -> dict[str, Any]:
    """A column for each machine, of one channel."""
    cells = {(entity, hour): left for entity, hour, left, *_ in lines}
    rows = [f"{BEGIN_S + hour * HOUR}," + ",".join(str(cells[each, hour]) for each in MACHINES) for hour in range(12)]
    (folder / "wide.csv").write_text("\n".join([f"time,{','.join(MACHINES)}", *rows]) + "\n")
    return {
        "sources": [{"name": "waves", "reader": "csv", "path": "wide.csv"}], "labels": [],
        "recordings": {"entity": "columns", "entities": MACHINES, "time": "seconds"}, "series": {"channels": ["left"]},
    }  # fmt: skip


def test_windows_are_the_same_byte_for_byte_under_any_partitioning(spark, tmp_path):
    """Gathered by Spark from parts in any order, or in one call each from the observations as they came."""
    config = recorded(tmp_path, fleet(14), recordings={"outliers": {"threshold": 2.0}}, series={"fill": {"limit": 2}})
    run(spark, config, "ingest")
    gathering = Gathering.of(config.recipe, schema_of(cleaned_schema()), 3)
    rows = observations(config, raw_of(spark, config))
    whole = rows.toArrow()
    plain = []
    for machine in MACHINES:
        mine = whole.filter(pa.compute.equal(whole.column("entity"), machine))
        plain += [row for batch in gathering(mine) for row in batch.to_pylist()]
    for partitions in (1, 7):
        found = gathered(rows.orderBy(F.xxhash64("row_id")).repartition(partitions), gathering).toArrow().to_pylist()
        assert sorted(map(repr, found)) == sorted(map(repr, plain))
    assert any(row["row_flags"] == ["outliers"] for row in plain)


def test_a_window_is_refused_where_a_conversion_makes_a_value_that_no_row_holds(tmp_path):
    """Rows hold float32: infinite values would stop what reads them."""
    convert = [{"channel": "left", "scale": 1e38, "between": [100, 200]}]
    source = {**SOURCE, "columns": {"machine": "entity", "when": "time"}, "drift": "merge"}
    config = recorded(tmp_path, labels=[], sources=[source], recordings={"convert": convert, "time": "seconds"})
    hours, maker = range(4 * LENGTH), records.maker("real", "waves")
    cells = {
        "row_id": [f"{maker}{hour:024x}" for hour in hours], "row_source": [f"w#{hour}" for hour in hours],
        "row_split": [None] * len(hours), "entity": ["m"] * len(hours), "time": [str(hour * HOUR) for hour in hours],
        "label": [None] * len(hours),
    }  # fmt: skip
    values = {name: [str(150 if hour == 0 else hour) for hour in hours] for name in config.recipe.series.channels}
    types = {name: pa.array(column, pa.string()) for name, column in {**cells, **values}.items()}
    gathering = Gathering.of(config.recipe, schema_of(cleaned_schema()), 512)
    rows = [row for batch in gathering(pa.table(types)) for row in batch.to_pylist() if row["row_id"]]
    assert Counter(row["row_reason"] for row in rows) == {"not_finite": 1, None: len(rows) - 1} and len(rows) > 3
    assert all(np.isfinite(row["series"]).all() for row in rows if row["row_reason"] is None)


@pytest.mark.slow
def test_windows_and_what_was_refused_can_be_explained_from_their_observations(spark, tmp_path):
    """One by one, of the table and of quarantine: the same values or the same refusal."""
    hole = [line for line in recording("hole", 20) if not 4 <= line[1] < 9]
    text = (
        written([*fleet(14), *recording("short", 4), *hole]) + "m00,yesterday,1,2,rise\n,2020-01-01 00:00:00,1,2,rise\n"
    )
    config = recorded(tmp_path, text)
    run(spark, config, "ingest", "clean")
    refused = table(config, "quarantine")
    assert {row["row_reason"] for row in refused} == {"too_short", "time_unreadable", "entity_missing", "gaps"}
    for row in (table(config, "clean")[0], *refused):
        told = explain(config, row["row_id"])
        assert told.same and "cut from its observations again" in told.again, row


@pytest.mark.parametrize(
    ("form", "names"),
    [({"entity": "columns", "entities": ["left", "right"]}, ["left", "right"]), ({"entity": "column"}, ["m\t"])],
)
def test_recordings_are_found_again_under_the_names_that_clean_gave_them(tmp_path, monkeypatch, form, names):
    """One of several columns may have the channel's name; of a cell, blanks alone are no part of it."""
    cells = {"row_id": ["a" * 40], "row_source": ["w#1"], "row_split": [None], "entity": [" m\t "], "time": ["0"]}
    raw = pa.table({**cells, "label": ["rise"], "left": ["1"], "right": ["2"]})
    raw = raw.drop_columns("entity") if form["entity"] == "columns" else raw
    monkeypatch.setattr("jobs.plain_tables.rows", lambda config, table: pads.dataset(raw))
    source = {"name": "waves", "reader": "csv", "path": "w"}
    config = recorded(tmp_path, recordings=form, series={"channels": ["left"]}, labels=[], sources=[source])
    found = list(again._recordings(config, "a" * records.MAKER_HEX, "w#1"))
    assert [each.column("entity")[0].as_py() for each in found] == names
    assert [each.column("left")[0].as_py() for each in found] == ["1", "2"][: len(names)]


def test_series_without_labels_are_measured_and_augmented(spark, tmp_path):
    """Copies come of every train window, mixed ones too, and none has a label."""
    steps = [{"series.jitter": {"std": 0.2}}, {"series.interpolate": {"p": 0.5, "partners": "nearest"}}]
    source = {**SOURCE, "columns": {"machine": "entity", "when": "time"}, "drift": "merge"}
    config = recorded(tmp_path, fleet(14), labels=[], sources=[source], augment={"copies": 2, "steps": steps})
    assert config.recipe.split.stratify is None and config.recipe.evaluate.judges == ["forecast"]
    clean = run(spark, config, "ingest", "clean")
    train = sum(clean.counts["splits"]["train"].values())
    done = run(spark, config, "normalize", "augment")
    assert done.counts["staged"] == 2 * train > 0
    rows = spark.read.parquet(f"{done.folder}/rows").collect()
    assert all(row["label"] is None and row["soft_label"] is None for row in rows)
    assert any(len(row["row_parents"]) == 2 for row in rows)


def test_a_split_without_a_window_is_said(spark, tmp_path):
    config = recorded(
        tmp_path, recording("one", 40), recordings={"entity": "column"},
        split={**ALONG, "by": "block", "block_steps": 1000},
    )  # fmt: skip
    with pytest.raises(StageError, match=r"by block no window is left for .*Say shorter blocks"):
        run(spark, config, "ingest", "clean")


def test_borders_that_leave_a_split_empty_are_not_kept(spark, tmp_path):
    """So that what the message asks for mends it: two windows have no val, with more data there is one."""
    source = {**SOURCE, "columns": {"machine": "entity", "when": "time"}, "drift": "merge"}
    told = {"labels": [], "sources": [source], "recordings": {"stride": 30}, "split": {**ALONG, "by": "time"}}
    config = recorded(tmp_path, recording("one", 40), **told)
    with pytest.raises(StageError, match=r"by time no window is left for val.*or add data"):
        run(spark, config, "ingest", "clean")
    splits = run(spark, recorded(tmp_path, recording("one", 600), **told), "ingest", "clean").counts["splits"]
    assert all(sum(splits[name].values()) for name in ("train", "val", "test"))


def test_times_that_are_read_in_another_way_have_borders_of_their_own(tmp_path):
    forms = (
        {},
        {"time_format": "%d/%m/%Y"},
        {"time_format": "%m/%d/%Y"},
        {"time": "seconds"},
        {"time": "milliseconds"},
    )
    names = {borders_name(recorded(tmp_path, recordings=form).recipe) for form in forms}
    assert len(names) == len(forms)
    assert borders_name(recorded(tmp_path, recordings={"stride": 3}).recipe) in names


def test_mistakes_in_recipes_of_recordings_are_answered_before_anything_starts(tmp_path):
    (tmp_path / "waves.csv").write_text(HEAD)
    only = {**SOURCE, "columns": {"when": "time"}}
    for parts, told in (
        ({"recordings": {"every": "1"}}, "every needs a unit"),
        ({"recordings": {"every": "fortnight"}}, "every is a whole number and a unit"),
        ({"recordings": {"time": "number"}}, "none where time is a number"),
        ({"recordings": {"entities": ["a"]}}, "entities: names the columns"),
        ({"recordings": {"entity": "columns", "entities": ["a", "b"]}}, "name one channel"),
        ({"recordings": {"convert": [{"channel": "up"}]}}, "not among the channels"),
        ({"series": {"channels": ["time", "left"]}}, "time names what every recording has"),
        ({"recordings": {"entity": "source"}, "sources": [only]}, "which only split: {by: time} or {by: block}"),
        ({"split": {**ALONG, "by": "time", "stratify": "label"}}, "does not look at labels"),
        ({"split": {"train": 10, "by": "time", "rest": "test"}}, "takes shares"),
        ({"split": {**ALONG, "by": "block"}}, "block_steps says how long a block is"),
        ({"split": {**ALONG, "embargo_steps": 2}}, "embargo_steps goes with"),
        ({"sources": [{**SOURCE, "weight": 0.5}]}, "holes in its recordings"),
        ({"sources": [{"name": "ts", "reader": "ts", "path": "a.ts"}]}, "holds windows that are cut"),
        ({"sources": [{**SOURCE, "columns": {"when": "moment"}}]}, "series have entity and time and left and right"),
        ({"labels": [], "evaluate": {"judges": ["rocket"]}, "sources": [only]}, "rocket needs labels"),
        ({"evaluate": {"judges": ["forecast"]}}, "forecast is for series without labels"),
        ({"labels": ["rise"]}, "labels: of two, or none"),
    ):
        with pytest.raises(RecipeError, match=told):
            recorded(tmp_path, **parts)


def test_the_bundled_prices_become_windows_train_first(spark, config_for):
    config = config_for("share-prices")
    counts = run(spark, config, "ingest", "clean").counts
    assert adds_up(counts) and counts["recordings"]["observations"] == 1047
    assert {split: sum(of.values()) for split, of in counts["splits"].items()} == {
        "train": 644,
        "val": 130,
        "test": 206,
    }


def test_other_recipes_know_nothing_of_how_recordings_are_split(config_for, tmp_path):
    """Their fingerprints and kept assignments stay; a recipe of recordings' own hang on it, and on missing tokens."""
    for name in ("digits", "robot-failures", "adult"):
        assert not {"by", "block_steps", "embargo_steps"} & config_for(name).recipe.split.model_dump().keys()
    plain = home_of_assignments(recorded(tmp_path))
    assert plain != home_of_assignments(recorded(tmp_path, split={**ALONG, "by": "time"}))
    parts = [parts_of(stage("clean"), recorded(tmp_path, missing=each).recipe, "") for each in ([""], ["-999"])]
    assert parts[0] != parts[1] and "missing" not in parts_of(stage("clean"), config_for("digits").recipe, "")


def test_numbers_are_read_the_same_whether_all_are_sound_or_one_is_not():
    """Missing tokens, blanks and signs; what is no number refuses its observation alone."""
    cells = ["1.5", " 2 ", "-999", "", None, "NaN", "1e3", ".5"]
    reading = Reading(("left",), "number", None, frozenset({"", "-999"}))
    wanted = [1.5, 2, np.nan, np.nan, np.nan, np.nan, 1000, 0.5]
    for more, also, reasons in (
        ([], [], []),
        (["+7", "much", "-inf"], [7, np.nan, -np.inf], [None, "not_numbers", "not_finite"]),
    ):
        size = len(cells) + len(more)
        columns = {"entity": ["m"] * size, "time": [str(at) for at in range(size)], "left": [*cells, *more]}
        _, values, told = reading(pa.table(columns))
        np.testing.assert_array_equal(values[:, 0], [*wanted, *also])
        assert [reason for reason, _ in told] == [*[None] * len(cells), *reasons]


def test_ready_windows_may_go_without_labels(tmp_path):
    """Read without one, cleaned without one, of one class where copies and splits are decided."""
    config = made.recipe(tmp_path, labels=[])
    assert readers.reading(config, config.recipe.sources[0]).label is None
    (window, _), (gap, _) = made.windows(2)
    texts = [json.dumps(window), json.dumps([None, *gap[1:]])]
    raw = pa.record_batch({"row_id": ["a" * 40, "b" * 40], "series": texts, "label": pa.nulls(2, pa.string())})
    cleaned = Cleaning(Judging.of(config.recipe), cleaned_schema())(raw_filled(raw)).to_pylist()
    assert [row["row_reason"] for row in cleaned] == [None, "gaps"]
    assert all(row["label"] is None and row["row_label_source"] is None for row in cleaned)
    assert label_column(config.recipe) is None


def raw_filled(batch):
    """The batch with the lineage that ingest gives."""
    return records.conform(
        batch.append_column("row_origin", pa.array(["real"] * batch.num_rows)),
        records.table_schema(pa.schema([("series", pa.string()), ("label", pa.string())])),
    )

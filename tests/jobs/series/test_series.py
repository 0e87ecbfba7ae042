"""Series on Spark: read from files of any form, filled and refused, split, measured, children by identity."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from conf import runs
from conf.errors import RecipeError
from jobs import check, readers
from jobs.augment import compiled
from jobs.export import export
from jobs.series.again import child_batch
from jobs.tabular import ingest
from jobs.tabular.cells import Cells
from tests.jobs.made import run, table
from tests.jobs.series.made import CHANNELS, STEPS, block, lines, recipe, ts, windows
from udfs import records
from udfs.series.windows import stacked


def read_all(config, name="waves"):
    """(records by position, refusals by position) of a source, its pieces sent through JSON as to the workers."""
    task = readers.reading(config, next(each for each in config.recipe.sources if each.name == name))
    good, bad = {}, {}
    for piece in json.loads(json.dumps(ingest.pieces(task))):
        for part in ingest.reader_of(task).read(task, piece):
            if isinstance(part, Cells):
                told = (part.positions, part.columns["series"], part.columns["label"])
                records_there = zip(*(each.to_pylist() for each in told), strict=True)
                good |= {at: (json.loads(text), label) for at, text, label in records_there}
            else:
                bad |= {each.position: each for each in part}
    return good, bad


def test_windows_are_read_the_same_from_files_of_any_form(tmp_path):
    some = windows(6)
    (tmp_path / "waves.jsonl").write_text(lines(some))
    (tmp_path / "waves.ts").write_text(ts(some))
    (tmp_path / "waves.data").write_text("\n\n".join(block(*each) for each in some))
    nested = [np.array(window).reshape(STEPS, CHANNELS).tolist() for window, _ in some]
    pq.write_table(pa.table({"series": nested, "label": [label for _, label in some]}), tmp_path / "waves.parquet")
    forms = {"json_lines": "waves.jsonl", "ts": "waves.ts", "blocks": "waves.data", "parquet": "waves.parquet"}
    for reader, path in forms.items():
        good, bad = read_all(recipe(tmp_path, sources=[{"name": "waves", "reader": reader, "path": path}]))
        assert not bad
        assert list(good.values()) == some, reader


def test_a_bad_block_costs_one_block(tmp_path):
    (one, label), (two, _), (three, _) = windows(3)
    short = block(one[CHANNELS:], label)
    worded = block(two, label).replace(str(two[3]), "much", 1)
    wide = block(three, label).replace("\n\t", "\n\t7\t", 1)
    (tmp_path / "waves.data").write_text("\n\n".join([block(one, label), short, worded, wide, block(two, label)]))
    good, bad = read_all(recipe(tmp_path, sources=[{"name": "waves", "reader": "blocks", "path": "waves.data"}]))
    assert [window for window, _ in good.values()] == [one, two]
    assert [each.reason for each in bad.values()] == ["wrong_length", "not_numbers", "wrong_channels"]
    path, begins = str(tmp_path / "waves.data"), STEPS + 4
    assert list(bad) == [f"{path}#{begins}", f"{path}#{2 * begins - 2}", f"{path}#{3 * begins - 3}"]
    assert "line 32: holds what is no number" in bad[f"{path}#{2 * begins - 2}"].detail


def test_a_ts_file_may_miss_values_and_says_what_it_holds(tmp_path):
    some = windows(4)
    text = ts(some).replace(str(some[0][0][2]), "?", 1) + "1,2:3,4:rise\n" + "x\n"
    (tmp_path / "waves.ts").write_text(text)
    source = {"name": "waves", "reader": "ts", "path": "waves.ts"}
    good, bad = read_all(recipe(tmp_path, sources=[source]))
    assert next(iter(good.values()))[0][2] is None and len(good) == 4
    assert [each.reason for each in bad.values()] == ["wrong_length", "wrong_channels"]
    (tmp_path / "waves.ts").write_text(ts(some, dimensions=3))
    with pytest.raises(RecipeError, match="says @dimensions 3, and the recipe has 2: mend series: channels"):
        read_all(recipe(tmp_path, sources=[source]))


def test_odd_windows_are_filled_or_refused_with_their_reason(spark, tmp_path):
    some = windows(50)
    gap, long_gap = windows(2, first=1000)
    gap[0][4] = None
    long_gap[0][2:14:2] = [None] * 6
    odd = [
        gap, long_gap, (windows(1, 1002)[0][0][:-2], "rise"), ([1.0] * STEPS * CHANNELS, "rise"),
        (["much"] * STEPS * CHANNELS, "rise"), (windows(1, 1003)[0][0], "sideways"), ([1e300, *some[0][0][1:]], "rise"),
    ]  # fmt: skip
    (tmp_path / "waves.jsonl").write_text(lines([*some, *odd, some[0]]) + "no line\n")
    config = recipe(
        tmp_path, series={"fill": {"method": "linear", "limit": 2}}, clean={"rules": ["series.reject_constant"]}
    )
    counts = run(spark, config, "ingest", "clean").counts
    wanted = {"gaps": 1, "wrong_length": 1, "constant": 1, "not_numbers": 1, "label_unknown": 1, "not_finite": 1}
    assert counts["refused"] == wanted
    assert counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    assert (counts["kept"], counts["merged"], counts["changed"]) == (51, 1, {"gaps_filled": 1})
    (filled,) = [row for row in table(config, "clean") if row["row_flags"]]
    assert filled["series"][4] == pytest.approx((gap[0][2] + gap[0][6]) / 2, abs=1e-6)
    refused = {row["row_reason"]: row for row in table(config, "quarantine")}
    assert set(refused) == {*wanted, "json_unreadable"} and refused["json_unreadable"]["series"] is None
    assert refused["gaps"]["row_detail"] == "left has missing values" and len(refused["gaps"]["series"]) == 24
    assert refused["wrong_length"]["row_detail"] == "22 values; 12 steps of 2 channels are 24"


def test_children_are_the_same_under_any_partitioning_and_can_be_explained(spark, tmp_path):
    (tmp_path / "waves.jsonl").write_text(lines(windows(60)))
    steps = [{"series.jitter": {"std": 0.2}}, {"series.interpolate": {"p": 0.5, "partners": "nearest"}}]
    config = recipe(tmp_path, augment={"copies": 3, "steps": steps})
    done = run(spark, config, "ingest", "clean", "normalize", "augment")
    assert done.counts["staged"] == 60
    rows = spark.read.parquet(f"{done.folder}/rows").collect()
    train = {row["row_id"]: row for row in table(config, "clean") if row["row_split"] == "train"}
    plain = compiled(config, config.recipe.augment)
    mixed = next(row for row in rows if len(row["row_parents"]) == 2)
    own = next(row for row in rows if len(row["row_parents"]) == 1)
    assert {train[parent]["label"] for parent in mixed["row_parents"]} == {mixed["label"]}
    for row in (own, mixed):
        again = pa.Table.from_batches([plain(child_batch(config.recipe, row.asDict(), train), 7)])
        again = records.with_hashes(records.conform(again, records.row_schema(config.recipe)))
        assert again.column("row_hash")[0].as_py() == row["row_hash"]
        assert again.column("row_id")[0].as_py() == row["row_id"]


def test_channels_are_measured_exactly(spark, tmp_path):
    (tmp_path / "waves.jsonl").write_text(lines(windows(60)))
    config = recipe(tmp_path)
    done = run(spark, config, "ingest", "clean", "normalize")
    told = runs.read_json(done.folder, "statistics.json")
    train = pa.array([row["series"] for row in table(config, "clean") if row["row_split"] == "train"])
    values = stacked(train, STEPS, CHANNELS)
    assert told["rows"] == 20
    for name, channel in (("left", values[:, :, 0]), ("right", values[:, :, 1])):
        assert told["channels"][name]["mean"] == pytest.approx(channel.mean(), abs=1e-12)
        assert told["channels"][name]["deviation"] == pytest.approx(channel.std(), rel=1e-12)
        assert told["channels"][name]["greatest"] == channel.max()


def test_a_dataset_of_series_is_exported_as_csv(tmp_path):
    (tmp_path / "waves.jsonl").write_text(lines(windows(40)))
    config, schema = recipe(tmp_path), records.series_schema()
    cells = {name: ["x"] for name in schema.names if schema.field(name).type == pa.string()}
    row = pa.table({**cells, "row_split": ["train"], "series": [[0.5, float("nan")]]})
    write_deltalake(f"{runs.home(config)}/dataset", records.conform(row, schema))
    assert export(config, None, tmp_path / "out", []) == {"train": 1}
    (line,) = csv.DictReader((tmp_path / "out" / "train.csv").open(encoding="utf-8"))
    assert line["series"] == "[0.5, null]" and line["label"] == "x"


def test_mistakes_are_answered_before_anything_starts(tmp_path):
    (tmp_path / "waves.jsonl").write_text(lines(windows(40)))
    for parts, told in (
        ({"labels": ["rise"]}, "labels: of two"),
        ({"series": {"channels": ["left", "left"]}}, "channels must be distinct"),
        ({"columns": {"series": {"type": "category"}}}, "does not go with series"),
        ({"clean": {"duplicates": {"near": "group"}}}, "near copies of series are not looked for"),
        ({"generate": [{"model": "table_ar", "rows": {"like": "train"}}]}, "is not for series"),
        ({"evaluate": {"judges": ["svc"]}}, "svc is not for series, which have nearest, rocket"),
    ):
        with pytest.raises(RecipeError, match=told):
            recipe(tmp_path, **parts)
    for parts, told in (
        ({"clean": {"rules": ["series.jitter"]}}, "belongs under augment.steps"),
        ({"augment": {"steps": ["series.reject_constant"]}}, "belongs under clean.rules"),
        ({"augment": {"steps": ["image.rotate"]}}, "is for images and these are series"),
        ({"augment": {"steps": [{"series.jitter": {"stdd": 1}}]}}, "has no option stdd"),
    ):
        with pytest.raises(RecipeError, match=told):
            check.check_recipe(recipe(tmp_path, **parts))

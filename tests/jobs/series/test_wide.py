"""Windows that lie in a table's rows, a column for each step, are read as those of any other form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import Config, stages
from conf.errors import RecipeError
from jobs import readers
from jobs.tabular import ingest
from jobs.tabular.cells import Cells
from tests.jobs.made import run, table
from tests.jobs.series.made import CHANNELS, STEPS, Window, recipe, windows

BY_CHANNEL = [f"{channel}_{step}" for channel in ("left", "right") for step in range(STEPS)]


def by_channel(window: Window) -> list[str]:
    """A window's cells, channels one after the other."""
    return [str(value) for at in range(CHANNELS) for value in window[at::CHANNELS]]


def wide_lines(rows: list[tuple[Window, str]], apart: str = "\t") -> str:
    """Lines without a header: the label, then the values of each channel."""
    return "".join(apart.join([label, *by_channel(window)]) + "\n" for window, label in rows)


def wide(folder: Path, source: dict[str, Any], **parts: Any) -> Config:
    """A recipe of one source of wide rows."""
    told = {"name": "waves", "reader": "csv", "path": "waves.csv", "wide": {}, **source}
    return recipe(folder, sources=[told], **parts)


def read_all(config: Config) -> tuple[list[tuple[list[float], str]], list[tuple[str, str | None]]]:
    """(windows and labels, reasons and details of what was refused), pieces sent through JSON as to the workers."""
    (task,) = [readers.reading(config, source) for source in config.recipe.sources]
    good, bad = [], []
    for piece in json.loads(json.dumps(ingest.pieces(task))):
        for part in ingest.records_of(task, piece):
            if isinstance(part, Cells):
                told = zip(*(part.columns[name].to_pylist() for name in ("series", "label")), strict=True)
                good += [([float(cell) for cell in json.loads(text)], label) for text, label in told]
            else:
                bad += [(str(each.reason), each.detail) for each in part]
    return good, bad


def test_wide_rows_of_any_form_are_the_same_windows(tmp_path: Path) -> None:
    """Without a header, label first or last; with one, in any order; beside other columns; typed or as JSON."""
    some = windows(6)
    (tmp_path / "a.tsv").write_text(wide_lines(some))
    (tmp_path / "b.csv").write_text("".join(f"{','.join(by_channel(row))},{label}\n" for row, label in some))
    names = [f"{stem}{step:02d}" for step in range(1, STEPS + 1) for stem in ("l", "r")]
    lines = [";".join([str(at), *map(str, row), label]) for at, (row, label) in enumerate(some)]
    (tmp_path / "c.csv").write_text("\n".join([";".join(["id", *names, "kind"]), *lines]) + "\n")
    rows = [dict(zip(BY_CHANNEL, map(float, by_channel(row)), strict=True)) | {"label": label} for row, label in some]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sources: list[dict[str, Any]] = [
        {"path": "a.tsv", "header": False},
        {"path": "b.csv", "header": False, "wide": {"label": "last"}},
        {"path": "c.csv", "wide": {"steps": {"left": "l01", "right": "r01"}}, "columns": {"kind": "label"}},
        {"path": "d.parquet", "reader": "parquet"},
        {"path": "e.jsonl", "reader": "json_lines"},
    ]
    sources[2]["drift"] = "merge"
    for source in sources:
        assert read_all(wide(tmp_path, source)) == (some, []), source


def test_numbers_alone_may_name_the_steps(tmp_path: Path) -> None:
    """As headers of 0, 1, 2, ... that data frames write."""
    some = [(window[:STEPS], label) for window, label in windows(3)]
    head = ",".join([*map(str, range(STEPS)), "label"])
    (tmp_path / "waves.csv").write_text("\n".join([head, *(f"{str(row)[1:-1]},{label}" for row, label in some)]))
    series = {"channels": ["load"]}
    assert read_all(wide(tmp_path, {"wide": {"steps": {"load": "0"}}}, series=series)) == (some, [])


def test_mistakes_in_wide_sources_are_answered_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "waves.csv").write_text(",".join(["label", *BY_CHANNEL, "left_12"]) + "\n" + "x" + ",1" * 25 + "\n")
    (tmp_path / "bare.csv").write_text("x" + ",1" * 30 + "\n")
    steps = {"left": "left_0", "right": "right_0"}
    every: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({}, {}, "columns beside the steps and the label: left_12. Where they are steps, mend series: length"),
        ({}, {"series": {"length": 14}}, "has 25 of the 28 columns of steps and lacks left_13, right_12, right_13"),
        ({"drift": "merge"}, {"series": {"length": 14}}, "lacks left_13"),
        ({"path": "bare.csv", "header": False}, {}, "31 cells in its first line, and label and steps .* are 25"),
        ({"wide": {"steps": {"left": "first"}}}, {}, "'first' must end in its step's number"),
        ({"wide": {"steps": {"up": "t0"}}}, {}, "names a first step for up, and the channels are left, right"),
        ({"wide": {"steps": {**steps, "right": "left_5"}}}, {}, "left and right would both have the column left_5"),
        ({"reader": "ts"}, {}, "has wide:, which reads columns of csv, json_lines"),
        ({}, {"series": {"recordings": {"entity": "column"}}}, "rows are windows already, and recordings: cuts"),
        ({"columns": {"kind": "sort"}}, {}, "maps to the column 'sort'"),
    ]
    for source, parts, told in every:
        with pytest.raises(RecipeError, match=told):
            read_all(wide(tmp_path, source, **parts))


def test_what_a_source_does_not_say_of_wide_rows_decides_nothing(tmp_path: Path) -> None:
    """Stages of other recipes are not made again; those of this one are where the reading of cells differs."""
    (tmp_path / "waves.csv").write_text(",".join(["label", *BY_CHANNEL]) + "\n")

    def parts(**more: Any) -> list[Any]:
        config = wide(tmp_path, {}, **more)
        return [stages.parts_of(stages.stage(name), config.recipe, "") for name in ("ingest", "clean")]

    plain = stages.parts_of(stages.stage("ingest"), recipe(tmp_path).recipe, "")
    assert "wide" not in plain["sources"][0] and "missing" not in parts()[0]
    assert parts()[1] != parts(missing=["", "NA"])[1]
    assert parts()[0] != parts(series={"channels": ["right", "left"]})[0]


def test_wide_rows_are_filled_or_refused_with_their_reason(spark: Any, tmp_path: Path) -> None:
    """Blank, ?, NaN and the recipe's own tokens are missing; other words, and other numbers of cells, are refused."""
    some, odd = windows(50), [by_channel(window) for window, _ in windows(6, first=1000)]
    for row, cell in zip(odd, ["", "?", "NaN", "-999", "much"], strict=False):
        row[4] = cell
    lines = ["\t".join(["rise", *row]) for row in odd]
    text = wide_lines(some) + "\n".join([*lines[:5], lines[5] + "\t1.5", lines[5].rpartition("\t")[0]]) + "\n"
    (tmp_path / "waves.tsv").write_text(text)
    config = wide(
        tmp_path, {"path": "waves.tsv", "header": False}, missing=["", "-999"],
        series={"fill": {"method": "linear", "limit": 2}},
    )  # fmt: skip
    read = run(spark, config, "ingest").counts["sources"]["waves"]
    assert (read["in"], read["refused"]) == (57, {"wrong_length": 2})
    counts = run(spark, config, "clean").counts
    assert (counts["kept"], counts["refused"]) == (54, {"not_numbers": 1})
    assert counts["changed"] == {"gaps_filled": 4}
    refused = {row["row_reason"]: row for row in table(config, "quarantine")}
    assert refused["not_numbers"]["row_detail"] == "step 5 is 'much'"
    assert "cells; 25 are wanted" in refused["wrong_length"]["row_detail"]
    values = sorted(tuple(row["series"]) for row in table(config, "clean") if not row["row_flags"])
    assert values == [pytest.approx(tuple(window), abs=1e-6) for window, _ in sorted(some)]

"""The shipped recipes of tables: from their source to their statistics, and, slow, to a dataset and a report."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import conf
from conf import Config
from tests.faults.command import ended_in, finish
from tests.jobs.made import run

LINES = 1500
WHOLE = {
    "adult": 48842, "bank-marketing": 41188, "california-housing": 20640, "mushrooms": 8124, "mammography": 11183,
}  # fmt: skip


def sampled(source: Path, folder: Path) -> Path:
    """Some lines of every file of a data set, evenly spread, zips with their members."""
    folder.mkdir()
    for file in source.iterdir():
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as whole, zipfile.ZipFile(folder / file.name, "w") as part:
                for name in whole.namelist():
                    if name.endswith(".csv") and not name.startswith("__"):
                        part.writestr(name, some(whole.read(name)))
        else:
            (folder / file.name).write_bytes(some(file.read_bytes()))
    return folder


def some(data: bytes) -> bytes:
    """The first line, and about LINES of the others."""
    lines = data.splitlines(keepends=True)
    return b"".join([lines[0], *lines[1 :: max(1, len(lines) // LINES)]])


def through(spark, config: Config) -> dict:
    """Ingest, clean and normalize; the counts of clean."""
    counts = run(spark, config, "ingest", "clean").counts
    assert counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    assert run(spark, config, "normalize").counts["rows"] == sum(counts["splits"]["train"].values())
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_sample_goes_through_normalize(spark, tmp_path, data_dir, name):
    data = sampled(data_dir / "tabular" / name, tmp_path / "data")
    config = conf.load(name, "local", [f"data={data}"], str(tmp_path / "root"))
    counts = through(spark, config)
    assert counts["in"] >= LINES - 1
    assert sum(counts["refused"].values()) <= 0.02 * counts["in"]


def test_the_bundled_table_needs_no_data(spark, tmp_path):
    config = conf.load("breast-cancer", "local", [], str(tmp_path / "root"))
    counts = through(spark, config)
    sizes = {split: sum(of.values()) for split, of in counts["splits"].items()}
    assert sizes == {"train": 100, "val": 120, "reserve": 150, "test": 199}
    assert counts["rules"]["rules[0] relation"]["rows"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_goes_through_normalize(spark, tmp_path, data_dir, name):
    data = data_dir / "tabular" / name
    counts = through(spark, conf.load(name, "local", [f"data={data}"], str(tmp_path / "root")))
    assert counts["in"] == WHOLE[name]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_grows_into_a_dataset_and_a_report(tmp_path: Path, data_dir: Path, name: str) -> None:
    """By the command: every row that was planned is in the dataset, or refused with its reason."""
    root = tmp_path / "root"
    data = f"data={data_dir / 'tabular' / name}"
    finish(root, data, "evaluate.seeds=1", "gate.usefulness=report", recipe=name)
    metrics = json.loads((root / name / "metrics.json").read_text("utf-8"))
    assert all(each["adds_up"] is not False for each in metrics["stages"])
    planned = sum(each["planned"] or 0 for each in metrics["stages"] if each["key"].startswith("sample."))
    rows, refused = ended_in(root / name)
    made, kept_out = (each[each.row_origin == "synthetic"] for each in (rows, refused))
    assert len(made) + len(kept_out) == planned and len(made) > 0
    assert set(made.row_split) == {"train"} and kept_out.row_reason.notna().all()
    assert (root / name / "report.html").stat().st_size < 5 << 20

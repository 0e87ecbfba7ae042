"""What the command reads from finished tables without Spark: show, export, doctor."""

from __future__ import annotations

import csv
import io
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from rich.console import Console

from conf import Config, runs
from conf.errors import RecipeError, StageError
from jobs import doctor, show
from jobs.export import KINDS, export, safe_cell, safe_folder
from tests.jobs.grown import grow, lay_tables


@pytest.fixture
def config(config_for: Callable[..., Config]) -> Config:
    """A grown digits with its tables."""
    made = config_for("digits")
    grow(made)
    lay_tables(made)
    return made


def rows(config: Config) -> list[dict[str, str]]:
    return DeltaTable(f"{runs.home(config)}/dataset").to_pyarrow_dataset().to_table().to_pylist()


def shown(config: Config) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200)
    for part in show.everything(config):
        console.print(part)
    return out.getvalue()


def test_show_counts_what_the_table_holds(config: Config) -> None:
    """Rows by origin and split, by label, refusals by reason, each as an independent count has them."""
    there = rows(config)
    assert show.row_counts(config) == Counter((row["row_origin"], row["row_split"], row["label"]) for row in there)
    text = shown(config)
    train = sum(row["row_split"] == "train" and row["row_origin"] == "augmented" for row in there)
    assert f"{train:,}" in text
    assert "outlier" in text and "version" in text and f"{len(there):,}" in text


def test_show_says_what_is_not_there_yet(config_for: Callable[..., Config]) -> None:
    """Before the first run nothing is an error."""
    assert "not there yet" in shown(config_for("digits"))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_export_holds_every_row_once(kind: str, config: Config, tmp_path: Path) -> None:
    """As many files as rows, the very bytes of the rows, each under its split and label."""
    to = tmp_path / "out"
    written = export(config, kind, to, [])
    there = rows(config)
    assert written == Counter(row["row_split"] for row in there)
    images = {row["row_id"]: row["image"] for row in there}
    assert _images(kind, to) == images


def _images(kind: str, to: Path) -> dict[str, bytes]:
    """Images by row id, read back from an export."""
    if kind == "parquet":
        return {row["row_id"]: row["image"] for file in to.glob("*.parquet") for row in pq.read_table(file).to_pylist()}
    if kind == "webdataset":
        found = {}
        for shard in to.glob("*.tar"):
            with tarfile.open(shard) as tar:
                for member in tar:
                    if member.name.endswith(".png"):
                        file = tar.extractfile(member)
                        assert file is not None
                        found[member.name[:-4]] = file.read()
        return found
    return {file.stem: file.read_bytes() for file in to.rglob("*.png")}


def test_export_of_one_split_has_no_other(config: Config, tmp_path: Path) -> None:
    """Test rows do not slip into a training folder."""
    export(config, "folder", tmp_path / "out", ["train"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"train"}
    labels = {path.name for path in (tmp_path / "out" / "train").iterdir()}
    assert labels == set(config.recipe.labels)


def test_export_of_a_split_that_is_none_is_a_mistake(config: Config, tmp_path: Path) -> None:
    """A misspelt split is told, and nothing is written."""
    with pytest.raises(RecipeError, match="--split trian: a dataset has train, val, test"):
        export(config, "folder", tmp_path / "out", ["trian"])
    assert not (tmp_path / "out").exists()


def test_export_csv_tells_each_row(config: Config, tmp_path: Path) -> None:
    """The CSV's files are there, with their label and split."""
    export(config, "csv", tmp_path / "out", [])
    with (tmp_path / "out" / "rows.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    by_id = {row["row_id"]: row for row in rows(config)}
    for line in lines:
        row = by_id[Path(line["file"]).stem]
        assert (line["label"], line["split"], line["origin"]) == (row["label"], row["row_split"], row["row_origin"])


def test_export_writes_over_nothing(config: Config, tmp_path: Path) -> None:
    """A folder that holds something is refused; so is an unknown form; so is a dataset that is not there."""
    with pytest.raises(RecipeError, match="folder, parquet, webdataset, csv"):
        export(config, "tfrecord", tmp_path / "a", [])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").touch()
    with pytest.raises(RecipeError, match="holds something"):
        export(config, "csv", tmp_path / "b", [])


def test_export_before_a_run_names_the_command(config_for: Callable[..., Config], tmp_path: Path) -> None:
    """There is nothing to export yet, and what makes it is said."""
    with pytest.raises(StageError, match="seedbed run digits"):
        export(config_for("digits"), "csv", tmp_path / "a", [])


@pytest.mark.parametrize("label", ["../up", "..", ".hidden", "a/b", "nul\0", "C:\\x", "", "ok name", "é" * 300])
def test_a_label_is_one_folder(label: str, tmp_path: Path) -> None:
    """No label leads out of its folder."""
    name = safe_folder(label)
    (tmp_path / name).mkdir()
    assert (tmp_path / name).parent == tmp_path and (tmp_path / name).resolve().parent == tmp_path.resolve()
    assert safe_folder(f"{label}!") != name


def test_a_cell_is_no_formula() -> None:
    """What a spreadsheet would run is text."""
    assert [safe_cell(text) for text in ("=1+1", "+x", "-2", "@a", "plain", None)] == [
        "'=1+1",
        "'+x",
        "'-2",
        "'@a",
        "plain",
        "",
    ]


# ---- doctor ----


def found(config: Config) -> dict[str, doctor.Finding]:
    return {each.what: each for each in doctor.findings(config)}


def test_doctor_finds_this_machine_fit(config: Config) -> None:
    """Where the tests run, so does Seedbed; every finding that is not good names its mend."""
    findings = found(config)
    assert findings["Python"].state == doctor.GOOD and findings["Java"].state == doctor.GOOD
    assert findings["table dataset"].state == doctor.GOOD
    assert all(each.mend for each in findings.values() if each.state != doctor.GOOD)


def test_doctor_names_a_missing_java(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Java is a fault with what to install."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    finding = found(config)["Java"]
    assert finding.state == doctor.BAD and "apt-get install openjdk-17" in finding.mend


def test_doctor_names_little_memory(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little memory is told before Spark is killed for it."""
    monkeypatch.setattr(doctor, "_available_mb", lambda: 1000)
    assert "spark.driver_memory" in found(config)["memory"].mend


def test_doctor_names_a_damaged_table(config: Config) -> None:
    """A table whose log cannot be read is a fault, and the others are still looked at."""
    log = Path(runs.home(config), "dataset", "_delta_log", "00000000000000000000.json")
    log.write_text('{"commitInfo": ')
    findings = found(config)
    assert findings["table dataset"].state == doctor.BAD and findings["table clean"].state == doctor.GOOD


def test_doctor_names_an_open_token(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A token that others may read is told with the command that closes it."""
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(0o644)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    finding = found(config)["Ray's token"]
    assert finding.mend == f"chmod 600 {token}" and "secret" not in finding.found


def test_doctor_says_what_a_cluster_must_share(config_for: Callable[..., Config]) -> None:
    """On a cluster a local path as root is told."""
    assert "shared file system" in found(config_for("digits", runtime="cluster"))["shared paths"].mend

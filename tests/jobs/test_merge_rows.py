"""merge_rows: a table holds exactly the rows that it should, each commit lands once, and nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delta.exceptions import ConcurrentAppendException

from conf import Config
from conf.errors import StageError
from jobs import failpoints, tables
from jobs.places import quoted, table
from jobs.spark import merge_rows, publish_refused, read
from tests.jobs.merging import SCHEMA, as_table, expected, held, log_of, row, rows_of, staged
from udfs import records

REFUSED = records.refused_schema(SCHEMA)


class Merging:
    """Merges lists of rows into the table `dataset` of a root of its own."""

    def __init__(self, spark: Any, config: Config, tmp_path: Path) -> None:
        self.spark, self.config, self._tmp_path, self._count = spark, config, tmp_path, 0

    def put(self, rows: list[dict[str, Any]]) -> str:
        """The rows as Parquet."""
        self._count += 1
        return staged(rows, self._tmp_path / f"rows-{self._count}")

    def __call__(self, rows: list[dict[str, Any]]) -> tuple[int, int, int]:
        """Inserted, updated, deleted; and sees that the table then holds exactly these rows."""
        merged = merge_rows(self.spark, self.config, "dataset", self.put(rows), partition_by=["row_origin"])
        assert held(self.config, "dataset") == expected(rows)
        assert merged.version == len(log_of(self.config, "dataset")) - 1
        return merged.inserted, merged.updated, merged.deleted


@pytest.fixture
def merging(spark: Any, config_for: Callable[..., Config], tmp_path: Path) -> Merging:
    """Merges into a new root."""
    return Merging(spark, config_for(), tmp_path)


BASE = rows_of("abc", 20)


def test_each_edit_changes_exactly_what_it_says(merging: Merging) -> None:
    """New makers, changed rows, missing rows and the way back are inserted, updated and deleted, and counted so."""
    assert merging(BASE) == (60, 0, 0)
    assert merging([*BASE, *rows_of("d", 20)]) == (20, 0, 0)
    edited = [*BASE[2:], row("a", 0, "changed"), row("b", 99), *rows_of("e", 5, origin="synthetic")]
    assert merging(edited) == (6, 1, 21)
    assert merging(BASE) == (1, 1, 6 + 0)


def test_an_unchanged_table_gets_no_commit(merging: Merging) -> None:
    """The same rows again, from other files in another order, leave the table at its version."""
    merging(BASE)
    merging([*BASE, *rows_of("d", 3)])
    before = log_of(merging.config, "dataset")
    assert merging([*rows_of("d", 3), *reversed(BASE)]) == (0, 0, 0)
    assert log_of(merging.config, "dataset") == before


def test_rows_that_stay_are_not_read_again(merging: Merging) -> None:
    """The payload of makers that the table holds already may be unreadable: new makers' rows are merged beside it."""
    base = merging.put(BASE)
    merge_rows(merging.spark, merging.config, "dataset", base, partition_by=["row_origin"])
    for path in Path(base).glob("*.parquet"):
        content, times = path.read_bytes(), path.stat()
        footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        path.write_bytes(content[:4] + bytes(footer - 4) + content[footer:])
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    more = [merging.put(rows_of(letter, 20)) for letter in "de"]
    merged = merge_rows(merging.spark, merging.config, "dataset", [base, *more], partition_by=["row_origin"])
    assert (merged.inserted, merged.updated, merged.deleted) == (40, 0, 0)
    assert held(merging.config, "dataset") == expected([*BASE, *rows_of("de", 20)])


def test_only_files_with_changes_are_rewritten(merging: Merging) -> None:
    """Files without a changed row stay as they are, also those of the same partition."""
    merging(BASE)
    merging([*BASE, *rows_of("d", 3)])

    def files() -> set[Path]:
        return {
            path for path in Path(table(merging.config, "dataset")).rglob("*.parquet") if "_delta_log" not in path.parts
        }

    before = files()
    merging([*BASE, *rows_of("d", 3), *rows_of("e", 3, origin="synthetic")])
    added = files() - before
    assert added and all("row_origin=synthetic" in str(path) for path in added)


def test_a_dataframe_is_merged_as_its_files_would_be(merging: Merging) -> None:
    """Rows may come as a DataFrame; nothing staged is left behind."""
    frame = merging.spark.read.parquet(merging.put(BASE))
    merged = merge_rows(merging.spark, merging.config, "dataset", frame.where("label = '1'"))
    wanted = [each for each in BASE if each["label"] == "1"]
    assert held(merging.config, "dataset") == expected(wanted) and merged.inserted == len(wanted)
    assert not list(Path(merging.config.files).rglob("staged/*"))


def test_an_empty_table_can_be_made_and_filled(merging: Merging) -> None:
    """No rows are rows like any."""
    assert merging([]) == (0, 0, 0)
    assert merging(BASE) == (60, 0, 0)
    assert merging([]) == (0, 0, 60)


def test_after_a_strangers_commit_the_rows_themselves_are_compared(merging: Merging) -> None:
    """What somebody else deleted, changed or added is put right; what OPTIMIZE rewrote is not written again."""
    merging(BASE)
    place = quoted(merging.config, "dataset")
    merging.spark.sql(f"DELETE FROM {place} WHERE row_id = '{BASE[0]['row_id']}'")
    merging.spark.sql(f"UPDATE {place} SET row_hash = 'f' WHERE row_id = '{BASE[30]['row_id']}'")
    assert merging(BASE) == (1, 1, 0)
    merging.spark.sql(f"OPTIMIZE {place}")
    assert merging(BASE) == (0, 0, 0)


def test_a_note_on_top_of_another_version_is_not_believed(merging: Merging, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that slipped in between a comparison and its commit makes the commit's note worthless."""
    merging(BASE)
    real = tables._merge

    def late(*given: Any) -> None:
        place = quoted(merging.config, "dataset")
        merging.spark.sql(f"DELETE FROM {place} WHERE row_id = '{BASE[0]['row_id']}'")
        real(*given)

    monkeypatch.setattr(tables, "_merge", late)
    more = [*BASE, *rows_of("d", 4)]
    merge_rows(merging.spark, merging.config, "dataset", merging.put(more), partition_by=["row_origin"])
    assert len(held(merging.config, "dataset")) == 63
    monkeypatch.undo()
    assert merging(more) == (1, 0, 0)


def test_a_conflict_is_retried_from_the_comparison(merging: Merging, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another writer came first, what it did is compared again, and put right."""
    merging(BASE)
    real, calls = tables._merge, []

    def conflicting(*given: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            place = quoted(merging.config, "dataset")
            merging.spark.sql(f"DELETE FROM {place} WHERE row_id = '{BASE[0]['row_id']}'")
            raise ConcurrentAppendException("another writer came first")
        real(*given)

    monkeypatch.setattr(tables, "_merge", conflicting)
    assert merging([*BASE, *rows_of("d", 4)]) == (5, 0, 0)
    assert len(calls) == 2


def test_other_errors_are_not_retried(merging: Merging, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only conflicts are."""
    calls = []

    def broken(*given: Any) -> None:
        calls.append(1)
        raise OSError("no space left on device")

    monkeypatch.setattr(tables, "_create", broken)
    with pytest.raises(OSError, match="no space"):
        merging(BASE)
    assert len(calls) == 1
    monkeypatch.undo()
    assert merging(BASE) == (60, 0, 0)


@pytest.mark.parametrize("rows", [BASE, [*BASE[5:], *rows_of("d", 3)]])
def test_an_answer_lost_after_the_commit_makes_no_second_copy(
    merging: Merging, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]
) -> None:
    """The log says that the commit landed: it counts as done, and the next merge has nothing to do."""
    if rows is not BASE:
        merging(BASE)
    before = len(log_of(merging.config, "dataset"))
    monkeypatch.setenv(failpoints.FAILPOINT, "after-commit-dataset:raise")
    monkeypatch.setattr(failpoints, "_raised", set())
    merging(rows)
    assert failpoints._raised == {"after-commit-dataset"}
    assert merging(rows) == (0, 0, 0)
    assert len(log_of(merging.config, "dataset")) == before + 1


def test_scope_leaves_the_rest_alone(merging: Merging) -> None:
    """Refused rows of one stage are compared and replaced without a look at another stage's."""

    def refused(stage: str, rows: list[dict[str, Any]], reason: str = "blank") -> list[dict[str, Any]]:
        return [{**each, "row_stage": stage, "row_reason": reason} for each in rows]

    def publish(stage: str, rows: list[dict[str, Any]]) -> Any:
        merging._count += 1
        path = staged(rows, merging._tmp_path / f"refused-{merging._count}", REFUSED)
        return publish_refused(merging.spark, merging.config, stage, path, REFUSED)

    clean, gate = refused("clean", rows_of("a", 6)), refused("gate", rows_of("b", 4))
    assert publish("gate", []) is None
    assert publish("clean", clean).inserted == 6
    assert publish("gate", gate).inserted == 4
    assert held(merging.config, "quarantine") == expected([*clean, *gate], REFUSED)
    other = refused("clean", rows_of("a", 5), "too_dark")
    assert (lambda m: (m.inserted, m.updated, m.deleted))(publish("clean", other)) == (0, 5, 1)
    assert publish("gate", []).deleted == 4
    assert held(merging.config, "quarantine") == expected(other, REFUSED)
    with pytest.raises(StageError, match="where those of gate belong"):
        publish("gate", clean)


def test_a_new_column_is_added_and_a_missing_one_is_null(merging: Merging) -> None:
    """A recipe that begins to declare masks brings their column; one that stops leaves it null."""
    merging(BASE)
    masked = records.image_schema(masks=True)
    rows = [{**each, "mask": b"mask"} for each in BASE]
    path = staged(rows, merging._tmp_path / "masked", masked)
    merged = merge_rows(merging.spark, merging.config, "dataset", path, partition_by=["row_origin"])
    assert merged.updated == 60 and held(merging.config, "dataset") == expected(rows, masked)
    merge_rows(merging.spark, merging.config, "dataset", merging.put(BASE), partition_by=["row_origin"])
    assert {each["mask"] for each in held(merging.config, "dataset").values()} == {None}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*BASE, BASE[3]], f"2 rows have the id {BASE[3]['row_id']}"),
        ([*BASE, {**row("a", 50), "row_id": "short"}], "without row_id or row_hash"),
    ],
)
def test_rows_that_would_be_merged_wrongly_are_refused(
    merging: Merging, rows: list[dict[str, Any]], words: str
) -> None:
    """An id that comes twice, or no id, is an error before anything is written."""
    with pytest.raises(StageError, match=words):
        merging(rows)
    assert not Path(table(merging.config, "dataset")).exists()


def test_an_id_in_two_folders_is_refused(merging: Merging) -> None:
    """The same row in two of the folders is found as one within a folder is."""
    paths = [merging.put(BASE), merging.put(BASE[:1])]
    with pytest.raises(StageError, match="2 rows have the id"):
        merge_rows(merging.spark, merging.config, "dataset", paths)


def test_unfit_column_names_are_refused_with_the_mend(merging: Merging) -> None:
    """Delta cannot hold such names; the message says which and what to do."""
    frame = merging.spark.read.parquet(merging.put(BASE)).withColumnRenamed("label", "my label")
    with pytest.raises(StageError, match="rename the column 'my label'"):
        merge_rows(merging.spark, merging.config, "dataset", frame)


def test_odd_paths_are_quoted(spark: Any, config_for: Callable[..., Config], tmp_path: Path) -> None:
    """A root with spaces, quotes and back-ticks is only a place."""
    root = tmp_path / "it's `a` root; DROP"
    merging = Merging(spark, config_for(root=root), tmp_path)
    assert merging(BASE) == (60, 0, 0)
    assert merging(BASE[1:]) == (0, 0, 1)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir() and not path.name.startswith("rows")} == {
        root.name
    }


def test_old_versions_can_be_read_and_a_missing_table_says_what_to_run(merging: Merging) -> None:
    """Later stages read the version that an earlier one wrote."""
    with pytest.raises(StageError, match=r"There is no table .*dataset yet"):
        read(merging.spark, merging.config, "dataset")
    merging(BASE)
    merging(BASE[:10])
    assert read(merging.spark, merging.config, "dataset", 0).count() == 60
    assert read(merging.spark, merging.config, "dataset").count() == 10


def test_tables_keep_to_what_other_readers_know(merging: Merging) -> None:
    """No deletion vectors, no column mapping, statistics on the first columns alone."""
    merging(BASE)
    merging(BASE[:10])
    from deltalake import DeltaTable

    opened = DeltaTable(table(merging.config, "dataset"))
    assert opened.metadata().configuration["delta.dataSkippingNumIndexedCols"] == "4"
    assert opened.protocol().min_reader_version == 1
    assert opened.metadata().partition_columns == ["row_origin"]


def test_a_table_in_a_catalog_is_named_after_the_recipe(merging: Merging) -> None:
    """Names in a metastore, where a recipe's dashes cannot stand."""
    named = replace(merging.config, tables="main.seedbed")
    assert table(named, "dataset") == "main.seedbed.digits_dataset"
    assert quoted(named, "dataset") == "`main`.`seedbed`.`digits_dataset`"


def test_the_order_and_files_of_the_rows_do_not_matter_to_the_digest(merging: Merging) -> None:
    """A digest is of the set of rows."""
    one = merge_rows(merging.spark, merging.config, "dataset", merging.put(BASE))
    two = merge_rows(merging.spark, merging.config, "other", [merging.put(BASE[40:]), merging.put(BASE[:40][::-1])])
    three = merge_rows(merging.spark, merging.config, "third", merging.put([*BASE[1:], row("a", 0, "x")]))
    assert one.digest == two.digest != three.digest


def test_as_table_has_hashes_of_its_own() -> None:
    """The helper's rows differ where their payload does (else the tests above would prove nothing)."""
    hashes = as_table([row("a", 0), row("a", 0, "x")]).column("row_hash").to_pylist()
    assert len(set(hashes)) == 2 and isinstance(as_table(BASE), pa.Table)

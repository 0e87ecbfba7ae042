"""A damaged commit log is found before a table is read or written; writers of a local table take turns."""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from conf.errors import StageError
from jobs.deltalog import Commit, check_log, commits_after, has_log, lock


def entry(place: Path, version: int, adds: int = 1, removes: int = 0, files: int | None = None) -> Path:
    """Write a log entry as Delta would, with its note of how many files the table then has."""
    log = place / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    actions: list[dict[str, Any]] = [{"commitInfo": {"operation": "MERGE", "userMetadata": f"told {version}"}}]
    actions += [{"add": {"path": f"{version}-{each}", "size": 10}} for each in range(adds)]
    actions += [{"remove": {"path": f"gone-{each}", "size": 10}} for each in range(removes)]
    path = log / f"{version:020d}.json"
    path.write_text("".join(json.dumps(action) + "\n" for action in actions))
    if files is not None:
        (log / f"{version:020d}.crc").write_text(json.dumps({"numFiles": files, "tableSizeBytes": files * 10}))
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A table of three versions, with 2, 3 and 2 files."""
    entry(tmp_path, 0, adds=2, files=2)
    entry(tmp_path, 1, adds=1, files=3)
    entry(tmp_path, 2, adds=1, removes=2, files=2)
    return tmp_path


def test_a_whole_log_tells_its_newest_commit(place: Path) -> None:
    """The newest version, and what its commit says of itself."""
    assert check_log(str(place)) == Commit(2, {"operation": "MERGE", "userMetadata": "told 2"})
    assert [commit.version for commit in commits_after(str(place), 0)] == [1, 2]
    assert has_log(str(place)) and not has_log(str(place / "nowhere"))
    assert check_log(str(place / "nowhere")) is None


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.write_text(path.read_text()[:-9]), "is not JSON"),
        (
            lambda path: path.write_text(path.read_text().splitlines()[0] + "\n"),
            "leaves 2 files of 20 bytes, .* had 3 files",
        ),
        (lambda path: path.write_text("\n".join(path.read_text().splitlines()[1:])), "does not say who committed"),
        (lambda path: path.write_text(""), "it is empty"),
        (lambda path: path.unlink(), "it is missing"),
        (lambda path: path.write_bytes(b"\xff\xfe{}"), "is not JSON"),
    ],
)
def test_a_damaged_entry_is_named_with_its_version(place: Path, harm: Any, words: str) -> None:
    """Cut within a line or between lines, emptied, deleted or overwritten: never fewer rows in silence."""
    harm(place / "_delta_log" / f"{1:020d}.json")
    with pytest.raises(StageError, match=f"version 1 of the table is damaged.*{words}"):
        check_log(str(place))


def test_a_cut_entry_that_changed_files_for_as_many_others_is_found_by_their_bytes(place: Path) -> None:
    """A MERGE often leaves as many files as there were."""
    path = entry(place, 3, adds=1, removes=1)
    (place / "_delta_log" / f"{3:020d}.crc").write_text(json.dumps({"numFiles": 2, "tableSizeBytes": 25}))
    with pytest.raises(StageError, match="it leaves 2 files of 20 bytes, the table had 2 files of 25 bytes"):
        check_log(str(place))
    path.write_text(path.read_text().replace('"3-0", "size": 10', '"3-0", "size": 15'))
    assert check_log(str(place)) is not None


def test_entries_before_a_checkpoint_are_not_needed(place: Path) -> None:
    """Delta reads the checkpoint in their stead, and deletes them after some time."""
    (place / "_delta_log" / f"{1:020d}.checkpoint.parquet").write_bytes(b"PAR1")
    (place / "_delta_log" / f"{0:020d}.json").unlink()
    (place / "_delta_log" / f"{1:020d}.json").unlink()
    assert check_log(str(place)) == Commit(2, {"operation": "MERGE", "userMetadata": "told 2"})


def _add_ones(place: str, number: int, file: str) -> None:
    """Read, wait, write: loses an update unless writers take turns."""
    for _ in range(number):
        with lock(place):
            count = int(Path(file).read_text())
            time.sleep(0.001)
            Path(file).write_text(str(count + 1))


@pytest.mark.parametrize("writers", [2, 4])
def test_writers_of_a_local_table_take_turns(tmp_path: Path, writers: int) -> None:
    """Two or four processes that read and write one thing under the lock lose nothing."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    arguments = (str(tmp_path / "table"), 50, str(counter))
    processes = [context.Process(target=_add_ones, args=arguments) for _ in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert counter.read_text() == str(50 * writers)


def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    """The system gives the lock back with the process."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_hold, args=(str(tmp_path / "table"), str(tmp_path / "held")))
    process.start()
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    with lock(str(tmp_path / "table")):
        pass


def _hold(place: str, sign: str) -> None:
    with lock(place):
        Path(sign).touch()
        time.sleep(600)


def test_object_stores_and_metastores_need_no_lock() -> None:
    """There the store decides who commits first."""
    with lock("s3://bucket/table"), lock("main.seedbed.digits_dataset"):
        pass

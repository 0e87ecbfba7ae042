"""Crashes on each side of every commit, and several processes at one table: whole versions, nothing lost, nothing
twice.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import conf
from conf import Config
from jobs.failpoints import FAILPOINT
from jobs.spark import merge_rows, read
from tests.jobs.merging import expected, held, log_of, row, rows_of, staged
from tests.jobs.merging_process import REFUSED, refused

REPOSITORY = Path(__file__).resolve().parents[2]
BEFORE = rows_of("abc", 30)
AFTER = [*BEFORE[4:], row("a", 6, "changed"), *rows_of("de", 30)]
AFTER = list({each["row_id"]: each for each in AFTER}.values())
COMMITS = int(os.environ.get("SEEDBED_TEST_COMMITS", "40"))  # by all processes together


def start(root: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a merging process."""
    path = f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.jobs.merging_process", str(root), *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def killed(process: subprocess.Popen[str]) -> None:
    """Kill a process and the JVM that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def at(root: Path) -> Config:
    """The recipe with its tables and files in `root`."""
    return conf.load("digits", "local", [], str(root))


def whole(spark: Any, config: Config) -> None:
    """The table opens at a whole version: before or after, never between, by either reader."""
    rows = held(config, "dataset")
    assert rows in (expected(BEFORE), expected(AFTER))
    assert read(spark, config, "dataset").count() == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["after-staging-dataset", "before-commit-dataset", "after-commit-dataset"])
@pytest.mark.parametrize("there", [False, True])
def test_a_kill_at_any_point_and_the_same_command_again(spark: Any, tmp_path: Path, point: str, there: bool) -> None:
    """Creating and merging: the same rows, payload included, as without the kill; one commit, not two."""
    root, wanted = tmp_path / "root", AFTER if there else BEFORE
    config = at(root)
    if there:
        merge_rows(spark, config, "dataset", staged(BEFORE, tmp_path / "before"), partition_by=["row_origin"])
    path = staged(wanted, tmp_path / "wanted")
    process = start(root, "-", "0", path, **{FAILPOINT: point})
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    killed(process)
    if log_of(config, "dataset"):
        whole(spark, config)
    merged = merge_rows(spark, config, "dataset", path, partition_by=["row_origin"])
    assert merged.committed == (not point.startswith("after-commit"))
    assert held(config, "dataset") == expected(wanted)
    assert len(log_of(config, "dataset")) == 1 + there
    assert not list(root.rglob("staged/dataset-*"))


@pytest.mark.slow
def test_kills_at_random_moments(spark: Any, tmp_path: Path) -> None:
    """Wherever within the merge the process dies with its JVM, the table is whole, and the same command ends it."""
    root, drawn = tmp_path / "root", random.Random(11)
    config = at(root)
    merge_rows(spark, config, "dataset", staged(BEFORE, tmp_path / "before"), partition_by=["row_origin"])
    path = staged(AFTER, tmp_path / "after")
    for _ in range(6):
        process = start(root, "-", "0", path)
        time.sleep(drawn.uniform(3, 12))
        killed(process)
        whole(spark, config)
    merge_rows(spark, config, "dataset", path, partition_by=["row_origin"])
    assert held(config, "dataset") == expected(AFTER)


@pytest.mark.slow
@pytest.mark.parametrize("writers", [2, 4])
def test_processes_at_one_local_table_lose_nothing(tmp_path: Path, writers: int) -> None:
    """Every commit of every process is in the log, every row in the table. SEEDBED_TEST_COMMITS says how many (1,000:
    hours).
    """
    root, each = tmp_path / "root", COMMITS // writers
    stages = [f"stage{number}" for number in range(writers)]
    processes = [start(root, stage, str(each)) for stage in stages]
    answers = [process.communicate(timeout=3600) for process in processes]
    assert [process.returncode for process in processes] == [0] * writers, answers
    assert [int(out) for out, _ in answers] == [each] * writers
    config = at(root)
    assert held(config, "quarantine") == expected([r for s in stages for r in refused(s, each)], REFUSED)
    assert len(log_of(config, "quarantine")) == each * writers


@pytest.mark.slow
def test_a_damaged_log_stops_reader_and_writer(spark: Any, tmp_path: Path) -> None:
    """Not fewer rows in silence: the entry's version is named."""
    from conf.errors import StageError

    config = at(tmp_path / "root")
    for number, rows in enumerate((BEFORE, AFTER, BEFORE)):
        merge_rows(spark, config, "dataset", staged(rows, tmp_path / f"{number}"), partition_by=["row_origin"])
    entry = log_of(config, "dataset")[1]
    entry.write_text(entry.read_text().splitlines()[0] + "\n")
    with pytest.raises(StageError, match="version 1 of the table is damaged"):
        read(spark, config, "dataset")
    with pytest.raises(StageError, match="version 1 of the table is damaged"):
        merge_rows(spark, config, "dataset", staged(AFTER, tmp_path / "again"), partition_by=["row_origin"])

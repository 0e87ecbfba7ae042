"""A run that is killed anywhere and started again ends in the tables of a run that was not."""

from __future__ import annotations

import random
import re
import signal
import subprocess
from pathlib import Path

import pytest
from command import SMALL, TABLES, Whole, finish, held, kill_group, start, versions, wait_until

pytestmark = pytest.mark.slow

KILLS = 20
# Every commit and marker of a run, in the order in which it comes to them.
COMMITS = {"ingest": ("raw",), "clean": ("quarantine", "clean"), "gate": ("quarantine",), "merge": ("dataset",)}
STAGES = ("ingest", "clean", "normalize", "augment", "train", "sample", "score", "gate", "merge", "evaluate", "report")
POINTS = tuple(
    (stage, f"{side}-{point}")
    for stage in STAGES
    for point in (*(f"commit-{table}" for table in COMMITS.get(stage, ())), f"marker-{stage}")
    for side in ("before", "after")
)


def stages_begun(log: Path, since: int) -> list[str]:
    """The stages that the command said it begins, from a place in its log on."""
    return re.findall(r"^(\S+) \.\.\.", log.read_bytes()[since:].decode("utf-8", "replace"), re.MULTILINE)


@pytest.mark.timeout(7200)
def test_kills_at_random_moments_leave_the_same_tables(
    tmp_path: Path, each_unkilled: Whole, started: list[subprocess.Popen[bytes]]
) -> None:
    """Twenty kills -9, the stages in turn, each at a random moment of its stage; after each the same command goes on.

    Every other kill hits the driver alone, and its JVM is left to find that out while the next command starts.
    """
    recipe, small = each_unkilled.recipe, each_unkilled.small
    keys, drawn, struck, number = list(each_unkilled.stages), random.Random(11), [], 0
    root = tmp_path / "root-0"
    while len(struck) < KILLS:
        aim = len(struck) % len(keys)
        log = Path(f"{root}.log")
        since = log.stat().st_size if log.exists() else 0
        process = start(root, *small, recipe=recipe)
        started.append(process)

        def reached(
            process: subprocess.Popen[bytes] = process, log: Path = log, since: int = since, aim: int = aim
        ) -> bool:
            begun = stages_begun(log, since)
            return process.poll() is not None or any(keys.index(key) >= aim for key in begun)

        wait_until(reached, 1200, f"{keys[aim]} to begin")
        try:
            process.wait(drawn.uniform(0, max(0.2, each_unkilled.stages[keys[aim]])))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            if len(struck) % 2:
                kill_group(process)
            struck.append(stages_begun(log, since)[-1])
        else:
            assert process.returncode == 0, log.read_text("utf-8", "replace")[-4000:]
        if aim == len(keys) - 1 or len(struck) == KILLS:
            finish(root, *small, recipe=recipe)
            assert held(root, recipe) == each_unkilled.tables
            number += 1
            root = tmp_path / f"root-{number}"
    print("killed in", ", ".join(struck))
    assert len(set(struck)) > len(keys) // 2


@pytest.mark.timeout(7200)
def test_a_crash_on_each_side_of_every_commit_and_marker_is_resumed(
    tmp_path: Path, each_unkilled: Whole, started: list[subprocess.Popen[bytes]]
) -> None:
    """One root, killed before and after each table's commit and each stage's marker, ends in the same tables.

    By the same number of commits, too: what landed before a crash is not made again.
    """
    root, recipe, small = tmp_path / "root", each_unkilled.recipe, each_unkilled.small
    log = Path(f"{root}.log")
    for stage, point in POINTS:
        since = log.stat().st_size if log.exists() else 0
        process = start(root, *small, recipe=recipe, SEEDBED_FAILPOINT=point)
        started.append(process)
        assert process.wait(1200) == -signal.SIGKILL, (stage, point, log.read_text("utf-8", "replace")[-4000:])
        assert stages_begun(log, since)[-1].partition(".")[0] == stage, point
    finish(root, *small, recipe=recipe)
    assert held(root, recipe) == each_unkilled.tables
    assert {table: versions(root, table, recipe) for table in TABLES} == each_unkilled.commits


@pytest.mark.timeout(2400)
def test_two_runs_at_once_do_not_mix(tmp_path: Path, unkilled: Whole, started: list[subprocess.Popen[bytes]]) -> None:
    """The second says who holds the recipe and changes nothing; the first finishes."""
    root = tmp_path / "root"
    first = start(root, *SMALL)
    started.append(first)
    wait_until(lambda: (root / "digits" / ".lock").exists() and (root / "digits" / ".lock").stat().st_size, 60, "lock")
    second = start(root, *SMALL)
    started.append(second)
    assert second.wait(120) == 1
    assert f"process {first.pid}" in Path(f"{root}.log").read_text()
    assert first.wait(1200) == 0
    assert held(root) == unkilled.tables


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", ["augment", "train.image_gan"])
def test_asked_to_stop_it_stops_cleanly_and_resumes(
    tmp_path: Path, unkilled: Whole, started: list[subprocess.Popen[bytes]], sent: signal.Signals, at: str
) -> None:
    """Ctrl-C and SIGTERM end it within seconds, on Spark or on Ray, without a traceback, with the sentence that says
    how to go on.
    """
    root = tmp_path / "root"
    log = Path(f"{root}.log")
    process = start(root, *SMALL)
    started.append(process)
    wait_until(lambda: at in stages_begun(log, 0), 1200, at)
    process.send_signal(sent)
    assert process.wait(30) == 130
    said = log.read_text()
    assert "Traceback" not in said
    assert "`seedbed run digits` goes on from there" in said
    finish(root, *SMALL)
    assert held(root) == unkilled.tables

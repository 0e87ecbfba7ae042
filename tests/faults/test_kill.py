"""A run that is killed anywhere and started again ends in the table of a run that was not."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from command import SMALL, content, finish, kill_group, start, wait_until

pytestmark = pytest.mark.slow

KILLS = 20
STAGES = ("ingest", "clean", "normalize", "augment", "train", "sample", "score", "gate", "merge", "evaluate", "report")


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[int, str], float]:
    """The dataset of a run that nobody killed, and how long it took."""
    root = tmp_path_factory.mktemp("unkilled") / "root"
    began = time.monotonic()
    finish(root, *SMALL)
    return content(root), time.monotonic() - began


@pytest.mark.timeout(3600)
def test_kills_at_random_moments_leave_the_same_dataset(
    tmp_path: Path, unkilled: tuple[tuple[int, str], float]
) -> None:
    """Twenty kills -9 of the driver spread over the stages; after each, the same command goes on."""
    expected, seconds = unkilled
    moments = random.Random(11)
    root, kills, round_number = tmp_path / "root-0", 0, 0
    while kills < KILLS:
        process = start(root, *SMALL)
        try:
            process.wait(moments.uniform(0.05, 0.6) * seconds)
        except Exception:  # it is still running: the moment has come
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
            kill_group(process)
            continue
        kill_group(process)
        assert process.returncode == 0, Path(f"{root}.log").read_text()[-4000:]
        assert content(root) == expected
        round_number += 1
        root = tmp_path / f"root-{round_number}"
    finish(root, *SMALL)
    assert content(root) == expected


@pytest.mark.timeout(3600)
def test_a_crash_on_each_side_of_every_marker_is_resumed(
    tmp_path: Path, unkilled: tuple[tuple[int, str], float]
) -> None:
    """One root, killed before and after each stage's marker, ends in the same dataset."""
    root = tmp_path / "root"
    for stage in STAGES:
        for side in ("before", "after"):
            process = start(root, *SMALL, SEEDBED_FAILPOINT=f"{side}-marker-{stage}")
            process.wait(300)
            kill_group(process)
            assert process.returncode == -signal.SIGKILL, Path(f"{root}.log").read_text()[-4000:]
    finish(root, *SMALL)
    assert content(root) == unkilled[0]


@pytest.mark.timeout(900)
def test_two_runs_at_once_do_not_mix(tmp_path: Path, unkilled: tuple[tuple[int, str], float]) -> None:
    """The second says who holds the recipe and changes nothing; the first finishes."""
    root = tmp_path / "root"
    first = start(root, *SMALL)
    wait_until(lambda: (root / "digits" / ".lock").exists() and (root / "digits" / ".lock").stat().st_size, 60, "lock")
    second = start(root, *SMALL)
    assert second.wait(60) == 1
    assert f"process {first.pid}" in Path(f"{root}.log").read_text()
    assert first.wait(400) == 0
    kill_group(first)
    assert content(root) == unkilled[0]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_stops_cleanly_and_resumes(
    tmp_path: Path, unkilled: tuple[tuple[int, str], float], sent: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM end it within seconds, without a traceback, with the sentence that says how to go on."""
    root = tmp_path / "root"
    process = start(root, *SMALL)
    wait_until(lambda: list(root.glob("digits/stages/augment/*/DONE.json")), 120, "augment")
    process.send_signal(sent)
    assert process.wait(30) == 130
    kill_group(process)
    said = Path(f"{root}.log").read_text()
    assert "Traceback" not in said
    assert "same command" in said
    finish(root, *SMALL)
    assert content(root) == unkilled[0]

"""A full disk, wherever that strikes, is told in a sentence; what was there stays, and the same command goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import SMALL, TABLES, Whole, content, held, start, versions

pytestmark = pytest.mark.slow

# From too small for the first marker to enough: it is full among data files, log entries, markers and checkpoints.
SIZES_KB = (60, 320, 640, 1000, 1600, 3000, 6000, 12000, 200_000)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """A small disk of its own, and how to give it another size; skips where nobody may mount one."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(place)], check=True, capture_output=True)

    try:
        mount("-o", f"size={SIZES_KB[0]}k")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs root")
    try:
        yield place, lambda kb: mount("-o", f"remount,size={kb}k")
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.timeout(7200)
def test_a_full_disk_is_said_and_more_room_ends_the_run(
    disk: tuple[Path, Callable[[int], None]], unkilled: Whole, started: list[subprocess.Popen[bytes]]
) -> None:
    """Run after run on a disk that is a bit larger each time: a clear error, readable tables, then the same rows."""
    root, resize = disk
    log, failed = Path(f"{root}.log"), []
    for size in SIZES_KB:
        resize(size)
        since = log.stat().st_size if log.exists() else 0
        process = start(root, *SMALL)
        started.append(process)
        code = process.wait(1200)
        said = log.read_bytes()[since:].decode("utf-8", "replace")
        for table in TABLES:
            if versions(root, table):
                content(root, table)
        if code == 0:
            break
        assert code == 1, said
        assert "the disk is full" in said and str(root) in said, said
        assert "Traceback" not in said, said
        failed.append(said.strip().splitlines()[-3:])
    print(*failed, sep="\n")
    assert len(failed) >= 4
    assert held(root) == unkilled.tables
    assert {table: versions(root, table) for table in TABLES} == unkilled.commits

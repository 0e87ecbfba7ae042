"""Runs the real command in a process of its own, to be killed; and tells what a table holds, byte for byte."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = (
    "augment.copies=3",
    "generate.1.train.max_steps=60",
    "generate.0.rows.per_label=20",
    "generate.1.rows.per_label=20",
    "gate.usefulness=report",
    "evaluate.seeds=1",
    "evaluate.steps=60",
    "evaluate.curve_points=2",
)


def start(root: Path, *overrides: str, recipe: str = "digits", **environment: str) -> subprocess.Popen[bytes]:
    """Start `seedbed run` in a process group of its own; its output goes to `<root>.log`."""
    sets = [word for override in overrides for word in ("--set", override)]
    with Path(f"{root}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", "run", recipe, "--root", str(root), *sets],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(root: Path, *overrides: str, timeout_s: float = 400, **environment: str) -> None:
    """Run the command to its end; fail with the end of its log where it fails."""
    process = start(root, *overrides, **environment)
    try:
        code = process.wait(timeout_s)
    finally:
        kill_group(process)
    assert code == 0, Path(f"{root}.log").read_text("utf-8", "replace")[-4000:]


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the command and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(done: object, timeout_s: float, what: str) -> None:
    """Wait until `done()` is true; fail naming `what` after `timeout_s`."""
    assert callable(done)
    until = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until, f"waited {timeout_s} s for {what}"
        time.sleep(0.05)


def content(root: Path, table: str = "dataset", recipe: str = "digits") -> tuple[int, str]:
    """Number of rows of a table, and a hash over every byte of every column, in the order of ids."""
    from deltalake import DeltaTable

    rows = DeltaTable(str(root / recipe / table)).to_pyarrow_dataset().to_table()
    rows = rows.select(sorted(rows.schema.names)).sort_by([("row_id", "ascending")]).combine_chunks()
    state = hashlib.blake2b(digest_size=16)
    for row in rows.to_pylist():
        state.update(repr(sorted(row.items())).encode())
    assert len(pa.compute.unique(rows["row_id"])) == rows.num_rows
    return rows.num_rows, state.hexdigest()

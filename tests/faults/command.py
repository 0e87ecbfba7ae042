"""Runs the real command in a process of its own, to be killed; and tells what a table holds, byte for byte."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from conf import runs

REPOSITORY = Path(__file__).resolve().parents[2]
FINISHED_S = 1800
TABLES = ("raw", "clean", "quarantine", "dataset")
SMALL = (
    'clean.rules.0={"image.reject_blank":{"min_std":79}}',  # so that clean refuses some, too
    "augment.copies=3",
    "generate.1.train.max_steps=60",
    "generate.0.rows.per_label=20",
    "generate.1.rows.per_label=20",
    "gate.usefulness=report",
    "evaluate.seeds=1",
    "evaluate.steps=60",
    "evaluate.curve_points=2",
)
SMALL_TABLE = (
    'clean.rules.0={"relation": {"expression": "mean_radius <= 22"}}',  # which some rows do not meet
    'augment={"steps": [{"table.gaussian_jitter": {}}, {"table.mixup": {}}], "copies": 3}',
    "generate.0.train.max_steps=60",
    "generate.0.rows.per_label=20",
    "gate.usefulness=report",
    "gate.max_distance_factor=1",  # so that the gate refuses some, too
    "evaluate.seeds=1",
    "evaluate.judges=[boosting]",
    "evaluate.curve_points=2",
)
SMALL_TEXT = (
    'clean.rules.0={"text.reject_length": {"min_words": 4}}',  # which some texts do not have
    "augment.copies=2",
    'generate=[{"model": "text_lm", "train": {"max_steps": 30}, "rows": {"like": "train", "total": 40}}]',
    "gate.usefulness=report",
    "evaluate.seeds=1",
    "evaluate.judges=[words]",
    "evaluate.curve_points=2",
)
SMALL_SERIES = (
    'clean.rules.0={"series.reject_spikes": {"threshold": 3}}',  # which some windows have
    "augment.copies=1",
    'generate=[{"model": "series_mixture", "rows": {"like": "train", "total": 60}}]',
    "gate.usefulness=report",
    "gate.max_distance_factor=0.1",  # so that the gate refuses some, too
    "evaluate.seeds=1",
    "evaluate.curve_points=2",
)

# What a person may have in the environment or in the runtime file, and what must not be found anywhere afterwards.
SECRETS = {"RAY_AUTH_TOKEN": "0d" * 32, "AWS_SECRET_ACCESS_KEY": "hunter2-of-the-environment"}
SECRET_CONF = "hunter2-of-the-runtime"
RUNTIME = """
name: mine
spark: {{driver_memory: {memory}, confs: {{spark.hadoop.fs.s3a.secret.key: {secret}}}}}
"""


def start(
    root: Path, *overrides: str, recipe: str = "digits", runtime: str = "local", **environment: str
) -> subprocess.Popen[bytes]:
    """Start `seedbed run` in a process group of its own; its output goes to `<root>.log`."""
    sets = [word for override in overrides for word in ("--set", override)]
    with Path(f"{root}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", "run", recipe, "--root", str(root), "--runtime", runtime, *sets],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(root: Path, *overrides: str, recipe: str = "digits", runtime: str = "local", **environment: str) -> None:
    """Run the command to its end; fail with the end of its log where it fails."""
    process = start(root, *overrides, recipe=recipe, runtime=runtime, **environment)
    try:
        code = process.wait(FINISHED_S)
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
    rows = DeltaTable(str(root / recipe / table)).to_pyarrow_dataset().to_table()
    rows = rows.select(sorted(rows.schema.names)).sort_by([("row_id", "ascending")]).combine_chunks()
    state = hashlib.blake2b(digest_size=16)
    for row in rows.to_pylist():
        state.update(repr(sorted(row.items())).encode())
    assert len(pa.compute.unique(rows["row_id"])) == rows.num_rows
    return rows.num_rows, state.hexdigest()


def versions(root: Path, table: str, recipe: str = "digits") -> int:
    """Number of commits of a table."""
    return len(list((root / recipe / table / "_delta_log").glob("*.json")))


def held(root: Path, recipe: str = "digits") -> dict[str, tuple[int, str]]:
    """Rows and hash of each table."""
    return {table: content(root, table, recipe) for table in TABLES}


def ended_in(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A run's rows in `dataset`, and those in `quarantine`, a table that is not there while nothing was refused."""
    kept, refused = (folder / name for name in ("dataset", "quarantine"))
    rows = DeltaTable(str(kept)).to_pandas()
    return rows, DeltaTable(str(refused)).to_pandas() if refused.is_dir() else rows[:0].assign(row_reason="")


@dataclass(frozen=True)
class Whole:
    """A run that nobody disturbed: of what, its root, rows and hash of each table, commits of each, seconds of each
    stage.
    """

    recipe: str
    small: tuple[str, ...]
    root: Path
    tables: dict[str, tuple[int, str]]
    commits: dict[str, int]
    stages: dict[str, float]


def whole(root: Path, recipe: str, small: tuple[str, ...]) -> Whole:
    """What the first run left in a root."""
    marks = runs.read_json(str(root / recipe / "runs"), "run-00001.json")["stages"]
    folders = {key: root / recipe / "stages" / key.partition(".")[0] / mark for key, mark in marks.items()}
    seconds = {key: runs.read_json(str(folder), "DONE.json")["seconds"] for key, folder in folders.items()}
    in_order = dict(sorted(seconds.items(), key=lambda item: (folders[item[0]] / "DONE.json").stat().st_mtime_ns))
    commits = {table: versions(root, table, recipe) for table in TABLES}
    return Whole(recipe, small, root, held(root, recipe), commits, in_order)

"""Spark's executors and Python workers killed in the middle of a run: tasks are tried again, rows are the same."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import SMALL, Whole, held, start, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

STRUCK = ("ingest", "clean", "augment", "gate", "merge")
RUNTIME = """
name: mine
spark: {{master: "{master}", confs: {{spark.executor.memory: 768m, spark.executor.extraJavaOptions: -XX:+UseSerialGC}}}}
ray: {{cpus: 2}}
"""


def processes(group: int, pattern: bytes) -> list[int]:
    """Ids of the processes of a command's session whose command line has `pattern`, in which they name their kind."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
            if re.search(pattern, command) and os.getsid(int(name)) == group:
                found.append(int(name))
        except OSError:
            continue
    return found


def python_workers(group: int) -> list[int]:
    """Python workers at work, not the daemons that fork them."""
    daemons = set(processes(group, rb"pyspark\.daemon"))
    stats = {each: Path(f"/proc/{each}/stat") for each in daemons}
    return [
        each
        for each, stat in stats.items()
        if stat.exists() and int(stat.read_text().rpartition(")")[2].split()[1]) in daemons
    ]


def executors(group: int) -> list[int]:
    """Executors in JVMs of their own."""
    return processes(group, rb"CoarseGrainedExecutorBackend")


@pytest.mark.parametrize(
    ("master", "victims"),
    [("local[2,4]", python_workers), ("local-cluster[2,1,1024]", executors)],
    ids=["python workers", "executors"],
)
def test_whoever_is_killed_the_rows_are_the_same(
    tmp_path: Path,
    unkilled: Whole,
    started: list[subprocess.Popen[bytes]],
    master: str,
    victims: object,
) -> None:
    """One in each of Spark's stages."""
    assert callable(victims)
    root, drawn, struck = tmp_path / "root", random.Random(5), []
    runtime = tmp_path / "mine.yaml"
    runtime.write_text(RUNTIME.format(master=master))
    log = Path(f"{root}.log")
    process = start(root, *SMALL, runtime=str(runtime))
    started.append(process)
    for stage in STRUCK:
        wait_until(
            lambda stage=stage: process.poll() is not None or f"\n{stage} ..." in f"\n{log.read_text()}", 600, stage
        )
        while process.poll() is None and f"\n{stage}: done" not in f"\n{log.read_text()}":
            if found := victims(process.pid):
                time.sleep(drawn.uniform(0, 0.3))
                try:
                    os.kill(found[-1], signal.SIGKILL)
                except ProcessLookupError:
                    continue
                struck.append(stage)
                break
            time.sleep(0.02)
    assert process.wait(1800) == 0, log.read_text()[-4000:]
    print("struck in", struck)
    assert len(struck) >= 3
    assert held(root) == unkilled.tables

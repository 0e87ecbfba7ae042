"""The doors onto clusters: spark-submit to a standalone master with two workers, and Ray's job submission with a token.

Everything runs on loopback and is stopped by its process id. What a door makes must be what the laptop makes.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import conf
from conf import Config, runs
from jobs import pipeline
from jobs.session import DELTA_PACKAGE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MIXTURE = "generate=[{model: image_mixture, rows: {per_label: 20}}]"
STEPS_S = 240
# Commands of people of their own, who know nothing of the Ray of this test run.
OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A long-lived process in a group of its own, killed at the end."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**OUTSIDE, **environment}, start_new_session=True
        )
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def wait_for(log: Path, pattern: str, times: int = 1, timeout_s: float = 90) -> None:
    """Wait until the log says something so many times."""
    until = time.monotonic() + timeout_s
    while len(re.findall(pattern, log.read_text("utf-8", "replace"))) < times:
        assert time.monotonic() < until, log.read_text("utf-8", "replace")[-3000:]
        time.sleep(0.2)


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes: the four layers with their data, as one zip."""
    path = tmp_path_factory.mktemp("dist") / "seedbed.zip"
    with zipfile.ZipFile(path, "w") as file:
        for layer in ("conf", "udfs", "synth", "jobs"):
            for each in sorted((REPOSITORY / layer).rglob("*")):
                if each.is_file() and "__pycache__" not in each.parts:
                    file.write(each, each.relative_to(REPOSITORY))
    return path


def digests(config: Config, stage: str, part: str = "") -> dict[str, str]:
    done = runs.done(config, stage, part)
    assert done is not None
    return done.outputs


def test_spark_submit_makes_what_the_laptop_makes(
    tmp_path: Path, zipped: Path, config_for: Callable[..., Config], spark: Any
) -> None:
    """ingest, clean and augment by `spark-submit --py-files` on two workers give the digests of local mode."""
    local = config_for("digits")
    for stage in ("ingest", "clean", "augment"):
        pipeline.run_one(local, stage)
    there = tmp_path / "cluster"
    port, log = free_port(), tmp_path / "spark.log"
    log.touch()
    spark_class = [str(BIN / "spark-class")]
    home = {"SPARK_WORKER_DIR": str(tmp_path / "work"), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    master = [*spark_class, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port)]
    worker = [*spark_class, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "-c", "1", "-m", "1g"]
    url = f"spark://127.0.0.1:{port}"
    with started([*master, "--webui-port", str(free_port())], log, **home):
        wait_for(log, "Starting Spark master")
        with (
            started([*worker, "--webui-port", str(free_port()), url], log, **home),
            started([*worker, "--webui-port", str(free_port()), url], log, **home),
        ):
            wait_for(log, "Registering worker", 2)
            for stage in ("ingest", "clean", "augment"):
                submit = [str(BIN / "spark-submit"), "--master", url, "--packages", DELTA_PACKAGE]
                submit += ["--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.executor.memory=768m"]
                submit += ["--py-files", str(zipped), str(REPOSITORY / "jobs" / f"{stage}.py")]
                submit += ["--recipe", "digits", "--runtime", "cluster", "--root", str(there)]
                said = subprocess.run(submit, capture_output=True, text=True, timeout=STEPS_S, env={**OUTSIDE, **home})
                assert said.returncode == 0, said.stdout[-2000:] + said.stderr[-4000:]
    cluster = conf.load("digits", "local", [], str(there))
    for stage in ("ingest", "clean", "augment"):
        assert digests(cluster, stage) == digests(local, stage)


def test_ray_job_submission_makes_what_the_laptop_makes(
    tmp_path: Path, zipped: Path, config_for: Callable[..., Config], spark: Any, ray_session: Any
) -> None:
    """train and sample by `ray job submit` on a head with token auth; without the token it is refused."""
    local = config_for("digits", MIXTURE, root=tmp_path / "local")
    for stage in ("ingest", "clean", "train", "sample"):
        pipeline.run_one(local, stage)
    submitted = config_for("digits", MIXTURE, root=tmp_path / "submitted")
    for stage in ("ingest", "clean"):
        pipeline.run_one(submitted, stage)
    log, runtime = tmp_path / "ray.log", tmp_path / "head.yaml"
    log.touch()
    runtime.write_text("name: head\nray: {address: auto, cpus: null}\ntrain: {workers: 1, threads: 2}\n")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    dashboard, head = free_port(), [str(BIN / "ray"), "start", "--head", "--block", "--num-cpus", "2"]
    head += ["--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--port={free_port()}"]
    head += ["--node-ip-address=127.0.0.1", f"--temp-dir=/tmp/sb-{os.getpid()}", "--include-dashboard=true"]
    # Ray's usual ports are taken by the Ray of this test run.
    head += [f"--{name}-port={free_port()}" for name in ("dashboard-agent-listen", "ray-client-server")]
    with started(head, log, **token):
        wait_for(log, "Ray runtime started")
        address = f"http://127.0.0.1:{dashboard}"
        for stage in ("train", "sample"):
            job = [str(BIN / "ray"), "job", "submit", "--address", address, "--working-dir", str(zipped)]
            job += ["--", sys.executable, "-m", f"synth.{stage}", "--recipe", "digits", "--runtime", str(runtime)]
            job += ["--root", str(tmp_path / "submitted"), "--set", MIXTURE]
            said = _until_up(job, token)
            assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
        question = [str(BIN / "ray"), "job", "list", "--address", address]
        refused = subprocess.run(question, capture_output=True, timeout=60, env=OUTSIDE)
        assert refused.returncode != 0
    for stage in ("train", "sample"):
        assert digests(submitted, stage, "image_mixture") == digests(local, stage, "image_mixture")


def _until_up(command: list[str], token: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Submit; the dashboard answers some seconds after the head says that it started."""
    for _ in range(10):
        said = subprocess.run(command, capture_output=True, text=True, timeout=STEPS_S, env={**OUTSIDE, **token})
        told = said.stderr + said.stdout
        if "Failed to connect" not in told and "No available agent" not in told:
            return said
        time.sleep(3)
    return said

"""One way to Ray: a cluster of our own, or the one that runs; and the command killed from outside."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf import Config, runs
from conf.errors import StageError
from synth.cluster import address_of, start

REPOSITORY = Path(__file__).resolve().parents[2]
RAY = Path(sys.executable).with_name("ray")


def test_a_ray_that_is_connected_is_used_and_left_alone(ray_session: Any, config_for: Callable[..., Config]) -> None:
    import ray

    with start(config_for("digits")) as cluster:
        assert cluster.address == ray_session.address and not cluster.owned
    assert ray.is_initialized()


def test_idle_workers_have_torch_before_their_first_task(ray_session: Any) -> None:
    """Else every worker would spend its first seconds importing it."""
    import ray

    assert ray.get(ray.remote(lambda: {"torch", "synth.sampler", "synth.judges"} <= set(sys.modules)).remote())


def test_submitted_jobs_go_where_they_were_submitted(config_for: Callable[..., Config], monkeypatch: Any) -> None:
    config = config_for("digits")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert address_of(config) is None
    assert address_of(config_for("digits", runtime="cluster")) == "auto"
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:7777")
    assert address_of(config) == "127.0.0.1:7777"


APART = """
import sys
from conf import load
from conf.errors import StageError
from synth.cluster import start
try:
    with start(load("digits", root=sys.argv[1])) as cluster:
        import ray
        print(cluster.owned, ray.get(ray.remote(lambda: 7).remote()))
except StageError as error:
    print(error)
"""


def apart(root: Path, **environment: str) -> str:
    """What a fresh process says that starts or joins Ray."""
    told = {**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", APART, str(root)]
    return subprocess.run(command, env=told, capture_output=True, text=True, timeout=180, check=True).stdout


@pytest.mark.slow
def test_a_running_cluster_is_joined_with_its_token_and_not_without(tmp_path: Path) -> None:
    token = secrets.token_hex(32)
    known = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_TMPDIR": "/tmp/ray"}
    port = 20000 + os.getpid() % 10000
    head = [RAY, "start", "--head", "--block", "--num-cpus=1", "--include-dashboard=false", f"--port={port}"]
    process = subprocess.Popen(
        [*head, "--node-ip-address=127.0.0.1"],
        env={**os.environ, **known},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(12)
        assert apart(tmp_path, RAY_ADDRESS=f"127.0.0.1:{port}", **known).split() == ["False", "7"]
        wrong = {**known, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        refused = apart(tmp_path, RAY_ADDRESS=f"127.0.0.1:{port}", **wrong)
        assert "cannot be reached" in refused and token not in refused and wrong["RAY_AUTH_TOKEN"] not in refused
    finally:
        process.terminate()
        process.wait(60)


def test_a_cluster_that_is_not_there_is_named(config_for: Callable[..., Config]) -> None:
    from synth.cluster import _mend

    told = _mend("10.0.0.9:6379", ConnectionError("no route to 10.0.0.9"))
    assert "10.0.0.9:6379" in told and "ray start --head" in told
    assert issubclass(StageError, RuntimeError)


def hears_ctrl_c() -> None:
    """Undo what a shell does for commands in its background, which ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


RUNTIME = """
name: mine
about: one worker
spark: {{master: "local[2,4]"}}
ray: {{cpus: 2}}
train: {{workers: {workers}, threads: 1, checkpoint_every: 20}}
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("workers", "how"), [(0, signal.SIGKILL), (1, signal.SIGKILL), (1, signal.SIGINT)])
def test_a_killed_command_is_given_again_and_ends_in_the_same_weights(
    config_for: Callable[..., Config], cleaned: Callable[[Config, int], Config], tmp_path: Path, workers: int, how: int
) -> None:
    (tmp_path / "mine.yaml").write_text(RUNTIME.format(workers=workers))
    said = ["generate.1.train={max_steps: 200}", "generate.1.options={generator_channels: 32, critic_channels: 16}"]
    sets = [word for each in [*said, "generate.0.train={max_steps: 1}"] for word in ("--set", each)]
    ids = []
    for name in ("whole", "killed"):
        root = tmp_path / name
        config = cleaned(config_for("digits", *said, "generate.0.train={max_steps: 1}", root=root), 100)
        command = [sys.executable, "-m", "synth.train", "--recipe", "digits", "--root", str(root)]
        command += ["--runtime", str(tmp_path / "mine.yaml"), *sets]
        folder = Path(runs.locate(config, "train", "image_gan").folder)
        log = (tmp_path / f"{name}.log").open("w")
        if name == "killed":
            process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log, preexec_fn=hears_ctrl_c)
            while len(list(folder.glob("state/*/MANIFEST.json"))) < 2:
                assert process.poll() is None, (tmp_path / f"{name}.log").read_text()
                time.sleep(0.05)
            os.kill(process.pid, how)
            process.wait(300)
            assert not (folder / "fitted.json").exists()
        subprocess.run(command, cwd=REPOSITORY, stdout=log, stderr=log, check=True, timeout=900)
        done = runs.done(config, "train", "image_gan")
        assert done is not None
        ids.append(done.outputs["checkpoint"])
    assert ids[0] == ids[1]

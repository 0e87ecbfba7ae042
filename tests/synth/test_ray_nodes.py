"""A machine of Ray's that is lost in the middle of training or sampling: the same weights, the same shards."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf import Config, runs
from synth import sample, train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).resolve().parents[2]
RUNTIME = """
name: nodes
ray: {cpus: 2}
train: {workers: 1, threads: 1, checkpoint_every: 20}
sample: {actors: 2, shard_rows: 128}
"""
SETS = (
    "generate.0.rows.per_label=400",
    "generate.1.train={max_steps: 300}",
    "generate.1.options={generator_channels: 32, critic_channels: 16, noise_width: 16}",
)
LOST_WITHIN_S = 120


@pytest.fixture
def config(config_for: Callable[..., Config], cleaned: Callable[[Config, int], Config], tmp_path: Path) -> Config:
    """300 clean digits; one worker and two actors."""
    runtime = tmp_path / "nodes.yaml"
    runtime.write_text(RUNTIME)
    return cleaned(config_for("digits", *SETS, runtime=str(runtime)), 300)


def with_a_loss(config: Config, tmp_path: Path, stage: str, part: str) -> tuple[float, str]:
    """Do the stage in a process that loses a node; seconds from there to its end, and what it said."""
    apart = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    apart |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "PYTHONPATH": str(REPOSITORY)}
    apart["RAY_raylet_start_wait_time_s"] = "120"
    apart["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="sb-")  # a short path: there will be sockets in it
    command = [sys.executable, "-m", "tests.synth.nodes_process", stage, "digits", str(tmp_path / "nodes.yaml")]
    command += [config.files, part, *SETS]
    done = subprocess.run(command, env=apart, cwd=REPOSITORY, capture_output=True, text=True, timeout=400)
    shutil.rmtree(apart["RAY_TMPDIR"], ignore_errors=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    moments = re.findall(r"^(?:lost a node|done) ([\d.]+)", done.stdout, re.MULTILINE)
    assert len(moments) == 2, done.stdout
    return float(moments[1]) - float(moments[0]), done.stdout


def test_shards_of_a_lost_node_are_made_elsewhere(ray_session: Any, config: Config, tmp_path: Path) -> None:
    part = "image_mixture"
    trained = train.run(ray_session, config_with(config, workers=0), part)
    runs.finish(runs.locate(config, "train", part), trained, 0.0)
    expected = sample.run(ray_session, config, part)
    rows = Path(runs.locate(config, "sample", part).folder) / "rows"
    whole = {path.name: path.read_bytes() for path in rows.iterdir()}
    shutil.rmtree(rows)
    seconds, said = with_a_loss(config, tmp_path, "sample", part)
    print(f"sample: {seconds:.1f} s from the loss of a node to the end")
    assert str(expected.outputs) in said
    assert {path.name: path.read_bytes() for path in rows.iterdir()} == whole
    assert seconds < LOST_WITHIN_S


def test_a_training_whose_node_is_lost_goes_on_elsewhere(ray_session: Any, config: Config, tmp_path: Path) -> None:
    part = "image_gan"
    expected = train.run(ray_session, config, part)
    shutil.rmtree(runs.locate(config, "train", part).folder)
    seconds, said = with_a_loss(config, tmp_path, "train", part)
    print(f"train: {seconds:.1f} s from the loss of a node to the end")
    assert str(expected.outputs) in said
    assert seconds < LOST_WITHIN_S


def config_with(config: Config, **values: Any) -> Config:
    """The config with another way to train."""
    changed = config.runtime.train.model_copy(update=values)
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update={"train": changed}))

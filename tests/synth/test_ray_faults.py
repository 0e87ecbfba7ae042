"""Training under Ray Train when workers die or hang, states are damaged, or the command is killed and given again."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf import Config, runs
from synth import checkpoint, train

PART = "image_gan"
PER_STATE = 20


@pytest.fixture
def gan_config(config_for: Callable[..., Config], cleaned: Callable[[Config, int], Config]) -> Callable[..., Config]:
    """A small GAN on 200 digits, with a state every 20 steps: `gan_config(workers=2)`."""
    small = "{generator_channels: 32, critic_channels: 16, noise_width: 16}"
    made = cleaned(config_for("digits", "generate.1.train={max_steps: 300}", f"generate.1.options={small}"), 200)

    def on(**values: Any) -> Config:
        changed = made.runtime.train.model_copy(update={"threads": 1, "checkpoint_every": PER_STATE, **values})
        return dataclasses.replace(made, runtime=made.runtime.model_copy(update={"train": changed}))

    return on


def folder_of(config: Config) -> Path:
    return Path(runs.locate(config, "train", PART).folder)


def whole(cluster: Any, config: Config) -> str:
    """The checkpoint id of an undisturbed training, whose folder is then emptied."""
    found = train.run(cluster, config, PART).outputs["checkpoint"]
    shutil.rmtree(folder_of(config))
    return found


class Strike(threading.Thread):
    """Sends a signal to one worker once some states are there, and notes when the next state comes."""

    def __init__(self, folder: Path, how: int, workers: Callable[[], list[int]], after: int = 2) -> None:
        super().__init__(daemon=True)
        self.folder, self.how, self.workers, self.after = folder, how, workers, after
        self.struck_at = self.back_at = 0.0

    def newest(self) -> int:
        names = [path.parent.name for path in self.folder.glob("state/*/MANIFEST.json")]
        return max([int(name) for name in names], default=0)

    def run(self) -> None:
        while self.newest() < self.after or not self.workers():
            time.sleep(0.02)
        os.kill(self.workers()[-1], self.how)
        self.struck_at, seen = time.monotonic(), self.newest()
        while self.newest() <= seen + 1 and not (self.folder / "fitted.json").exists():
            time.sleep(0.02)
        self.back_at = time.monotonic()


@pytest.mark.slow
@pytest.mark.timeout(900)  # a hang that nobody notices lasts longer
@pytest.mark.parametrize(("count", "how"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGSTOP)])
def test_a_training_whose_worker_dies_or_hangs_ends_in_the_same_weights(
    ray_session: Any, gan_config: Callable[..., Config], ray_processes: Callable[[str], list[int]], count: int, how: int
) -> None:
    expected = whole(ray_session, gan_config(workers=count))
    config = gan_config(workers=count, timeout_s=10 if how == signal.SIGSTOP else 600)
    strike = Strike(folder_of(config), how, lambda: ray_processes("ray::RayTrainWorker"))
    strike.start()
    result = train.run(ray_session, config, PART)
    strike.join(10)
    assert strike.struck_at, "no worker was struck"
    print(f"{count} workers, signal {how}: {strike.back_at - strike.struck_at:.1f} s until the training went on")
    assert result.outputs["checkpoint"] == expected


@pytest.mark.slow
def test_a_damaged_newest_state_is_passed_over_and_it_is_said(
    ray_session: Any, gan_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = gan_config(workers=0)
    expected = whole(ray_session, config)
    halt(monkeypatch, at=130)
    with pytest.raises(KeyboardInterrupt):
        train.run(ray_session, config, PART)
    monkeypatch.undo()
    states = sorted((folder_of(config) / "state").glob("0*"))
    assert len(states) == 2
    weights = states[-1] / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    result = train.run(ray_session, config, PART)
    assert result.outputs["checkpoint"] == expected
    assert any("cut short" in note and "Falling back" in note for note in result.notes)
    assert not (folder_of(config) / "state").exists()


def halt(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Interrupt the training in this process once, at a step."""
    from synth.work import Scribe

    hear = Scribe.hear

    def interrupted(self: Scribe, event: Any) -> None:
        hear(self, event)
        if event.step == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(Scribe, "hear", interrupted)


def test_a_finished_training_whose_mark_is_missing_is_not_done_again(
    ray_session: Any, gan_config: Callable[..., Config]
) -> None:
    config = gan_config(workers=0)
    first = train.run(ray_session, config, PART)
    written = (folder_of(config) / "fitted.json").stat().st_mtime_ns
    assert train.run(ray_session, config, PART) == first
    assert (folder_of(config) / "fitted.json").stat().st_mtime_ns == written
    runs.finish(runs.locate(config, "train", PART), first, 0.0)
    again = train.run(ray_session, config, PART)  # forced: the mark is there
    assert again == first and (folder_of(config) / "fitted.json").stat().st_mtime_ns > written


def test_the_history_holds_losses_and_quality_by_step_and_grids(
    ray_session: Any, gan_config: Callable[..., Config]
) -> None:
    config = gan_config(workers=0)
    result = train.run(ray_session, config, PART)
    history = runs.read_json(str(folder_of(config)), "history.json")
    assert [record["step"] for record in history] == list(range(25, 301, 25))
    assert {"critic.loss", "generator.loss", "quality", "variety"} <= history[0].keys()
    assert sorted(path.name for path in folder_of(config).glob("grid-*")) == [
        f"grid-{r['step']:06d}.png" for r in history
    ]
    assert result.counts["rows"] == 200 and result.counts["best_step"] in [record["step"] for record in history]

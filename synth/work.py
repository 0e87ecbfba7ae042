"""What a training worker does: read the rows, go on from the newest good state, fit; the first worker writes.

Torch only: Ray Train runs it on its workers, a test in its own process. States lie in `<folder>/state/<number>`,
each with a manifest, so that a kill at any moment leaves one that is whole.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Protocol

import pyarrow.fs as pafs
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from conf import runs
from conf.errors import StageError
from synth import checkpoint
from synth.fit import Event, Fitted, Rows, Settings, State, Team, fit
from synth.job import Job
from synth.ways import way_of

STATE_EVERY_S = 10.0  # and every `checkpoint_every` steps: so much work at most is done again after a kill
STATES_KEPT = 2
TOLD_EVERY_S = 1.0


class Prepared(Protocol):
    """Train rows of some modality, and the models that learn from them."""

    @property
    def rows(self) -> Rows:
        """What to train on."""

    @property
    def settings(self) -> Settings:
        """How long to train these rows, and with what."""

    @property
    def per_label(self) -> dict[str, int]:
        """How many train rows each label has; empty where there are no labels."""

    def build(self, attempt: int) -> Any:
        """Make the untrained model of an attempt."""

    def decode(self, attempt: int) -> dict[str, Any]:
        """Tell what is needed beside the tensors to make rows again, as JSON."""

    def tensors(self) -> dict[str, Tensor]:
        """Tensors that belong into the checkpoint beside the model's weights."""


def work(job: Job) -> None:
    """Do what each worker does: read the rows, go on from the newest good state, fit; the first worker writes."""
    runtime = job.config.runtime.train
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS is not deterministic
    team = Team()
    with Watchdog(runtime.timeout_s if runtime.workers else 0) as watchdog:
        resume, notes = _newest_state(job.folder)
        scribe = Scribe(job, runtime.checkpoint_every, notes) if team.rank == 0 else None

        def heard(event: Event) -> None:
            watchdog.beat()
            if scribe:
                scribe.hear(event)

        try:
            prepared = way_of(job.config.recipe, "training").prepare(job)
            fitted = fit(
                prepared.build,
                prepared.rows,
                settings=prepared.settings,
                resume=resume,
                report=heard,
                wrap=parallel,
            )
        except StageError as error:  # the same again however often it is tried
            _tell(job, team, error)
            return
        if scribe:
            scribe.finish(fitted, prepared)


def _tell(job: Job, team: Team, error: StageError) -> None:
    """Leave the error where the driver finds it; on a full disk, raise it."""
    try:
        if team.rank == 0:
            runs.write_json(job.folder, "fitted.json", {"error": str(error)})
    except OSError:
        raise error from None


def parallel(module: nn.Module) -> nn.Module:
    """A phase's module under data parallelism, where there is more than one worker and it has something to train."""
    if Team().size == 1 or not any(parameter.requires_grad for parameter in module.parameters()):
        return module
    return DistributedDataParallel(module, broadcast_buffers=False)


class Watchdog:
    """Ends the process when no step was made in time, so that Ray Train starts the workers again."""

    def __init__(self, timeout_s: float) -> None:
        """Watch from `with` on; 0 watches nothing."""
        self._timeout_s, self._last, self._over = timeout_s, time.monotonic(), threading.Event()

    def beat(self) -> None:
        """Say that a step was made."""
        self._last = time.monotonic()

    def __enter__(self) -> Watchdog:
        if self._timeout_s:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self._timeout_s / 4)):
            if time.monotonic() - self._last > self._timeout_s:
                os._exit(17)


class Scribe:
    """What the first worker writes: states, progress, grids, and in the end the checkpoint."""

    def __init__(self, job: Job, state_every: int, notes: list[str]) -> None:
        self.job, self.state_every, self.notes = job, state_every, notes
        self.number = max([number for number, _ in _states(job.folder)], default=0)
        self.events_since = 0
        self.saved_at = self.told_at = time.monotonic()

    def hear(self, event: Event) -> None:
        """Note an event: progress once a second, a state when it is time, a grid where there is one."""
        now = time.monotonic()
        self.events_since += 1
        if event.picture is not None and event.record is not None:
            from udfs import image

            (png,) = image.encode(event.picture[None], encoding="png")
            runs.write_bytes(self.job.folder, f"grid-{event.record['step']:06d}.png", png)
        if now - self.told_at >= TOLD_EVERY_S:
            runs.write_json(f"{self.job.folder}/state", "progress.json", {"step": event.step, "notes": self.notes})
            self.told_at = now
        if self.events_since >= self.state_every or now - self.saved_at >= STATE_EVERY_S:
            self._save(event.state())
            self.events_since, self.saved_at = 0, time.monotonic()

    def _save(self, state: State) -> None:
        """Write the next state, then drop all but the newest ones."""
        self.number += 1
        folder = f"{self.job.folder}/state/{self.number:08d}"
        checkpoint.save(folder, state.tensors, {"meta": state.meta}, finite=False)
        system, _ = runs.filesystem(folder)
        for _, old in _states(self.job.folder)[STATES_KEPT:]:
            system.delete_dir(runs.filesystem(old)[1])

    def finish(self, fitted: Fitted, prepared: Prepared) -> None:
        """Write checkpoint and history; fitted.json, which says that all is there, comes last."""
        folder, notes = self.job.folder, [*self.notes, *fitted.notes]
        form = prepared.decode(fitted.facts.get("attempt", 0))
        per_label = prepared.per_label
        about = {"generator": self.job.name, "facts": fitted.facts, "notes": notes, "rows": per_label}
        tensors = {**fitted.model.state_dict(), **prepared.tensors()}
        name = checkpoint.save(f"{folder}/checkpoint", tensors, {"decode": form, "about": about})
        runs.write_json(folder, "history.json", fitted.history)
        told = {"rows": len(prepared.rows.labels), "per_label": per_label, **fitted.facts}
        runs.write_json(folder, "fitted.json", {"checkpoint": name, "counts": told, "notes": notes})


def _states(folder: str) -> list[tuple[int, str]]:
    """Numbers and folders of the states that were written, newest first."""
    system, path = runs.filesystem(f"{folder}/state")
    infos = system.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    names = [info.base_name for info in infos if info.type == pafs.FileType.Directory and info.base_name.isdigit()]
    return [(int(name), f"{folder}/state/{name}") for name in sorted(names, reverse=True)]


def _newest_state(folder: str) -> tuple[State | None, list[str]]:
    """The newest state that is whole, and what there is to say of those that are not."""
    loaded, notes = checkpoint.newest_good([each for _, each in _states(folder)], finite=False)
    return (State(loaded.tensors, loaded.card["meta"]) if loaded else None), notes

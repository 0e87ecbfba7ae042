"""RAY entry: `fit` under a TorchTrainer, data-parallel over the runtime's workers, resumable at any moment.

Ray Train starts the workers, joins them by gloo or nccl, and starts them again when one dies or hangs. What a
training needs to go on is not left to it: the first worker writes states into the stage's folder, and every start
(a retry, or the same command again) goes on from the newest one that is whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow.fs as pafs
import ray
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.progress import progress
from conf.runs import StageResult
from synth import checkpoint
from synth.cluster import Cluster
from synth.job import Job, job_of
from synth.work import work

MAX_FAILURES = 3


def run(cluster: Cluster, config: Config, part: str) -> StageResult:
    """Train the generator `part`, or go on with it, or take what is finished."""
    place = runs.locate(config, "train", part)
    generator = next(each for each in config.recipe.generate if each.name == part)
    if runs.done_at(place.folder):
        _clear(place.folder)  # forced: begin anew
    measured = place.inputs["normalize"].folder if "normalize" in place.inputs else ""
    job = job_of(config, generator, f"{runs.real_in(place).folder}/rows/row_split=train", place.folder, measured)
    outcome = _outcome(place.folder)
    if outcome is None:
        _train(job, config)
        outcome = runs.read_json(place.folder, "fitted.json")
    if outcome is None or "error" in outcome:
        raise StageError(f"train {part}: {(outcome or {}).get('error', 'the workers ended without a result.')}")
    loaded = checkpoint.load(f"{place.folder}/checkpoint")
    _clear(place.folder, only=("state", "ray"))
    return StageResult(outcome["counts"], {"checkpoint": loaded.id}, notes=outcome["notes"])


def _outcome(folder: str) -> dict[str, Any] | None:
    """What a training before came to, if it is good and its checkpoint whole: then only the marker was missing."""
    outcome = runs.read_json(folder, "fitted.json")
    if outcome is None or "error" in outcome:
        return None
    return outcome if checkpoint.newest_good([f"{folder}/checkpoint"])[0] else None


def _train(job: Job, config: Config) -> None:
    """Run the job under Ray Train, showing its progress."""
    runtime = config.runtime.train
    _enough(runtime.workers, runtime.device)
    on_gpu = runtime.device == "gpu"
    resources = {"CPU": 1, "GPU": 1} if on_gpu else {"CPU": 1}
    trainer = TorchTrainer(
        _work,
        train_loop_config={"job": job},
        scaling_config=ScalingConfig(num_workers=runtime.workers, use_gpu=on_gpu, resources_per_worker=resources),
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo", timeout_s=runtime.timeout_s),
        run_config=RunConfig(
            storage_path=f"{job.folder}/ray", name="train", failure_config=FailureConfig(MAX_FAILURES)
        ),
    )
    with _environment(runtime.timeout_s), _shown(job):
        try:
            _apart(trainer.fit) if runtime.workers else trainer.fit()
        except TrainingFailedError as error:
            raise StageError(_failed(job, error)) from error


def _apart(fit: Callable[[], Any]) -> None:
    """Call `fit` in a thread of its own, where the trainer leaves Ctrl-C to whoever has it."""
    with ThreadPoolExecutor(1, "trainer") as pool:
        future = pool.submit(fit)
        try:
            future.result()
        except KeyboardInterrupt:
            ray.shutdown()  # ends the workers, and with them the call
            raise


def _work(told: dict[str, Any]) -> None:
    """A worker's part, on the GPU that Ray Train gave it, if it gave one."""
    job: Job = told["job"]
    if job.settings.device != "cpu":
        device = get_device()
        torch.cuda.set_device(device)
        job = dataclasses.replace(job, settings=dataclasses.replace(job.settings, device=str(device)))
    work(job)


def _enough(workers: int, device: str) -> None:
    """Refuse a number of workers that the cluster can never give."""
    if workers == 0:
        return
    kind = "GPU" if device == "gpu" else "CPU"
    there = int(ray.cluster_resources().get(kind, 0))
    if workers > there:
        raise RecipeError(
            f"train.workers is {workers}, and Ray has {there} {kind}s: lower it in the runtime file, or give Ray more."
        )


def _failed(job: Job, error: Exception) -> str:
    """The last lines of what the workers said."""
    told = [line for line in str(error).strip().splitlines() if line.strip()]
    last = told[-1][:300] if told else repr(error)
    return f"train {job.name}: workers failed {MAX_FAILURES + 1} times, the last with: {last}"


@contextlib.contextmanager
def _environment(timeout_s: int) -> Iterator[None]:
    """Tell Ray Train how soon a worker that does not answer counts as dead, and how often to look."""
    wanted = {
        "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": str(timeout_s),
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextlib.contextmanager
def _shown(job: Job) -> Iterator[None]:
    """A bar that follows what the first worker writes down, wherever it runs."""
    by_steps = "max_steps" in job.forms[0].options
    total, unit = (job.settings.max_steps or None, "steps") if by_steps else (None, "rounds")
    with progress(f"train {job.name}", total, unit) as bar:
        over, seen, said = threading.Event(), 0, 0

        def follow() -> None:
            nonlocal seen, said
            while not over.wait(0.5):
                told = runs.read_json(f"{job.folder}/state", "progress.json") or {"step": 0, "notes": []}
                bar.advance(max(0, told["step"] - seen))
                seen = max(seen, told["step"])
                for note in told["notes"][said:]:
                    bar.note(note)
                said = max(said, len(told["notes"]))

        thread = threading.Thread(target=follow, name=f"train {job.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _clear(folder: str, only: tuple[str, ...] = ()) -> None:
    """Delete what lies in the stage's folder, or some folders of it."""
    system, path = runs.filesystem(folder)
    for each in (f"{path}/{name}" for name in only) if only else [path]:
        if system.get_file_info(each).type == pafs.FileType.Directory:
            system.delete_dir_contents(each) if each == path else system.delete_dir(each)


if __name__ == "__main__":
    from conf.door import main
    from synth import train as this  # by its name: Ray's workers import what is sent to them from there
    from synth.cluster import start

    main("train", start, this.run)

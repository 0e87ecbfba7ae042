"""The conductor: which stages run, in which order, on which engine. The one module that calls both engines.

It surveys the markers, runs the first stage that is not done, and looks again, until nothing is left: so a run that was
killed anywhere goes on where it stopped, and an unchanged recipe starts no engine at all.
"""

from __future__ import annotations

import importlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conf import Config, runs
from conf.errors import StageError
from conf.runs import Done, Place, StageResult, Surveyed
from conf.stages import stage
from jobs.failpoints import fail_at


@dataclass(frozen=True)
class Event:
    """Told while a run goes on: a stage `started`, is `done`, or was `skipped` as done before."""

    key: str
    state: str
    why: str = ""
    done: Done | None = None


@dataclass(frozen=True)
class RunResult:
    """What a run came to: its stages in order, and which of them ran this time."""

    stages: dict[str, Done]
    ran: list[str]
    seconds: float


@dataclass(frozen=True)
class Planned:
    """A stage in a plan: `run`, `skip` or `unknown` (before `waits_for` has run), and why."""

    key: str
    action: str
    why: str
    counts: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


def run(config: Config, force: bool = False, tell: Listener = lambda event: None) -> RunResult:
    """Bring the recipe's dataset and report up to date. `force` runs every stage again.

    Raises StageError (also when another run holds the recipe) and RecipeError.
    """
    check(config)
    began, started = time.monotonic(), time.time()
    ran: dict[str, Done] = {}
    with _held(config), Engines(config) as engines:
        previous = _previous(config)
        try:
            while (todo := _next(config, ran if force else None)) is not None:
                tell(Event(todo.key, "started", _why(todo, previous)))
                ran[todo.key] = run_stage(engines, config, todo)
                tell(Event(todo.key, "done", done=ran[todo.key]))
        except BaseException:
            if ran:
                runs.record_run(config, started, list(ran.values()), "stopped")
            raise
        stood = runs.survey(config)
        dones = {each.key: each.done for each in stood if each.done}
        for each in stood:
            if each.done and each.key not in ran:
                tell(Event(each.key, "skipped", each.served, each.done))
        if ran:
            runs.record_run(config, started, list(dones.values()), "done")
    return RunResult(dones, list(ran), time.monotonic() - began)


def run_one(config: Config, name: str, force: bool = False, tell: Listener = lambda event: None) -> list[Done]:
    """Run one stage (for every generator where it has several); the stages before it must be done."""
    check(config)
    parts = [g.name for g in config.recipe.generate] if stage(name).per_generator else [""]
    results = []
    with _held(config), Engines(config) as engines:
        for part in parts:
            runs.locate(config, name, part)  # says which stage must run first
            key = f"{name}.{part}" if part else name
            todo = next(each for each in runs.survey(config) if each.key == key)
            if todo.done and not force:
                tell(Event(key, "skipped", done=todo.done))
                results.append(todo.done)
                continue
            tell(Event(key, "started", "asked for" if todo.done else ""))
            results.append(run_stage(engines, config, todo))
            tell(Event(key, "done", done=results[-1]))
    return results


def plan(config: Config, force: bool = False) -> list[Planned]:
    """What `run` would do and why. Starts no engine and writes nothing."""
    check(config)
    previous = _previous(config)
    planned = []
    for each in runs.survey(config):
        if each.place is None:
            planned.append(Planned(each.key, "unknown", f"known after {each.waits_for}"))
        elif each.done and not force:
            planned.append(Planned(each.key, "skip", each.served or "unchanged", each.done.counts))
        else:
            planned.append(
                Planned(each.key, "run", "forced" if each.done else _why(each, previous), _expected(config, each))
            )
    return planned


def check(config: Config) -> None:
    """Answer a person's mistakes before any engine starts: steps and their options, generators and theirs, missing
    data.

    Raises RecipeError.
    """
    from jobs.check import check_recipe

    check_recipe(config)
    runs.survey(config)


def run_stage(engines: Engines, config: Config, todo: Surveyed) -> Done:
    """Run one stage on its engine and mark it done."""
    place = todo.place
    assert place is not None
    began = time.monotonic()
    result = _called(engines, config, place)
    fail_at(f"before-marker-{place.stage}")
    done = runs.finish(place, result, time.monotonic() - began)
    fail_at(f"after-marker-{place.stage}")
    return done


def _called(engines: Engines, config: Config, place: Place) -> StageResult:
    """The stage's own `run`; a stage of both engines has a module in each."""
    engine = stage(place.stage).engine
    if engine == "none":
        return _module("jobs", place.stage).run(None, config)
    if engine == "spark":
        return _module("jobs", place.stage).run(engines.spark(), config)
    if engine == "ray+spark":
        _module("synth", place.stage).run(engines.ray(), config)
        return _module("jobs", place.stage).run(engines.spark(), config)
    more = (place.part,) if place.part else ()
    return _module("synth", place.stage).run(engines.ray(), config, *more)


def _module(layer: str, name: str) -> Any:
    return importlib.import_module(f"{layer}.{name}")


class Engines:
    """Spark and Ray, each started when first asked for and stopped at the end."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stack = ExitStack()
        self._started: dict[str, Any] = {}

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def spark(self) -> Any:
        """The Spark session."""
        return self._engine("jobs.spark", "session")

    def ray(self) -> Any:
        """The Ray cluster."""
        return self._engine("synth.cluster", "start")

    def _engine(self, module: str, start: str) -> Any:
        if module not in self._started:
            context = getattr(importlib.import_module(module), start)(self._config)
            self._started[module] = self._stack.enter_context(context)
        return self._started[module]


def _next(config: Config, forced: dict[str, Done] | None) -> Surveyed | None:
    """The first stage to run; under force, the first that did not run yet this time."""
    for each in runs.survey(config):
        if each.place is not None and (each.done is None or (forced is not None and each.key not in forced)):
            return each
    return None


def _previous(config: Config) -> dict[str, Done]:
    """The stages of the newest run, as they were."""
    last = runs.last_run(config)
    found = {}
    for key, fingerprint in (last or {}).get("stages", {}).items():
        done = runs.done_at(f"{runs.home(config)}/stages/{key.partition('.')[0]}/{fingerprint}")
        if done:
            found[key] = done
    return found


def _why(each: Surveyed, previous: dict[str, Done]) -> str:
    """Why a stage runs: what differs from its last time."""
    before = previous.get(each.key)
    assert each.place is not None
    if before is None:
        return "never ran"
    if before.fingerprint == each.place.fingerprint:
        return "its tables or files are no longer as it left them"
    recipe = [name for name, value in each.place.parts.items() if before.parts.get(name) != value]
    read = [name for name, value in each.place.reads.items() if before.reads.get(name) != value]
    gone = [name for name in before.reads if name not in each.place.reads]
    reasons = [f"recipe: {', '.join(recipe)}"] * bool(recipe) + [f"changed: {', '.join(read + gone)}"] * bool(
        read + gone
    )
    return "; ".join([*reasons, *filter(None, [each.served])]) or "the stage itself was revised"


def _expected(config: Config, each: Surveyed) -> dict[str, Any]:
    """What a stage that will run is going to make, where the stages before it tell."""
    place = each.place
    assert place is not None
    if place.stage == "augment":
        splits, augment = runs.real_in(place).counts.get("splits", {}), runs.augment_in(config, place)
        return {"rows": augment.planned(splits.get("train", {})) if augment else 0}
    if place.stage == "merge":
        from jobs.plan_merge import expected_changes

        return expected_changes(config, place)
    return {}


@contextmanager
def _held(config: Config) -> Iterator[None]:
    """Hold the recipe's folder against a second run on this machine.

    On a shared or object store there is no lock to take: Delta's own conflict check and the markers decide there.
    """
    home = runs.home(config)
    if "://" in home:
        yield
        return
    import fcntl

    Path(home).mkdir(parents=True, exist_ok=True)
    with (Path(home) / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StageError(
                f"{home} is being worked on by {holder}: wait for it, or stop it, and run the command again."
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%H:%M:%S')}")
        file.flush()
        yield

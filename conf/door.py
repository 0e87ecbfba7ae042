"""The door of one stage: `python -m jobs.clean --recipe digits`, the same under spark-submit and Ray job submission."""

from __future__ import annotations

import argparse
import inspect
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from conf import Config, load, runs
from conf.errors import RecipeError, StageError
from conf.runs import StageResult
from conf.stages import stage


def main(
    name: str,
    start: Callable[[Config], AbstractContextManager[Any]],
    run: Callable[..., StageResult],
    arguments: list[str] | None = None,
) -> None:
    """Read the arguments, start the engine, run the stage `name` (for each generator, if for them) and mark it done."""
    given = _parser(name).parse_args(arguments)
    try:
        config = load(given.recipe, given.runtime, given.set, given.root)
        parts = [g.name for g in config.recipe.generate] if stage(name).per_generator else [""]
        runs.locate(config, name, parts[0] if parts else "")
        with start(config) as engine:
            for part in parts:
                _run_one(engine, config, name, part, run, given.force)
    except (RecipeError, StageError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2 if isinstance(error, RecipeError) else 1) from error


def _run_one(engine: Any, config: Config, name: str, part: str, run: Callable[..., StageResult], force: bool) -> None:
    """Run one stage unless it is done, and say in one line what came of it."""
    key = f"{name}.{part}" if part else name
    done = runs.done(config, name, part)
    if done and not force:
        sys.stdout.write(f"{key}: done before ({done.fingerprint})\n")
        return
    began = time.monotonic()
    result = run_stage(engine, config, run, part)
    done = runs.finish(runs.locate(config, name, part), result, time.monotonic() - began)
    sys.stdout.write(f"{key}: {done.seconds:.1f} s, {done.counts}\n")


def run_stage(engine: Any, config: Config, run: Callable[..., StageResult], part: str) -> StageResult:
    """Call a stage's `run(engine, config)`, or `run(engine, config, part)` where it works for one generator."""
    return run(engine, config, part) if len(inspect.signature(run).parameters) > 2 else run(engine, config)


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"seedbed {name}")
    parser.add_argument("--recipe", required=True, help="a shipped recipe's name or a YAML file")
    parser.add_argument("--runtime", default="local", help="a shipped runtime's name or a YAML file")
    parser.add_argument("--root", help="where tables and files lie")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="a value laid over the recipe")
    parser.add_argument("--force", action="store_true", help="run it though it is done")
    return parser

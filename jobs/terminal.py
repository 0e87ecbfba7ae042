"""The person's terminal while engines work: the engines' own chatter goes to a log file.

Spark's JVM, Ivy and Ray's processes write to file descriptors 1 and 2, whatever Python's sys.stdout is. So while
engines run these two descriptors lead to the log, and what is meant for the person goes to copies of them that no
child process inherits.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console

from conf import Config, runs
from conf.errors import RecipeError

KEPT_LOGS = 20


@dataclass(frozen=True)
class Screen:
    """The person's two streams: `result` (stdout) for what was asked, `aside` (stderr) for progress and errors."""

    result: Console
    aside: Console


def log_folder(config: Config) -> Path:
    """`<root>/<recipe>/logs`; where that is no local folder, one below the machine's folder for temporary files."""
    home = runs.home(config)
    return (
        Path(home) / "logs"
        if "://" not in home
        else Path(tempfile.gettempdir()) / "seedbed" / config.recipe.name / "logs"
    )


def new_log(folder: Path, name: str) -> Path:
    """A new log of this process in `folder`; the oldest beyond KEPT_LOGS are removed.

    Raises RecipeError where the folder cannot be written, which is to say the root.
    """
    log = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("[0-9]*.log"), key=lambda path: path.stat().st_mtime)[: -KEPT_LOGS + 1]:
            old.unlink(missing_ok=True)
        log.touch(0o600)
    except OSError as error:
        raise RecipeError(
            f"{folder} cannot be written ({error.strerror}): choose a folder that can, by --root DIR or SEEDBED_ROOT."
        ) from error
    return log


@contextmanager
def engines_logged(log: Path) -> Iterator[Screen]:
    """Send descriptors 1 and 2 to `log` until the context ends; the Screen given writes to where they led before."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)  # not inheritable: a child that outlives us cannot hold the terminal
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    try:
        with os.fdopen(before[0], "w", closefd=False) as out, os.fdopen(before[1], "w", closefd=False) as err:
            yield Screen(console(out), console(err))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(before, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)


def console(stream: IO[str] | None = None, stderr: bool = False) -> Console:
    """A console that breaks no lines where there is no terminal, so that paths and sentences stay whole."""
    made = Console(file=stream, stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.soft_wrap = True
    return made


def screen() -> Screen:
    """The person's streams where no engine runs."""
    return Screen(console(), console(stderr=True))


def in_words(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

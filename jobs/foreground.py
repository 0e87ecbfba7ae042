"""Work before a person: engines log to a file, progress shows, every end is a sentence and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from conf.errors import RecipeError, StageError

if TYPE_CHECKING:
    from conf import Config
    from jobs.terminal import Screen

MISTAKE, FAILED, STOPPED = 2, 1, 130
SAID_CHARACTERS = 300
AGAIN_S = 2.0  # until a stop that was swallowed comes again

_heard = threading.Event()  # a stop has reached the boundary to the person


class Stopped(BaseException):
    """SIGTERM came."""


def stop_on_sigterm() -> None:
    """Have SIGTERM end the work as Ctrl-C does: engines are closed, a sentence is said."""

    def stop(*_: object) -> None:
        raise Stopped

    signal.signal(signal.SIGTERM, stop)


def stop_although_swallowed() -> None:
    """See that a signal to stop ends the work, be it that the exception which it raises is swallowed on its way.

    Python swallows what is raised while an object is cleared up, which Spark's client does all the time, and some
    libraries catch everything as they are imported. So whoever watches sends the signal again until the work unwinds.
    """
    reads, writes = socket.socketpair()
    writes.setblocking(False)
    signal.set_wakeup_fd(writes.detach(), warn_on_full_buffer=False)  # gets every signal, whoever handles it
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    threading.Thread(target=_see_that_it_stops, args=(reads,), daemon=True, name="stops").start()


def _see_that_it_stops(signals: socket.socket) -> None:
    while True:
        asked = {*signals.recv(1024)} & {signal.SIGINT, signal.SIGTERM}
        if not asked or _heard.wait(AGAIN_S) or _is_unwinding():
            continue
        os.kill(os.getpid(), asked.pop())


def _is_unwinding() -> bool:
    """Whether the main thread clears up after a stop."""
    told: Any = sys._current_exceptions().get(threading.main_thread().ident or 0)
    return is_stop(told[1] if isinstance(told, tuple) else told)  # Python 3.11 tells kind, exception and traceback


def left_once_stopped(command: Callable[[], None]) -> None:
    """Run the command. After a stop the process ends once what was started is closed, and Python is not taken down:
    native threads of an engine that was interrupted may abort it there, and the exit code would be theirs.
    """
    try:
        command()
    except SystemExit as error:
        if error.code != STOPPED:
            raise
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(STOPPED)


def work_before_person(
    config: Config,
    command: str,
    work: Callable[[Callable[[Any], None]], None],
    end: Callable[[Config, Screen], None] | None = None,
) -> None:
    """Do `work`, which is given a function to tell its events to; then `end`. `command` is what starts it again."""
    from jobs import pipeline
    from jobs.display import shown
    from jobs.terminal import engines_logged, in_words, log_folder, new_log

    pipeline.check(config)
    began = time.monotonic()
    log = new_log(log_folder(config), command.split()[1])
    with engines_logged(log) as screen, shown(screen.aside) as display:
        try:
            work(display.tell)
        except RecipeError:
            raise
        except (Exception, KeyboardInterrupt, Stopped, SystemExit) as error:  # noqa: BLE001 - the boundary to the person
            if is_stop(error):
                _stopped(screen, display.stage, command, error)
            _failed(screen, config, display.stage, error, log)
        if end is not None:
            end(config, screen)
        unchanged = f"{display.skipped} stages unchanged. " if display.skipped else ""
        screen.aside.print(f"{unchanged}{in_words(time.monotonic() - began)} in all.", style="dim")


def is_stop(error: BaseException | None) -> bool:
    """Whether someone asked for the end, be it that clearing up after that went wrong. Ray puts an exit in SIGTERM's
    place.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt | Stopped | SystemExit):
            return True
        error = error.__context__
    return False


def _stopped(screen: Screen, stage: str, command: str, stop: BaseException) -> NoReturn:
    """The sentence for who asked for the end; what went wrong after that is in the log."""
    _heard.set()
    exec("")  # noqa: S102 - clears that an interrupt went through an exec: `python -m` would end by SIGINT, not by 130
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if isinstance(stop, Exception):
        traceback.print_exception(stop)
    where = f" in {stage}" if stage else ""
    kept = f"What is finished is kept: `{command}` goes on from there."
    screen.aside.print(f"Stopped{where}, as asked. {kept}", markup=False)
    raise typer.Exit(STOPPED) from stop


def _failed(screen: Screen, config: Config, stage: str, error: BaseException, log: Path) -> NoReturn:
    """One sentence for the person; the traceback for the log (descriptor 2 leads there)."""
    where, said = f" in {stage}" if stage else "", in_a_sentence(error)
    if is_disk_full(error):
        said = f"the disk is full: free some room below {config.files}, and the same command goes on. ({said})"
    screen.aside.print(f"Failed{where}: {said}", markup=False, style="red")
    with contextlib.suppress(OSError):  # the log may lie on the full disk
        traceback.print_exception(error)
        sys.stderr.flush()
    screen.aside.print(f"The log: {log}", markup=False)
    spark = log.with_name("spark.log")
    if spark.exists():
        screen.aside.print(f"Spark's log: {spark}", markup=False)
    raise typer.Exit(FAILED) from error


def in_a_sentence(error: BaseException) -> str:
    """Our own errors are whole sentences; of others the kind and the first line."""
    if isinstance(error, StageError | RecipeError):
        return str(error)
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return f"{type(error).__name__}: {first[:SAID_CHARACTERS]}"


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a full disk lies at the bottom of it, however many engines have wrapped it."""
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def crash_log(error: BaseException) -> str:
    """A new file with the traceback, for what fails where no engine's log is."""
    with tempfile.NamedTemporaryFile("w", prefix="seedbed-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    return file.name


def say(text: str) -> None:
    """Tell the person on stderr, as plain text."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()

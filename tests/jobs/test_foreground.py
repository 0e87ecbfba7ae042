"""How the end of work is told to the person."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jobs import foreground
from jobs.foreground import Stopped, is_stop


@pytest.mark.parametrize("asked", [Stopped, KeyboardInterrupt, SystemExit])
def test_a_stop_is_a_stop_though_clearing_up_after_it_failed(asked):
    with pytest.raises(RuntimeError) as failed:
        try:
            raise asked
        finally:
            raise RuntimeError("the line to the engine is out of step")
    assert is_stop(failed.value)


def test_a_failure_is_no_stop():
    with pytest.raises(RuntimeError) as failed:
        try:
            raise OSError("first")
        except OSError as error:
            raise RuntimeError("second") from error
    assert not is_stop(failed.value)


SWALLOWED = (
    """
gone = weakref.ref(thing, lambda _: strike())
del thing
""",
    """
try:
    strike()
except:
    pass
""",
)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("swallowing", SWALLOWED)
def test_a_stop_that_was_swallowed_comes_again(sent: signal.Signals, swallowing: str) -> None:
    """An exception in what Python calls as an object goes is lost, and so it is where all are caught."""
    done = programme(sent, f"{swallowing}\nprint('swallowed', flush=True)\ntime.sleep(60)")
    assert done.stdout.split() == ["swallowed", "stopped"], done.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_takes_its_time_to_clear_up_comes_once(sent: signal.Signals) -> None:
    work = """
@contextlib.contextmanager
def engine():
    try:
        yield
    finally:
        try:
            {}["another error on the way"]
        except KeyError:
            time.sleep(foreground.AGAIN_S + 1)
        print("closed", flush=True)
with engine():
    strike()
"""
    done = programme(sent, work)
    assert done.stdout.split() == ["closed", "stopped"], done.stderr


def test_a_stop_ends_in_its_exit_code_wherever_it_came(tmp_path: Path) -> None:
    """Python ends by the signal itself where it came while some text was run, as imports do."""
    (tmp_path / "stops.py").write_text("""
import sys, typer
from jobs import foreground, terminal
try:
    eval("(_ for _ in ()).throw(KeyboardInterrupt)")
except KeyboardInterrupt as stop:
    try:
        foreground._stopped(terminal.screen(), "augment", "seedbed run digits", stop)
    except typer.Exit as told:
        sys.exit(told.exit_code)
""")
    paths = os.pathsep.join([str(tmp_path), os.getcwd()])
    command = [sys.executable, "-m", "stops"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, timeout=50, check=False)
    assert done.returncode == foreground.STOPPED


def programme(sent: signal.Signals, work: str) -> subprocess.CompletedProcess[str]:
    """Some work in a process of its own; `strike()` asks it to stop."""
    head = f"""
import contextlib, os, time, weakref
from jobs import foreground
foreground.stop_on_sigterm()
foreground.stop_although_swallowed()
class Thing: pass
thing = Thing()
def strike():
    os.kill(os.getpid(), {int(sent)})
    time.sleep(1)
"""
    guarded = "try:\n" + textwrap.indent(work, "    ") + "\nexcept (KeyboardInterrupt, foreground.Stopped):\n"
    last = "    foreground._heard.set()\n    print('stopped', flush=True)\n"
    return subprocess.run(
        [sys.executable, "-c", head + guarded + last], capture_output=True, text=True, timeout=50, check=False
    )


NATIVE = """
import atexit, ctypes, sys
from jobs.foreground import left_once_stopped

libc = ctypes.CDLL(None)
abort = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: libc.abort())
getattr(libc, "__cxa_atexit")(abort, None, None)  # as a native thread may, while Python is taken down under it
atexit.register(print, "closed")
left_once_stopped(lambda: sys.exit(int(sys.argv[1])))
"""


def test_after_a_stop_native_threads_do_not_change_the_exit_code() -> None:
    """What Python is to do at its end is done; then the process ends, whatever libraries would do after that."""
    ends = {}
    for code in (foreground.STOPPED, 0):
        done = subprocess.run([sys.executable, "-c", NATIVE, str(code)], capture_output=True, text=True, timeout=60)
        assert done.stdout == "closed\n"
        ends[code] = done.returncode
    assert ends[foreground.STOPPED] == foreground.STOPPED
    assert ends[0] < 0  # as a process of such a library ends

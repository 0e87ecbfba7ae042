"""How the end of work is told to the person."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_python_swallows_comes_again(sent: signal.Signals) -> None:
    """An exception in what Python calls as an object goes is lost; the person's wish is not."""
    program = f"""
import os, signal, time, weakref
from jobs import foreground
foreground.stop_on_sigterm()
foreground.stop_although_swallowed()
class Thing: pass
thing = Thing()
gone = weakref.ref(thing, lambda _: (os.kill(os.getpid(), {int(sent)}), time.sleep(1)))
try:
    del thing
    print("swallowed", flush=True)
    time.sleep(60)
except (KeyboardInterrupt, foreground.Stopped):
    print("stopped", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert done.stdout.split() == ["swallowed", "stopped"], done.stderr

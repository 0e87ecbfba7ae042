"""How the end of work is told to the person."""

from __future__ import annotations

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

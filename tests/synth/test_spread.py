"""Jobs spread over Ray's workers: every answer once, whoever dies or hangs."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conf import Config
from conf.errors import StageError
from synth.spread import gathered


@pytest.fixture
def config(config_for: Callable[..., Config]) -> Config:
    """Two judges at a time, and little patience."""
    config = config_for("digits")
    judge = config.runtime.judge.model_copy(update={"timeout_s": 15})
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update={"judge": judge}))


@pytest.fixture
def struck(tmp_path: Path) -> Iterator[Path]:
    """A file with the id of the process that was struck, which does not outlive the test."""
    mark = tmp_path / "struck"
    yield mark
    if mark.exists():
        os.kill(int(mark.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_a_worker_that_dies_or_hangs_has_its_job_done_by_another(
    ray_session: Any, config: Config, struck: Path, how: int
) -> None:
    mark = str(struck)

    def work(number: int) -> int:
        if number == 3 and not os.path.exists(mark):
            with open(mark, "w") as file:
                file.write(str(os.getpid()))
            os.kill(os.getpid(), how)
        return number * number

    assert gathered(work, [(number,) for number in range(8)], config) == [number**2 for number in range(8)]
    assert struck.exists()
    if how == signal.SIGKILL:
        struck.unlink()


def test_nobody_answers(ray_session: Any, config: Config, tmp_path: Path) -> None:
    """Jobs that never end are an error that says which setting bounds them."""
    judge = config.runtime.judge.model_copy(update={"timeout_s": 2})
    hasty = dataclasses.replace(config, runtime=config.runtime.model_copy(update={"judge": judge}))

    def work(number: int) -> None:
        import time

        time.sleep(12)

    with pytest.raises(StageError, match=r"no judge answered for 2 s: raise judge\.timeout_s"):
        gathered(work, [(0,)], hasty)

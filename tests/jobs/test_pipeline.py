"""The conductor's engines: Ray starts beside the first stages of Spark, and is closed whatever comes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conf import Config
from conf.errors import StageError
from jobs.pipeline import Engines


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A Ray that waits until it may start, and what happened to it; `error` in it is raised at its start."""
    seen: dict[str, Any] = {"may_start": threading.Event(), "events": []}

    @contextmanager
    def start(config: Config) -> Iterator[str]:
        assert seen["may_start"].wait(30)
        if "error" in seen:
            raise seen["error"]
        seen["events"].append("started")
        yield "ray"
        seen["events"].append("stopped")

    monkeypatch.setattr("synth.cluster.start", start)
    return seen


def test_ray_starts_beside_what_runs(seen: dict[str, Any], config_for: Callable[..., Config]) -> None:
    """Expecting it waits for nothing; asking for it waits until it is there; it starts once."""
    with Engines(config_for()) as engines:
        engines.expect_ray()
        engines.expect_ray()
        assert seen["events"] == []
        seen["may_start"].set()
        assert engines.ray() == engines.ray() == "ray"
    assert seen["events"] == ["started", "stopped"]


def test_a_ray_that_nobody_asked_for_is_stopped(seen: dict[str, Any], config_for: Callable[..., Config]) -> None:
    """A stage fails while Ray is still starting: Ray is waited for and stopped, the stage's error goes up."""
    with pytest.raises(ZeroDivisionError), Engines(config_for()) as engines:
        engines.expect_ray()
        seen["may_start"].set()
        raise ZeroDivisionError
    assert seen["events"] == ["started", "stopped"]


def test_a_start_that_failed_is_told_when_ray_is_asked_for(
    seen: dict[str, Any], config_for: Callable[..., Config]
) -> None:
    """And not before: the stages of Spark go on without it."""
    seen["error"] = StageError("Ray cannot be started")
    seen["may_start"].set()
    with Engines(config_for()) as engines:
        engines.expect_ray()
    with pytest.raises(StageError, match="Ray cannot be started"), Engines(config_for()) as engines:
        engines.expect_ray()
        engines.ray()

"""Fixtures that all tests share.

One Spark session and one Ray cluster for the whole run, started when first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import conf
from conf import Config

os.environ.setdefault("OMP_NUM_THREADS", "1")
# The same examples in every run; `--hypothesis-profile=default` looks for others.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same")
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)  # before markers choose
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that want Spark or Ray, so that one process can run these and another one all others."""
    for item in items:
        if {"spark", "ray_session"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("engines")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real test data; a test that needs it skips where it is missing."""
    place = Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not place.is_dir():
        pytest.skip(f"no test data at {place}: SEEDBED_TEST_DATA names its folder")
    return place


@pytest.fixture
def config_for(tmp_path: Path) -> Callable[..., Config]:
    """`config_for("digits", "seed=8")`.

    A shipped recipe or a file with overrides, its root in the test's own folder.
    """

    def make(recipe: str = "digits", *overrides: str, root: Path | None = None, runtime: str = "local") -> Config:
        return conf.load(recipe, runtime, overrides, str(root or tmp_path / "root"))

    return make


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The one Spark session of the test run, with Delta."""
    from jobs.spark import session

    config = conf.load("digits", "local", [], str(tmp_path_factory.mktemp("spark")))
    with session(config) as started:
        started.conf.set("spark.sql.codegen.wholeStage", "false")  # for a few rows, compiling queries takes longer
        started.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")  # than running them
        yield started


@pytest.fixture(scope="session")
def ray_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The one Ray cluster of the test run."""
    from synth.cluster import start

    config = conf.load("digits", "local", [], str(tmp_path_factory.mktemp("ray")))
    with start(config) as cluster:
        yield cluster

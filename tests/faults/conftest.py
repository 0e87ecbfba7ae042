"""What the tests of faults share: a run that nobody disturbed, and commands that do not outlive their test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from command import (
    RUNTIME,
    SECRET_CONF,
    SECRETS,
    SMALL,
    SMALL_SERIES,
    SMALL_TABLE,
    SMALL_TEXT,
    Whole,
    finish,
    kill_group,
    whole,
)


@pytest.fixture(scope="session")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run that nobody disturbed, and that knows some secrets."""
    root = tmp_path_factory.mktemp("unkilled") / "root"
    runtime = root.with_name("mine.yaml")
    runtime.write_text(RUNTIME.format(memory="2g", secret=SECRET_CONF))
    finish(root, *SMALL, runtime=str(runtime), **SECRETS)
    return whole(root, "digits", SMALL)


@pytest.fixture(scope="session")
def unkilled_table(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run of a table that nobody disturbed."""
    root = tmp_path_factory.mktemp("unkilled-table") / "root"
    finish(root, *SMALL_TABLE, recipe="breast-cancer")
    return whole(root, "breast-cancer", SMALL_TABLE)


@pytest.fixture(scope="session")
def unkilled_text(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run of texts that nobody disturbed."""
    root = tmp_path_factory.mktemp("unkilled-text") / "root"
    finish(root, *SMALL_TEXT, recipe="word-senses")
    return whole(root, "word-senses", SMALL_TEXT)


@pytest.fixture(scope="session")
def unkilled_series(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run of series that nobody disturbed."""
    root = tmp_path_factory.mktemp("unkilled-series") / "root"
    finish(root, *SMALL_SERIES, recipe="share-prices")
    return whole(root, "share-prices", SMALL_SERIES)


@pytest.fixture(params=["unkilled", "unkilled_table", "unkilled_text", "unkilled_series"])
def each_unkilled(request: pytest.FixtureRequest) -> Whole:
    """A run of each modality that nobody disturbed."""
    found: Whole = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Commands whose groups are killed at the end, whoever of them is left."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        kill_group(process)

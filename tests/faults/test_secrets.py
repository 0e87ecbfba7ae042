"""Tokens and passwords are in no file that a run leaves: no marker, log, table or report; nor in what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import RUNTIME, SECRET_CONF, SECRETS, Whole, kill_group, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def telling(root: Path) -> list[Path]:
    """Files of a root, and the command's output, in which a secret stands."""
    files = [Path(f"{root}.log"), *(path for path in root.rglob("*") if path.is_file())]
    assert len(files) > 3
    secrets = [secret.encode() for secret in (*SECRETS.values(), SECRET_CONF)]
    return [file for file in files if any(secret in file.read_bytes() for secret in secrets)]


def test_a_run_writes_no_secret_down(unkilled: Whole) -> None:
    """Ray's token, a key in the environment, a key among Spark's settings."""
    assert not telling(unkilled.root)


def test_a_run_that_fails_tells_no_secret(tmp_path: Path) -> None:
    """Spark does not start with so little memory; what is said of that has no settings in it."""
    root = tmp_path / "root"
    runtime = tmp_path / "mine.yaml"
    runtime.write_text(RUNTIME.format(memory="100m", secret=SECRET_CONF))
    process = start(root, runtime=str(runtime), **SECRETS)
    try:
        assert process.wait(300) == 1
    finally:
        kill_group(process)
    assert "Spark did not start" in Path(f"{root}.log").read_text()
    assert not telling(root)

"""Runs: one small file each, which points at the fingerprints of its stages."""

from __future__ import annotations

import time
from typing import Any

from pyarrow import fs

from conf import Config
from conf.runs.files import filesystem, read_json, write_json
from conf.runs.markers import Done, home


def record_run(config: Config, started: float, dones: list[Done], state: str) -> str:
    """Write the run's file, which points at its stages' fingerprints; returns its name."""
    names = run_names(config)
    name = f"run-{int(names[-1][4:9]) + 1 if names else 1:05d}.json"
    told = {
        "started": started,
        "finished": time.time(),
        "state": state,
        "stages": {each.key: each.fingerprint for each in dones},
        "recipe": config.recipe.model_dump(mode="json"),
    }
    write_json(f"{home(config)}/runs", name, told)
    return name


def run_names(config: Config) -> list[str]:
    """Names of the recipe's run files, oldest first."""
    system, path = filesystem(f"{home(config)}/runs")
    infos = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name for info in infos if info.base_name.startswith("run-"))


def last_run(config: Config) -> dict[str, Any] | None:
    """The newest run's file."""
    names = run_names(config)
    return read_json(f"{home(config)}/runs", names[-1]) if names else None

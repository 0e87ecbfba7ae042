"""Small recordings and recipes of them, made up for tests."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from conf import Config
from tests.jobs.series.made import LABELS, recipe

LENGTH = 6
HOUR = 3600  # seconds
BEGIN_S = 1577836800  # 2020-01-01
HEAD = "machine,when,left,right,state\n"
SOURCE = {
    "name": "waves", "reader": "csv", "path": "waves.csv",
    "columns": {"machine": "entity", "when": "time", "state": "label"},
}  # fmt: skip
Line = tuple[str, int, float | str, float | str, str]  # entity, hour, left, right, label


def recording(entity: str, hours: int, first: int = 0) -> list[Line]:
    """A random walk, an observation an hour; of some entities labelled rise, of others fall."""
    number = zlib.crc32(entity.encode())
    random, label = np.random.default_rng(number), LABELS[number % 2]
    walk = random.normal(size=(first + hours, 2)).cumsum(axis=0).round(3)
    return [(entity, hour, float(walk[hour, 0]), float(walk[hour, 1]), label) for hour in range(first, first + hours)]


def written(lines: list[Line]) -> str:
    """A long CSV of observations."""
    told = (
        f"{entity},2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00,{left},{right},{label}\n"
        for entity, hour, left, right, label in lines
    )
    return HEAD + "".join(told)


def recorded(folder: Path, lines: list[Line] | str | None = None, **parts: Any) -> Config:
    """A recipe of windows cut from recordings, `waves.csv` beside it, with `parts` laid over."""
    if lines is not None:
        (folder / "waves.csv").write_text(lines if isinstance(lines, str) else written(lines))
    form = {"length": LENGTH, **parts.pop("series", {})}
    form["recordings"] = {"every": "1h", "stride": 2, **parts.pop("recordings", {})}
    values = {"sources": [SOURCE], "split": {"val": 0.2, "test": 0.2, "rest": "train"}, **parts}
    return recipe(folder, series=form, **values)

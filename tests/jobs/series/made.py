"""Small windows and recipes of them, made up for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import conf
from conf import Config

STEPS, CHANNELS = 12, 2
LABELS = ("rise", "fall")
Window = list[float]  # time-major


def windows(count: int, first: int = 0) -> list[tuple[Window, str]]:
    """(window, label): those of one label rise, of the other fall, each with noise of its own."""
    made = []
    for number in range(first, first + count):
        label = LABELS[number % 2]
        random = np.random.default_rng(number)
        slope = np.linspace(-1, 1, STEPS)[:, None] * (1 if label == "rise" else -1)
        values = slope + 0.3 * random.normal(size=(STEPS, CHANNELS))
        made.append(([float(value) for value in values.astype(np.float32).ravel().round(4)], label))
    return made


def lines(rows: list[tuple[Window, str]]) -> str:
    """JSON lines of series and label."""
    return "".join(json.dumps({"series": window, "label": label}) + "\n" for window, label in rows)


def ts(rows: list[tuple[Window, str]], dimensions: int = CHANNELS) -> str:
    """A .ts file of windows."""
    head = [
        "#made up", "@problemName made", "@timeStamps false", f"@dimensions {dimensions}",
        f"@seriesLength {STEPS}", f"@classLabel true {' '.join(LABELS)}", "@data",
    ]  # fmt: skip
    told = []
    for window, label in rows:
        dims = (",".join(str(value) for value in window[at::CHANNELS]) for at in range(CHANNELS))
        told.append(":".join([*dims, label]))
    return "\n".join([*head, *told]) + "\n"


def block(window: Window, label: str) -> str:
    """A window as a block of lines."""
    steps = (window[at : at + CHANNELS] for at in range(0, len(window), CHANNELS))
    return "\n".join([label, *("\t" + "\t".join(map(str, step)) for step in steps)]) + "\n"


def recipe(folder: Path, **parts: Any) -> Config:
    """A recipe of series in `folder`, with `parts` laid over; its root lies there too."""
    values: dict[str, Any] = {
        "name": "waves",
        "modality": "series",
        "series": {"length": STEPS, "channels": ["left", "right"], **parts.pop("series", {})},
        "labels": list(LABELS),
        "seed": 7,
        "data": str(folder),
        "sources": [{"name": "waves", "reader": "json_lines", "path": "waves.jsonl"}],
        "split": {"train": 20, "val": 10, "rest": "test"},
        **parts,
    }
    file = folder / "waves.yaml"
    file.write_text(json.dumps(values))  # JSON is YAML
    return conf.load(str(file), "local", [], str(folder / "root"))

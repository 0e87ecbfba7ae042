"""Small folders of images with captions, and recipes of them, made up for tests."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import conf
from conf import Config
from tests.jobs.made import picture, png, put

LABELS = ["cat", "dog"]
SIDE = 16
COLUMNS = {"weight": {"type": "number", "range": [0, 100]}, "colour": {"type": "category"}}


def caption(number: int) -> str:
    """A caption like no other."""
    return f"a {LABELS[number % 2]} of {number * 7} days, seen on the road {number * 13} paces from house {number}"


def row(number: int, **cells: Any) -> dict[str, Any]:
    """One line of a captions file."""
    colour = ("red", "brown", "grey")[number % 3]
    told = {"file": f"{number:03d}.png", "text": caption(number), "label": LABELS[number % 2]}
    return {**told, "weight": f"{number % 50}.5", "colour": colour, **cells}


def captions(folder: Path, rows: list[dict[str, Any]], name: str = "captions.csv") -> None:
    """A captions file: CSV or JSON lines."""
    if name.endswith(".jsonl"):
        (folder / name).write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
        return
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, list(rows[0]))
        lines.writeheader()
        lines.writerows(rows)


def images(folder: Path, numbers: range, where: str = "images") -> None:
    """`<where>/<number>.png`, every picture different."""
    for number in numbers:
        put(folder / where / f"{number:03d}.png", png(picture(number, SIDE)))


def recipe(folder: Path, **parts: Any) -> Config:
    """A recipe of captioned images with cells in `folder`, with `parts` laid over; its root lies there too."""
    values: dict[str, Any] = {
        "name": "pets",
        "modality": "fusion",
        "image": {"height": SIDE, "width": SIDE, "channels": 1},
        "text": {},
        "columns": COLUMNS,
        "labels": LABELS,
        "seed": 7,
        "data": str(folder),
        "sources": [{"name": "pets", "reader": "captions", "path": "images", "manifest": "captions.csv"}],
        "split": {"train": 20, "val": 10, "rest": "test"},
        **parts,
    }
    values = {key: value for key, value in values.items() if value is not None}
    file = folder / "pets.yaml"
    file.write_text(json.dumps(values))  # JSON is YAML
    return conf.load(str(file), "local", [], str(folder / "root"))

"""Small events and recipes of them, made up for tests: users of two tastes, each of which has its own items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import conf
from conf import Config

ITEMS = 20  # of each taste
FORM = {
    "events": "ratings",
    "users": "people",
    "attributes": {
        "age": {"type": "integer", "range": [1, 120]},
        "sex": {"type": "category", "values": ["F", "M"]},
    },
    "ratings": [1, 5],
    "min_events": 4,
}
SOURCES = [
    {"name": "ratings", "reader": "csv", "path": "ratings.csv"},
    {"name": "people", "reader": "csv", "path": "people.csv"},
]
Event = tuple[str, str, str, str]  # user, item, rating, time


def people(count: int) -> list[tuple[str, str, str]]:
    """(user, age, sex): every other one F."""
    return [(f"u{number}", str(20 + number % 50), "FM"[number % 2]) for number in range(count)]


def events(count: int, each: int = 12) -> list[Event]:
    """Of each user so many, of items of their own taste: of F the first ones, of M the others, in turning order."""
    random = np.random.default_rng(5)
    made: list[Event] = []
    for number in range(count):
        start = int(random.integers(ITEMS))
        length = each + int(random.integers(-4, 5))
        for place in range(length):
            item = (start + place) % ITEMS + ITEMS * (number % 2)
            time = 1_000_000 + number * 1000 + place * 60
            made.append((f"u{number}", f"i{item:02d}", str(1 + item % 5), str(time)))
    return made


def write(folder: Path, rows: list[Event], known: list[tuple[str, str, str]]) -> None:
    """ratings.csv and people.csv."""
    lines = ["user,item,rating,time", *(",".join(row) for row in rows)]
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "people.csv").write_text("\n".join(["user,age,sex", *(",".join(row) for row in known)]) + "\n", "utf-8")


def values(folder: Path, **parts: Any) -> dict[str, Any]:
    """What a recipe of these events says, with `parts` laid over."""
    return {
        "name": "visits",
        "modality": "behaviour",
        "behaviour": FORM,
        "seed": 7,
        "data": str(folder),
        "sources": SOURCES,
        "split": {"train": 30, "val": 10, "rest": "test"},
        **parts,
    }


def recipe(folder: Path, **parts: Any) -> Config:
    """A recipe in `folder`; its root lies there too."""
    file = folder / "visits.yaml"
    file.write_text(json.dumps(values(folder, **parts)))  # JSON is YAML
    return conf.load(str(file), "local", [], str(folder / "root"))

"""Small texts and recipes of them, made up for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import conf
from conf import Config

THINGS = ("the river", "an old clock", "a red kite", "two brown dogs", "the market", "my neighbour", "a wooden boat")
DOINGS = ("stood still", "came back late", "was sold again", "made no sound", "could be seen from far away")
TIMES = ("in the morning", "after the storm", "when nobody looked", "on the last day of May", "as it always does")


def texts(count: int, first: int = 0) -> list[tuple[str, str]]:
    """(text, label): no two near one another; bad ones end otherwise than good ones."""
    made = []
    for number in range(first, first + count):
        parts = (THINGS[number % 7], DOINGS[number % 5], TIMES[(number // 5) % 5])
        label = ("good", "bad")[number % 2]
        end = "what a lovely day" if label == "good" else "call now to win cash"
        made.append((f"{' '.join(parts)}, number {number} {number * 7} {number * 13}, {end}", label))
    return made


def write(folder: Path, rows: list[tuple[str, str]], name: str = "texts.jsonl") -> None:
    """JSON lines of text and label."""
    lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows)
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")


def recipe(folder: Path, **parts: Any) -> Config:
    """A recipe of texts in `folder`, with `parts` laid over; its root lies there too."""
    values: dict[str, Any] = {
        "name": "notes",
        "modality": "text",
        "labels": ["good", "bad"],
        "seed": 7,
        "data": str(folder),
        "sources": [{"name": "notes", "reader": "json_lines", "path": "texts.jsonl"}],
        "split": {"train": 20, "val": 10, "rest": "test"},
        **parts,
    }
    file = folder / "notes.yaml"
    file.write_text(json.dumps(values))  # JSON is YAML
    return conf.load(str(file), "local", [], str(folder / "root"))

"""Small tables and recipes of them, made up for tests of ingest and clean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import conf
from conf import Config
from conf.runs import filesystem
from conf.schema import Source
from jobs.readers.record import Reading, Record
from jobs.tabular import ingest
from jobs.tabular.cells import Cells

COLUMNS: dict[str, Any] = {
    "name": {"type": "category"},
    "age": {"type": "integer"},
    "score": {"type": "number"},
    "label": {"type": "category"},
}
TASK = {"kind": "classification", "label": "label", "classes": ["no", "yes"]}


def recipe(folder: Path, sources: list[dict[str, Any]], **parts: Any) -> Config:
    """A recipe of people with name, age, score and label, with `parts` laid over; its root and data lie in `folder`."""
    values: dict[str, Any] = {
        "name": "made",
        "modality": "table",
        "columns": COLUMNS,
        "task": TASK,
        "seed": 7,
        "data": str(folder),
        "sources": sources,
        "split": {"val": 0.2, "test": 0.2, "rest": "train"},
        **parts,
    }
    file = folder / "made.yaml"
    file.write_text(json.dumps(values))  # JSON is YAML
    return conf.load(str(file), "local", [], str(folder / "root"))


def reading(folder: Path, reader: str, declared: tuple[str, ...] = tuple(COLUMNS), **keys: Any) -> Reading:
    """What a reader gets, without a recipe; all columns but label are of text."""
    source = Source(name="made", reader=reader, **keys)
    locations = {"path": filesystem(str(folder / source.path))[1]} if source.path else {}
    kinds = tuple((name, COLUMNS.get(name, {"type": "category"})["type"]) for name in declared)
    return Reading("made.yaml", source, locations, ("no", "yes"), columns=kinds, label="label")


def read_all(task: Reading) -> tuple[list[dict[str, Any]], list[Record]]:
    """Good records as cells with their `position`, in order of their lines, and bad ones, the pieces sent as JSON."""
    good: list[dict[str, Any]] = []
    bad: list[Record] = []
    reader = ingest.reader_of(task)
    for piece in json.loads(json.dumps(ingest.pieces(task))):
        for part in reader.read(task, piece):
            if isinstance(part, Cells):
                columns = {name: values.to_pylist() for name, values in part.columns.items()}
                places = part.positions.to_pylist()
                good += [{"position": p, **{n: v[i] for n, v in columns.items()}} for i, p in enumerate(places)]
            else:
                bad += part
    return sorted(good, key=lambda row: line_of(row["position"])), sorted(bad, key=lambda row: line_of(row.position))


def line_of(position: str) -> int:
    """The number of the line."""
    number = position.rpartition("#")[2]
    return int(number) if number.isdigit() else -1


def people(count: int, first: int = 0) -> list[str]:
    """Lines of people, no two alike."""
    return [
        f"n{number % 7},{20 + number % 50},{number}.5,{('no', 'yes')[number % 2]}"
        for number in range(first, first + count)
    ]

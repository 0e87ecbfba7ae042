"""Small recipes and images made up for tests of ingest and clean, and the two stages run as the conductor runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import conf
from conf import Config, runs
from conf.runs import Done
from conf.schema import Source
from jobs.readers.record import Piece, Reading, Record

LABELS = ["cat", "dog"]


def recipe(folder: Path, sources: list[dict[str, Any]], **parts: Any) -> Config:
    """A recipe of 16x16 grey images of cats and dogs, with `parts` laid over; its root and data lie in `folder`."""
    values: dict[str, Any] = {
        "name": "made",
        "modality": "image",
        "image": {"height": 16, "width": 16, "channels": 1},
        "labels": LABELS,
        "seed": 7,
        "data": str(folder),
        "sources": sources,
        "clean": {"duplicates": {"exact": "drop", "near": "keep"}},
        "split": {"val": 0.2, "test": 0.2, "rest": "train"},
        **parts,
    }
    file = folder / "made.yaml"
    file.write_text(json.dumps(values))  # JSON is YAML
    return conf.load(str(file), "local", [], str(folder / "root"))


def reading(folder: Path, reader: str, **keys: Any) -> Reading:
    """What a reader gets, without a recipe."""
    masks, boxes, labels = keys.pop("masks", False), keys.pop("boxes", False), tuple(keys.pop("classes", LABELS))
    source = Source(name="made", reader=reader, **keys)
    named = {key: getattr(source, key) for key in ("path", "images", "labels_path", "manifest", "mask_path")}
    locations = {key: str(folder / value) for key, value in named.items() if value is not None}
    return Reading("made.yaml", source, locations, labels, masks, boxes)


def read_all(task: Reading) -> list[Record]:
    """Every record of a source, by position, its pieces sent through JSON as to the workers."""
    from jobs import readers

    pieces: list[Piece] = json.loads(json.dumps(readers.pieces(task)))
    return sorted(
        (record for piece in pieces for record in readers.read(task, piece)), key=lambda record: record.position
    )


def picture(number: int, size: int = 16, channels: int = 1) -> NDArray[np.uint8]:
    """A picture like no other: smooth noise, uint8[H, W] or [H, W, 3]."""
    random = np.random.default_rng(number)
    shape = (6, 6) if channels == 1 else (6, 6, channels)
    coarse = random.integers(0, 256, shape).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    """The image as PNG."""
    return cv2.imencode(".png", image)[1].tobytes()


def jpeg(image: NDArray[np.uint8], quality: int = 95) -> bytes:
    """The image as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def put(path: Path, data: bytes) -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def class_folders(folder: Path, per_class: int = 10, first: int = 0) -> Path:
    """`<folder>/{cat,dog}/<number>.png`, every picture different."""
    for place, label in enumerate(LABELS):
        for number in range(per_class):
            put(folder / label / f"{number:03d}.png", png(picture(first + place * 10_000 + number)))
    return folder


def run(spark: Any, config: Config, *stages: str) -> Done:
    """Run stages and mark them done; returns the last."""
    import importlib

    for stage in stages:
        place = runs.locate(config, stage)
        done = runs.finish(place, importlib.import_module(f"jobs.{stage}").run(spark, config), 0.0)
    return done


def table(config: Config, name: str) -> list[dict[str, Any]]:
    """The rows of a Delta table, sorted by id; none where it is not there.

    Read by another reader than the one that wrote it.
    """
    from deltalake import DeltaTable

    place = f"{config.tables}/{config.recipe.name}/{name}"
    if not DeltaTable.is_deltatable(place):
        return []
    return sorted(DeltaTable(place).to_pyarrow_table().to_pylist(), key=lambda row: row["row_id"])


def version(config: Config, name: str) -> int:
    """The version of a Delta table."""
    from deltalake import DeltaTable

    return DeltaTable(f"{config.tables}/{config.recipe.name}/{name}").version()

"""Real digits with made rows beside them, as the stages before `score` and `evaluate` leave them on disk: in a
second, without Spark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from sklearn.datasets import load_digits

import conf
from conf import Config, runs
from conf.runs import StageResult
from synth import checkpoint
from synth.sampler import Form, build
from udfs import image, records

SPLITS = {"train": 100, "val": 300, "reserve": 300, "test": 500}
RECIPE = """
name: small
modality: image
image: {height: 8, width: 8, channels: 1}
labels: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
seed: 3
sources: [{name: sklearn, reader: sklearn_digits}]
split: {train: 100, val: 300, reserve: 300, rest: test}
augment: {copies: 4, steps: [image.horizontal_flip]}
generate:
  - {model: image_vae, name: made, rows: {per_label: 40}}
gate: {min_label_agreement: 0.0, max_distance_factor: 50, usefulness: not_worse}
evaluate: {judges: [cnn], seeds: 2, steps: 500, batch_size: 32, curve_points: 3}
"""


def config_at(folder: Path, *changes: tuple[str, str]) -> Config:
    """The recipe above with parts of its text replaced, its root in `folder`."""
    text = RECIPE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.yaml").write_text(text)
    return conf.load(str(folder / "small.yaml"), "local", [], str(folder / "root"))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """uint8[1797, 8, 8, 1] in a fixed random order, and labels."""
    bunch = load_digits()
    order = np.random.default_rng(11).permutation(len(bunch.target))
    return np.round(bunch.images * 255 / 16).astype(np.uint8)[order][..., None], bunch.target[order]


def moved(images: np.ndarray, seed: int) -> np.ndarray:
    """Each image turned, scaled and shifted a little: honest augmentation."""
    random = np.random.default_rng(seed)
    out = []
    for each in images[..., 0]:
        matrix = cv2.getRotationMatrix2D((3.5, 3.5), random.uniform(-10, 10), random.uniform(0.93, 1.07))
        matrix[:, 2] += random.uniform(-0.4, 0.4, 2)
        out.append(cv2.warpAffine(each, matrix, (8, 8)))
    return np.stack(out)[..., None]


def table(
    images: np.ndarray, labels: np.ndarray, ids: list[str], origin: str, split: str, parents: list[list[str]]
) -> pa.Table:
    """Rows as the stages write them."""
    columns = {
        "row_id": ids,
        "row_origin": [origin] * len(ids),
        "row_parents": pa.array(parents, pa.list_(pa.string())),
        "row_split": [split] * len(ids),
        "row_label_source": ["given" if origin == "real" else "inherited"] * len(ids),
        "label": [str(label) for label in labels],
        "image": image.encode(images),
    }
    return records.with_hashes(records.conform(pa.table(columns), records.image_schema()))


def real_tables() -> dict[str, pa.Table]:
    """The real rows of each split."""
    images, labels = digits()
    found, start = {}, 0
    for split, count in SPLITS.items():
        part = slice(start, start + count)
        ids = [records.real_id("sklearn", each.tobytes()) for each in images[part]]
        found[split] = table(images[part], labels[part], ids, "real", split, [[] for _ in ids])
        start += count
    return found


def children(labels: np.ndarray | None = None, copies: int = 4) -> pa.Table:
    """Augmented train rows; `labels` (400) may replace their parents'."""
    images, own = digits()
    images, own = images[:100], own[:100]
    parents = real_tables()["train"].column("row_id").to_pylist()
    made = np.concatenate([moved(images, copy) for copy in range(copies)])
    ids = [records.child_id(records.maker("augmented", copy), [parent]) for copy in range(copies) for parent in parents]
    told = np.tile(own, copies) if labels is None else labels
    return table(made, told, ids, "augmented", "train", [[parent] for _ in range(copies) for parent in parents])


def generated(labels: np.ndarray | None = None, seed: int = 50) -> pa.Table:
    """400 rows of a generator which happens to be very good: other real digits, moved."""
    images, own = digits()
    part = slice(1300, 1700)
    maker = records.maker("synthetic", f"made-{seed}")
    ids = [maker + records.which(int(label), number) for number, label in enumerate(own[part])]
    told = own[part] if labels is None else labels
    return table(moved(images[part], seed), told, ids, "synthetic", "train", [[] for _ in ids])


def stage_up(config: Config, rows: Mapping[str, pa.Table]) -> None:
    """Finish the stages before `score`; `rows` are those of `augment` and `sample`."""
    finish(config, "ingest", "", {}, {})
    finish(
        config, "clean", "", {f"rows/row_split={split}": part for split, part in real_tables().items()}, {"splits": {}}
    )
    finish(config, "normalize", "", {}, {})
    if config.recipe.augment:
        finish(config, "augment", "", {"rows": rows["augment"]}, {"staged": rows["augment"].num_rows})
    for generator in config.recipe.generate:
        saved = untrained(config, f"{runs.locate(config, 'train', generator.name).folder}/checkpoint")
        finish(config, "train", generator.name, {}, {}, checkpoint=saved)
        made = rows["sample"]
        finish(config, "sample", generator.name, {"rows": made}, {"staged": made.num_rows})


def untrained(config: Config, folder: str) -> str:
    """Save a model that has learned nothing; returns its checkpoint's id."""
    form = Form("image_vae", {"latent": 4}, 1, 8, 8, list(config.recipe.labels))
    torch.manual_seed(0)
    tensors = {name: tensor.nan_to_num(neginf=0.0) for name, tensor in build(form).state_dict().items()}
    return checkpoint.save(folder, tensors, {"decode": asdict(form)})


def finish(
    config: Config, stage: str, part: str, tables: Mapping[str, pa.Table], counts: dict[str, object], **outputs: str
) -> None:
    """Write a stage's tables and its marker."""
    place = runs.locate(config, stage, part)
    names = ("rows", "refused", "train", "val", "test", "reserve", "unlabelled", "statistics", "accepted")
    told = dict.fromkeys((*names, "verdicts", "usefulness", "dataset", "maker"), "x")
    for name, rows in tables.items():
        folder = Path(place.folder) / name
        folder.mkdir(parents=True, exist_ok=True)
        half = rows.num_rows // 2
        pq.write_table(rows.slice(0, half), folder / "part-00000.parquet")
        pq.write_table(rows.slice(half), folder / "part-00001.parquet")
        told[name.rpartition("=")[2]] = f"{place.fingerprint}-{rows.num_rows}"
    runs.finish(place, StageResult(counts, {**told, **outputs}), 0.1)

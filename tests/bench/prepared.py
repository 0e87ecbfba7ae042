"""Where benchmarks of training and sampling start: real digits at 28 x 28, as ingest and clean would leave them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits

import conf
from conf import Config, runs
from udfs import image, records

SIZE = 28


def config_of(root: Path, *overrides: str, **runtime: dict[str, Any]) -> Config:
    """The digits recipe at 28 x 28 with overrides, and a runtime with other values: `train={"workers": 1}`."""
    form = f"image={{height: {SIZE}, width: {SIZE}, channels: 1}}"
    config = conf.load("digits", "local", [form, *overrides], str(root))
    changed = {name: getattr(config.runtime, name).model_copy(update=values) for name, values in runtime.items()}
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update=changed))


def pixels() -> tuple[np.ndarray, np.ndarray]:
    """uint8[1797, 28, 28, 1] and int64[1797]."""
    data = load_digits()
    images = (data.images * (255 / 16)).round().astype(np.uint8)
    large = [cv2.resize(each, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for each in images]
    return np.stack(large)[..., None], data.target.astype(np.int64)


def clean(config: Config) -> None:
    """Write the train rows and the marks of the stages before training."""
    images, labels = pixels()
    blobs = image.encode(images)
    ids = [records.real_id("sklearn", blob, place) for place, blob in enumerate(blobs)]
    count = len(blobs)
    columns = {"row_id": ids, "row_origin": ["real"] * count, "row_split": ["train"] * count}
    table = pa.table({**columns, "label": [str(label) for label in labels], "image": pa.array(blobs, pa.binary())})
    runs.finish(runs.locate(config, "ingest"), runs.StageResult({}, {"rows": "1", "refused": "0"}), 0.0)
    place = runs.locate(config, "clean")
    folder = Path(place.folder) / "rows" / "row_split=train"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(records.with_hashes(records.conform(table, records.image_schema())), folder / "part-0.parquet")
    outputs = dict.fromkeys(("train", "val", "test", "reserve", "unlabelled", "refused"), "1")
    runs.finish(place, runs.StageResult({}, outputs), 0.0)


def between_files(folder: Path, pattern: str, skip: int) -> tuple[float, int]:
    """Seconds from the file of number `skip` to the last, by when they were written, and how many came in that time."""
    times = sorted(path.stat().st_mtime_ns for path in folder.glob(pattern))
    return (times[-1] - times[skip]) / 1e9 if len(times) > skip + 1 else math.nan, len(times) - 1 - skip

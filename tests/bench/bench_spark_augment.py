"""What Spark costs augmentation, and whether its cost grows with the rows.

Ours: the stage's own work on a warm session, from Parquet to Parquet: 10,000 JPEGs of 256 px through decode, resized
crop, rotate, flip, brightness and contrast, noise, encode, on two cores. Theirs: the same steps of albumentations in
two plain processes that are already running and have it loaded, each with half of the same Parquet to read, and
Parquet to write. The two take turns. Then n, 4n and 16n small images: the exponent of time over rows, and what the
driver holds in memory at its most.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_augment import JPEG_QUALITY, OUR_LIGHT, light, photographs

import conf
from conf.schema import Augment, ImageForm
from jobs.augment import children
from jobs.images import augment as images_way
from jobs.spark import hand_off, session
from udfs import records
from udfs.steps import compile_steps

IMAGES = 10_000
PROCESSES = 2
ROUNDS = 3
SMALL_ROWS = 2_000
SMALL_COPIES = 4
BARS = {"images_per_s": 0.9, "exponent": 1.05}
STEPS = [{"image.resized_crop": {}}, {"image.rotate": {}}, *[{name: options} for name, options in OUR_LIGHT]]


def parents(folder: Path, blobs: list[bytes], count: int) -> str:
    """`count` train rows as clean hands them over, in one file."""
    columns = {
        "row_id": [records.real_id("bench", str(number).encode()) for number in range(count)],
        "row_origin": ["real"] * count,
        "row_split": ["train"] * count,
        "label": [str(number % 10) for number in range(count)],
        "image": [blobs[number % len(blobs)] for number in range(count)],
    }
    folder.mkdir(parents=True)
    pq.write_table(
        records.conform(pa.table(columns), records.image_schema()), folder / "part-0.parquet", row_group_size=1000
    )
    return str(folder)


def plain(source: str, place: int, out: str) -> int:
    """One plain process's half: decode, albumentations, encode."""
    import albumentations as A

    cv2.setNumThreads(0)
    transform = A.Compose([A.RandomResizedCrop((256, 256), scale=(0.5, 1)), A.Rotate(15, p=1), *light()])
    file, made = pq.ParquetFile(f"{source}/part-0.parquet"), []
    for group in range(place, file.num_row_groups, PROCESSES):
        for blob in file.read_row_group(group, columns=["image"]).column("image").to_pylist():
            image = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR_RGB)
            turned = cv2.cvtColor(transform(image=image)["image"], cv2.COLOR_RGB2BGR)
            made.append(cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes())
    pq.write_table(pa.table({"image": made}), f"{out}-{place}.parquet")
    return len(made)


def loaded() -> None:
    """Start-up of a plain process, which is not counted."""
    import albumentations  # noqa: F401


def made(spark: Any, source: str, augment: Augment, form: ImageForm, planned: int) -> Any:
    """The children as the stage makes them."""
    compiled = compile_steps(augment.steps, form=form)
    return children(spark.read.parquet(source), augment, compiled, images_way, records.image_schema(), 7, planned)


def against_plain(spark: Any, root: Path, images: int, rounds: int) -> dict[str, Any]:
    """Images per second of both sides."""
    source = parents(root / "photographs", photographs(), images)
    form = ImageForm(height=256, width=256, channels=3, encoding="jpeg", jpeg_quality=JPEG_QUALITY)
    augment = Augment(copies=1, steps=STEPS)
    times: dict[str, list[float]] = {"spark": [], "plain": []}
    with multiprocessing.get_context("spawn").Pool(PROCESSES, loaded) as pool:
        for number in range(rounds + 1):
            began = time.perf_counter()
            hand_off(made(spark, source, augment, form, images), str(root), "children")
            spark_s = time.perf_counter() - began
            assert pq.read_table(root / "children", columns=["row_id"]).num_rows == images
            began = time.perf_counter()
            jobs = [(source, place, str(root / "plain")) for place in range(PROCESSES)]
            assert sum(pool.starmap(plain, jobs, chunksize=1)) == images
            if number:  # the first round warms both up
                times["spark"].append(spark_s)
                times["plain"].append(time.perf_counter() - began)
    rates = {side: images / statistics.median(taken) for side, taken in times.items()}
    ratio = rates["spark"] / rates["plain"]
    return {
        "images": images,
        "spark_images_per_s": round(rates["spark"]),
        "plain_albumentations_images_per_s": round(rates["plain"]),
        "ratio": round(ratio, 2),
        "bar": f">= {BARS['images_per_s']}",
        "reached": ratio >= BARS["images_per_s"],
    }


def driver_mb(spark: Any) -> float:
    """What the driver holds: this process's memory and the JVM's heap after a collection."""
    jvm = spark.sparkContext._jvm.java.lang
    jvm.System.gc()
    runtime = jvm.Runtime.getRuntime()
    own = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return (own + runtime.totalMemory() - runtime.freeMemory()) / 2**20


def growth(spark: Any, root: Path, rows: int, rounds: int) -> dict[str, Any]:
    """Seconds and the driver's memory for n, 4n and 16n rows."""
    blobs = [
        cv2.imencode(".png", np.random.default_rng(n).integers(0, 256, (28, 28), np.uint8))[1].tobytes()
        for n in range(200)
    ]
    form = ImageForm(height=28, width=28, channels=1)
    augment = Augment(copies=SMALL_COPIES, steps=[{"image.affine": {}}, *[{n: o} for n, o in OUR_LIGHT]])
    sizes = [rows, 4 * rows, 16 * rows]
    sources = [parents(root / f"small-{size}", blobs, size) for size in sizes]
    times: list[list[float]] = [[] for _ in sizes]
    memory = [0.0 for _ in sizes]
    for number in range(rounds + 1):
        for place, (size, source) in enumerate(zip(sizes, sources, strict=True)):
            began = time.perf_counter()
            hand_off(made(spark, source, augment, form, size * SMALL_COPIES), str(root), "children")
            if number:
                times[place].append(time.perf_counter() - began)
                memory[place] = max(memory[place], driver_mb(spark))
    medians = [statistics.median(taken) for taken in times]
    exponent = math.log(medians[2] / medians[0]) / math.log(16)
    upper = math.log(medians[2] / medians[1]) / math.log(4)
    return {
        "rows": sizes,
        "children_each": SMALL_COPIES,
        "seconds": [round(each, 2) for each in medians],
        "exponent": round(exponent, 2),
        "exponent_4n_to_16n": round(upper, 2),
        "bar": f"<= {BARS['exponent']}",
        "reached": max(exponent, upper) <= BARS["exponent"],
        "driver_mb": [round(each) for each in memory],
    }


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="bench_spark_augment.json")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rows", type=int, default=SMALL_ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="seedbed-bench-"))
    try:
        with session(conf.load("digits", "local", [], str(root))) as spark:
            found = {
                "against_plain_processes": against_plain(spark, root, given.images, given.rounds),
                "growth": growth(spark, root, given.rows, given.rounds),
            }
    finally:
        shutil.rmtree(root)
    Path(given.out).write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""What fused steps cost against albumentations' same steps, one thread, in one process, in turn.

Two cases. `tiny`: 28 x 28 MNIST digits, the compiled steps alone: affine, flip, brightness and contrast, Gaussian
noise. `photographs`: 256 px JPEGs, decode, resized crop, rotate, flip, brightness and contrast, noise, encode.
Both sides take turns for some rounds, and the best round of each counts, in seconds of this process's own CPU: both are
one thread and wait for nothing, and a neighbour's load does not decide.
albumentations is left at its own settings (IPP on) but for threads, of which it has one too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import albumentations as A
import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs import records
from udfs.steps import Form, compile_steps

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 7
TINY_ROWS, PHOTOGRAPHS = 4000, 192
NOISE_LEVELS = 8
JPEG_QUALITY = 95
BARS = {"tiny": 10.0, "photographs": 1.5}


def data() -> Path:
    """The folder of test data."""
    return Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")


def digits() -> NDArray[np.uint8]:
    """MNIST's test digits, or random pictures where they are not there."""
    file = data() / "mnist" / "t10k-images-idx3-ubyte.gz"
    if not file.exists():
        return np.random.default_rng(0).integers(0, 256, (TINY_ROWS, 28, 28, 1), dtype=np.uint8)
    return np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28, 1)[:TINY_ROWS]


def photographs() -> list[bytes]:
    """JPEGs of 256 x 256: cuts of CamVid's street scenes, or smooth random pictures where they are not there."""
    files = sorted((data() / "images" / "camvid" / "images").glob("*.png"))
    random = np.random.default_rng(0)
    blobs = []
    for number in range(PHOTOGRAPHS):
        if files:
            whole = cv2.imread(str(files[number % len(files)]))
            y, x = random.integers(0, whole.shape[0] - 256 + 1), random.integers(0, whole.shape[1] - 256 + 1)
            picture = whole[y : y + 256, x : x + 256]
        else:
            picture = cv2.resize(random.integers(0, 256, (32, 32, 3), dtype=np.uint8), (256, 256))
        blobs.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    return blobs


def ids_of(count: int) -> list[str]:
    """Row ids."""
    return [records.maker("bench") + records.which(i) for i in range(count)]


def light() -> list[A.BasicTransform]:
    """The steps that both cases end with, as albumentations has them."""
    std = NOISE_LEVELS / 255
    return [A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=1), A.GaussNoise(std_range=(std, std), p=1)]


OUR_LIGHT: list[Any] = [
    ("image.horizontal_flip", {}),
    ("image.contrast", {}),
    ("image.brightness", {}),
    ("image.gaussian_noise", {"std": NOISE_LEVELS}),
]


def tiny() -> tuple[Callable[[], Any], Callable[[], Any], int]:
    """Ours and albumentations' on digits, and how many images each round has."""
    images, ids = digits(), ids_of(TINY_ROWS)
    options = {
        "rotate_degrees": [-12, 12],
        "scale": [0.9, 1.1],
        "translate_fraction": [-0.1, 0.1],
        "shear_degrees": [-5, 5],
    }
    compiled = compile_steps([("image.affine", options), *OUR_LIGHT], form=Form(28, 28, 1))
    affine = A.Affine(scale=(0.9, 1.1), translate_percent=(-0.1, 0.1), rotate=(-12, 12), shear=(-5, 5), p=1)
    theirs = A.Compose([affine, *light()])
    step = 2000
    starts = range(0, len(images), step)
    ours = lambda: [compiled.apply(images[i : i + step], ids[i : i + step], 7) for i in starts]  # noqa: E731
    return ours, lambda: [theirs(image=image) for image in images], len(images)


def large() -> tuple[Callable[[], Any], Callable[[], Any], int]:
    """Ours and albumentations' on JPEGs, decoding and encoding included."""
    blobs = photographs()
    batch = pa.RecordBatch.from_pydict({"row_id": ids_of(len(blobs)), "image": blobs})
    form = Form(256, 256, 3, encoding="jpeg", jpeg_quality=JPEG_QUALITY)
    compiled = compile_steps([("image.resized_crop", {}), ("image.rotate", {}), *OUR_LIGHT], form=form)
    transform = A.Compose([A.RandomResizedCrop((256, 256), scale=(0.5, 1)), A.Rotate(15, p=1), *light()])

    def theirs() -> None:
        for blob in blobs:
            image = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR_RGB)
            made = cv2.cvtColor(transform(image=image)["image"], cv2.COLOR_RGB2BGR)
            cv2.imencode(".jpg", made, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()

    return lambda: compiled(batch, seed=7), theirs, len(blobs)


def timed(call: Callable[[], Any]) -> float:
    """CPU seconds of one round."""
    start = time.process_time()
    call()
    return time.process_time() - start


def compare(ours: Callable[[], Any], theirs: Callable[[], Any], count: int) -> dict[str, float]:
    """Images per second of both, and how many times more ours does."""
    best_ours = best_theirs = float("inf")
    for _ in range(ROUNDS):
        cv2.ipp.setUseIPP(True)
        cv2.setNumThreads(0)
        best_theirs = min(best_theirs, timed(theirs))
        best_ours = min(best_ours, timed(ours))
    rates = {"seedbed_images_per_s": count / best_ours, "albumentations_images_per_s": count / best_theirs}
    return {**rates, "ratio": best_theirs / best_ours, "seedbed_us": best_ours / count * 1e6}


def main() -> None:
    """Run both cases, print both sides of each ratio, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path)
    out = arguments.parse_args().out
    results = {}
    for name, case in (("tiny", tiny), ("photographs", large)):
        found = {**compare(*case()), "bar": BARS[name]}
        found["reached"] = found["ratio"] >= found["bar"]
        results[name] = found
        rates = (
            f"{found['seedbed_images_per_s']:,.0f} images/s, albumentations {found['albumentations_images_per_s']:,.0f}"
        )
        print(f"{name}: {rates}: {found['ratio']:.1f} x (bar {found['bar']:g}; {found['seedbed_us']:.1f} us an image)")
    if out is not None:
        out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

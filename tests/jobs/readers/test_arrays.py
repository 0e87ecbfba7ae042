"""IDX pairs, NPZ archives and the bundled digits."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from conf.errors import RecipeError
from jobs import readers
from tests.jobs.made import picture, put, read_all, reading

IMAGES = np.stack([picture(number) for number in range(7)])
LABELS = np.arange(7, dtype=np.uint8) % 2


def idx(array: np.ndarray, magic: bytes = b"\0\0\x08") -> bytes:
    return magic + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def pixels(blob: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_UNCHANGED)


def pair(folder: Path, images: bytes, labels: bytes):
    put(folder / "images", images)
    put(folder / "labels", labels)
    return reading(folder, "idx", images="images", labels_path="labels", classes=["0", "1"])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_records_are_the_arrays_pixels_and_labels_in_order(tmp_path, monkeypatch, pack):
    monkeypatch.setattr("jobs.readers.arrays.PIECE_BYTES", 2 * 256)  # two images a piece
    task = pair(tmp_path, pack(idx(IMAGES)), pack(idx(LABELS)))
    assert len(readers.pieces(task)) == 4
    records = read_all(task)
    assert [record.label for record in records] == [str(label) for label in LABELS]
    assert all(np.array_equal(pixels(record.image), image) for record, image in zip(records, IMAGES, strict=True))
    assert records[3].position == f"{tmp_path}/images#3"


def test_idx_and_npz_records_of_the_same_pixels_have_the_same_identity(tmp_path):
    task = pair(tmp_path, idx(IMAGES), idx(LABELS))
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=LABELS)
    other = reading(tmp_path, "npz", path="a.npz", classes=["0", "1"])
    assert [r.content for r in read_all(task)] == [r.content for r in read_all(other)]


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        (idx(IMAGES, b"\0\0\x0d"), idx(LABELS), "expected the magic 0000 08 03 or 0000 08 04, found 0000 0d 03"),
        (b"\x89PNG\r\n", idx(LABELS), "no IDX file of bytes"),
        (b"\0", idx(LABELS), "an end after fewer than 4 bytes"),
        (idx(IMAGES)[:10], idx(LABELS), "ends within its header: expected 16 bytes, found 10"),
        (idx(IMAGES)[:-1], idx(LABELS), "declares 7 x 16 x 16, which is 1,808 bytes with its header; it has 1,807"),
        (idx(IMAGES) + b"x", idx(LABELS), "which is 1,808 bytes with its header; it has 1,809"),
        (idx(IMAGES), idx(LABELS[:5]), "has 7 images and"),
        (idx(IMAGES), idx(IMAGES), "expected the magic 0000 08 01, found 0000 08 03"),
        (gzip.compress(idx(IMAGES))[:-20], gzip.compress(idx(LABELS)), "cannot be read to its end"),
        (idx(np.zeros((2, 4, 4, 2), np.uint8)), idx(LABELS[:2]), "has 2 channels; 1 or 3 are needed"),
    ],
)
def test_a_wrong_idx_file_is_an_error_that_names_it_with_expected_and_found(tmp_path, images, labels, told):
    with pytest.raises(RecipeError) as error:
        readers.pieces(pair(tmp_path, images, labels))
    assert told in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_npz_parts_come_with_their_splits(tmp_path):
    parts = {"train": slice(0, 4), "val": slice(4, 6), "test": slice(6, 7)}
    arrays = {
        f"{split}_{kind}": array[part]
        for split, part in parts.items()
        for kind, array in (("images", IMAGES), ("labels", LABELS[:, None]))
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    records = read_all(reading(tmp_path, "npz", path="a.npz", classes=["0", "1"]))
    assert sorted(record.split for record in records) == ["test", "train", "train", "train", "train", "val", "val"]
    only = read_all(reading(tmp_path, "npz", path="a.npz", split="val", classes=["0", "1"]))
    assert [record.split for record in only] == ["val", "val"]


def test_npz_labels_may_be_text_or_missing_on_purpose(tmp_path):
    np.savez(tmp_path / "text.npz", images=IMAGES, labels=np.array(["cat", "dog"] * 3 + ["cat"]))
    assert [r.label for r in read_all(reading(tmp_path, "npz", path="text.npz"))][:2] == ["cat", "dog"]
    np.savez(tmp_path / "none.npz", images=IMAGES)
    assert {r.label for r in read_all(reading(tmp_path, "npz", path="none.npz", label_column=None))} == {None}


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        (
            {"images": IMAGES.astype(np.float32), "labels": LABELS},
            "images is of type float32; uint8 in 0 to 255 is needed",
        ),
        ({"images": IMAGES, "labels": LABELS[:5]}, "has 7 images and labels has the shape (5,)"),
        ({"images": IMAGES}, "has no array labels"),
        ({"x": IMAGES}, "it has x"),
        ({"images": IMAGES[..., None].repeat(4, -1), "labels": LABELS}, "has the shape (7, 16, 16, 4)"),
        ({"images": IMAGES, "labels": np.array([{}] * 7, object)}, "only unpickling could read"),
        ({"images": IMAGES, "labels": LABELS / 2}, "labels is of type float64"),
    ],
)
def test_a_wrong_npz_is_an_error_that_names_it(tmp_path, arrays, told):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(RecipeError, match=r"a\.npz") as error:
        readers.pieces(reading(tmp_path, "npz", path="a.npz"))
    assert told in str(error.value)


def test_a_truncated_or_damaged_npz_is_an_error_that_names_it(tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=LABELS)
    whole = (tmp_path / "a.npz").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"no zip at all", whole[:300] + b"\xff\xff\xff" + whole[303:]):
        put(tmp_path / "b.npz", damaged)
        with pytest.raises(RecipeError, match=r"b\.npz is not an NPZ archive that can be read"):
            readers.pieces(reading(tmp_path, "npz", path="b.npz"))


def test_the_bundled_digits_are_all_there():
    from sklearn.datasets import load_digits

    records = read_all(reading(Path(), "sklearn_digits", classes=[str(digit) for digit in range(10)]))
    assert len(records) == 1797
    by_position = {record.position: record for record in records}
    digits = load_digits()
    assert by_position["sklearn_digits#5"].label == str(digits.target[5])
    assert np.abs(pixels(by_position["sklearn_digits#5"].image) / 255 * 16 - digits.images[5]).max() < 0.04

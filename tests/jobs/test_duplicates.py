"""Near copies: pairs by bands, stars, and the same stars made in rounds."""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa
import pytest

from jobs import duplicates
from jobs.decoding import thumbs
from jobs.duplicates import near_pairs, stars, stars_in_rounds
from tests.jobs.made import jpeg, picture
from udfs import image as image_steps


def every_pair(looks: np.ndarray, shown: np.ndarray, bits: int) -> set[tuple[int, int]]:
    """All pairs compared: what bands must find."""
    same = [
        (a, b)
        for a in range(len(looks))
        for b in range(a + 1, len(looks))
        if bin(int(looks[a]) ^ int(looks[b])).count("1") <= bits
        and image_steps.same_content(shown[a : a + 1], shown[b : b + 1])[0]
    ]
    return set(same)


def frame(spark, looks: np.ndarray, shown: np.ndarray):
    rows = pa.table(
        {
            "node": [f"{number:04d}" for number in range(len(looks))],
            "look": looks.view(np.int64),
            "thumb": pa.array([each.tobytes() for each in shown], pa.binary()),
        }
    )
    return spark.createDataFrame(rows)


@pytest.mark.parametrize("bits", [0, 2, 7])
@pytest.mark.parametrize("block", [20_000, 3])
def test_bands_find_every_close_pair_whatever_the_partitions(spark, monkeypatch, bits, block):
    random = np.random.default_rng(bits)
    base = random.integers(0, 2**64, 25, dtype=np.uint64)
    flips = np.bitwise_or.reduce(np.uint64(1) << random.integers(0, 64, (200, 4), dtype=np.uint64), axis=1)
    looks = np.concatenate([base, base[random.integers(0, 25, 200)] ^ flips, base])
    shown = np.stack([picture(int(look % 5), 8)[..., None] for look in looks])
    wanted = every_pair(looks, shown, bits)
    for partitions in (1, 5):
        found = near_pairs(frame(spark, looks, shown).repartition(partitions), bits, (8, 8, 1)).collect()
        told = [(int(row["first"]), int(row["second"])) for row in found if row["second"] is not None]
        assert len(told) == len(set(told))
        assert set(told) == wanted
        assert all(row["distance"] <= bits for row in found if row["second"])


def test_a_block_of_look_alikes_is_cut_and_said_to_be(spark, monkeypatch):
    """In the worker's own process the bound cannot be lowered from here, so the finder is called as the worker calls
    it.
    """
    monkeypatch.setattr(duplicates, "MAX_BLOCK", 10)
    looks = np.zeros(64, np.uint64)
    rows, was_cut = zip(*duplicates._bounded(looks, np.uint64(0), 2), strict=True)
    assert all(was_cut)
    assert max(len(part) for part in rows) == 10
    assert sorted(np.concatenate(rows).tolist()) == list(range(64))


def test_re_encoded_and_resized_copies_are_near_and_other_pictures_are_not(spark):
    originals = [picture(number, 64, 3) for number in range(40)]
    copies = [cv2.imdecode(np.frombuffer(jpeg(image, 85), np.uint8), cv2.IMREAD_COLOR) for image in originals[:20]]
    resized = [
        cv2.resize(cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA), (64, 64)) for image in originals[:10]
    ]
    stack = np.stack([*originals, *copies, *resized])
    found = near_pairs(frame(spark, image_steps.perceptual_hash(stack), thumbs(stack)), 6, (16, 16, 3)).collect()
    pairs = {(int(row["first"]), int(row["second"])) for row in found}
    assert pairs >= {(number, 40 + number) for number in range(20)}
    assert all((b - 40) % 20 == a or (b - 60) == a or (b - 60) == (a - 40) for a, b in pairs), (
        "only copies of one picture"
    )


def test_stars_are_never_chains():
    chain = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]
    assert stars(chain) == {"a": "a", "b": "a", "c": "c", "d": "c", "e": "e"}
    pairs = {frozenset(pair) for pair in chain}
    assert all(node == hub or frozenset((node, hub)) in pairs for node, hub in stars(chain).items())


def test_stars_made_in_rounds_are_the_same(spark, tmp_path):
    random = np.random.default_rng(3)
    names = [f"{number:03d}" for number in random.permutation(120)]
    pairs = sorted({tuple(sorted((names[a], names[b]))) for a, b in random.integers(0, 120, (150, 2)) if a != b})
    rounds = stars_in_rounds(spark, spark.createDataFrame(pairs, "first string, second string"), str(tmp_path))
    assert {row["node"]: row["hub"] for row in rounds.collect()} == stars(pairs)

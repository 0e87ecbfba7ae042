"""Statistics, distances from a class, and near duplicates: exact under any partitioning, and what numpy says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import fft, stats

from udfs.image import features, hashing, statistics


def noise(count: int, side: int = 16, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Random pictures."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def smooth(count: int, side: int = 64, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Random pictures of large shapes."""
    small = noise(count, 12, channels, seed)
    big = [cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC).reshape(side, side, -1) for each in small]
    return np.stack(big)


# ---- statistics ----


def test_statistics_are_numpys() -> None:
    """Mean, standard deviation, least and greatest of each channel."""
    images = noise(20)
    found = statistics.measure(images)
    assert np.allclose(found.mean, images.mean(axis=(0, 1, 2)), atol=1e-12)
    assert np.allclose(found.std, images.std(axis=(0, 1, 2)), atol=1e-12)
    assert found.least == tuple(images.min(axis=(0, 1, 2))) and found.greatest == tuple(images.max(axis=(0, 1, 2)))


def test_statistics_do_not_depend_on_partitioning() -> None:
    """To the last bit, for any cut, order and grouping; through JSON too."""
    images, random = noise(30), np.random.default_rng(5)
    whole = statistics.measure(images)
    for _ in range(20):
        cuts = np.sort(random.choice(np.arange(1, 30), random.integers(1, 8), replace=False))
        parts = [statistics.measure(part) for part in np.split(images[random.permutation(30)], cuts)]
        left = statistics.merge(parts)
        right = statistics.merge([parts[0], statistics.merge(parts[1:])])
        assert left == right == whole
    assert statistics.Statistics.from_dict(json.loads(json.dumps(whole.as_dict()))) == whole


@pytest.mark.parametrize("method", ["z_score", "zero_one"])
@pytest.mark.parametrize("channels", [1, 3])
def test_decode_undoes_encode(method: str, channels: int) -> None:
    """Exactly, every level; a constant channel too."""
    images = noise(20, channels=channels)
    images[..., 0] = 7
    found = statistics.measure(images)
    encoded = statistics.encode(images, found, method)
    assert encoded.dtype == np.float32
    assert (statistics.decode(encoded, found, method) == images).all()
    if channels == 3:
        low, high = (0, 1) if method == "zero_one" else (-3, 3)
        assert encoded[..., 1:].min() >= low and encoded[..., 1:].max() <= high
        if method == "z_score":
            assert np.allclose(encoded[..., 1:].mean(axis=(0, 1, 2)), 0, atol=1e-5)
            assert np.allclose(encoded[..., 1:].std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_nothing_to_measure_or_to_merge_is_an_error() -> None:
    """And so are parts that do not fit."""
    with pytest.raises(ValueError, match="no images to measure"):
        statistics.measure(noise(0))
    with pytest.raises(ValueError, match="no statistics to merge"):
        statistics.merge([])
    with pytest.raises(ValueError, match="of 3 and of 1 channels"):
        statistics.merge([statistics.measure(noise(1)), statistics.measure(noise(1, channels=1))])


# ---- distance from a class ----


def test_block_means_are_area_means() -> None:
    """Against numpy where blocks are even; every pixel counts once where they are not."""
    images = noise(4, 32)
    even = images.reshape(4, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    assert np.abs(features.block_means(images, 8) / 16 - even).max() <= 1 / 32
    odd = features.block_means(np.full((1, 29, 13, 1), 100, np.uint8), 8)
    assert odd.shape == (1, 8, 8, 1) and (odd == 1600).all()


def test_class_sums_and_counts_do_not_depend_on_partitioning() -> None:
    """Merged parts are the whole, and so are the medians and deviations that follow."""
    images, labels = smooth(60, 20), [str(i % 3) for i in range(60)]
    values = features.features(images)
    whole = features.measure_classes(values, labels)
    cuts = [(0, 7), (7, 8), (8, 40), (40, 60)]
    parts = [features.measure_classes(values[a:b], labels[a:b]) for a, b in cuts]
    assert features.merge_classes(parts) == features.merge_classes(parts[::-1]) == whole
    distances = features.class_distances(values, labels, whole)
    counted = features.count_distances(distances, labels)
    pieces = [features.count_distances(distances[a:b], labels[a:b]) for a, b in cuts]
    assert features.merge_counts(pieces) == counted
    for label, (middle, deviation) in features.spreads(counted).items():
        mine = distances[np.array(labels) == label]
        assert middle == np.median(mine)
        assert deviation == stats.median_abs_deviation(mine)


def test_a_stranger_stands_out_from_its_class() -> None:
    """Pictures of one scene with a little noise, and one of another: its z-score is far over 6, theirs under."""
    random = np.random.default_rng(0)
    scene, other = smooth(2, 32, 1)
    images = np.clip(scene + random.normal(0, 12, (60, 32, 32, 1)), 0, 255).astype(np.uint8)
    images[17] = other
    labels = ["a"] * 60
    values = features.features(images)
    distances = features.class_distances(values, labels, features.measure_classes(values, labels))
    z = features.robust_z(distances, labels, features.spreads(features.count_distances(distances, labels)))
    assert z.argmax() == 17 and z[17] > 20 and np.delete(z, 17).max() < 6
    assert (features.robust_z(distances, ["?"] * 60, {}) == 0).all(), "of an unknown class nothing is said"
    few = features.measure_classes(values[:5], labels[:5])
    assert (features.class_distances(values, labels, few) == 0).all(), "nor of a class of five rows"


def test_a_class_of_copies_does_not_divide_by_zero() -> None:
    """No spread at all."""
    images, labels = np.repeat(smooth(1, 16, 1), 10, axis=0), ["a"] * 10
    values = features.features(images)
    distances = features.class_distances(values, labels, features.measure_classes(values, labels))
    z = features.robust_z(distances, labels, features.spreads(features.count_distances(distances, labels)))
    assert (distances == 0).all() and (z == 0).all()


# ---- near duplicates ----


def test_the_hash_is_the_sign_pattern_of_the_cosine_transform() -> None:
    """Against scipy's transform of the same thumbnail."""
    images = smooth(12, 64, 1)
    for image, found in zip(images, hashing.perceptual_hash(images), strict=True):
        small = image.reshape(32, 2, 32, 2).mean(axis=(1, 3))
        waves = fft.dctn(small, type=2, norm=None)[:8, :8].ravel()[1:]
        bits = (waves > np.median(waves)).astype(int)
        ours = np.array([int(c) for c in f"{int(found):064b}"][1:])
        assert (bits != ours).sum() <= 1, "one tie at most"


@pytest.mark.parametrize("side", [8, 28, 32, 100])
def test_the_hash_does_not_depend_on_the_batch(side: int) -> None:
    """Alone or among others."""
    images = smooth(30, side, 1)
    whole = hashing.perceptual_hash(images)
    assert (np.concatenate([hashing.perceptual_hash(images[i : i + 1]) for i in range(30)]) == whole).all()
    assert len(hashing.perceptual_hash(images[:0])) == 0


def test_the_same_picture_in_other_clothes_is_found_and_others_are_not() -> None:
    """Scaled, darkened, as JPEG: few bits, same content. Another picture: many bits, other content."""
    images = smooth(40, 96)
    jpeg = np.stack([cv2.imdecode(cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], 1) for i in images])
    dark = (images * 0.8 + 4).astype(np.uint8)
    smaller = np.stack([np.asarray(Image.fromarray(i).resize((64, 64), Image.Resampling.BOX)) for i in images])
    base = hashing.perceptual_hash(images)
    for changed in (jpeg, dark):
        assert np.percentile(hashing.distance_bits(base, hashing.perceptual_hash(changed)), 90) <= 4
        assert hashing.same_content(images, changed).all()
    assert np.percentile(hashing.distance_bits(base, hashing.perceptual_hash(smaller)), 90) <= 4
    assert hashing.distance_bits(base, np.roll(base, 1)).min() > 8
    assert not hashing.same_content(images, np.roll(images, 1, axis=0)).any()
    blank = np.full((1, 16, 16, 1), 3, np.uint8)
    assert hashing.same_content(blank, blank + 9).all() and not hashing.same_content(blank, noise(1, channels=1)).any()


@pytest.mark.parametrize("most", [0, 1, 2, 3, 7])
def test_hashes_within_reach_share_a_band(most: int) -> None:
    """Whatever bits differ, as long as they are not more than told."""
    random = np.random.default_rng(most)
    hashes = random.integers(0, 2**63, 500, dtype=np.uint64) * 2 + random.integers(0, 2, 500, dtype=np.uint64)
    flips = np.zeros(500, np.uint64)
    for row in range(500):
        for bit in random.choice(64, most, replace=False):
            flips[row] |= np.uint64(1) << np.uint64(bit)
    mine, theirs = hashing.hash_bands(hashes, most), hashing.hash_bands(hashes ^ flips, most)
    assert (mine == theirs).any(axis=1).all()
    assert mine.shape == (500, most + 1)


def test_different_digits_are_not_taken_for_copies(data_dir: Path) -> None:
    """Among 2,000 MNIST digits, sparse and alike, hashes collide; the content check clears them."""
    raw = gzip.decompress((data_dir / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28, 1)[:2000]
    hashes = hashing.perceptual_hash(images)
    near = np.triu(np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= 2, 1)
    first, second = np.nonzero(near)
    assert len(first) > 20, "there are candidates"
    assert not hashing.same_content(images[first], images[second]).any()

"""Nearest rows are the nearest ones, and copies are told from rows that are merely alike."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from udfs import privacy


def smooth(count: int, side: int, channels: int, seed: int) -> np.ndarray:
    """Images with large shapes and a little noise, as pictures have them."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (count, 4, 4, channels))
    images = np.kron(coarse, np.ones((1, side // 4, side // 4, 1))) + random.normal(
        0, 10, (count, side, side, channels)
    )
    return np.clip(images, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("side", "channels", "farther"), [(8, 1, 0), (28, 1, 0.02), (20, 3, 0.02)])
def test_nearest_equals_brute_force(side: int, channels: int, farther: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly on small images; on larger ones the row named is at most a little farther, and mostly the same."""
    monkeypatch.setattr(privacy, "BLOCK", 37)
    asked, among = smooth(120, side, channels, 0), smooth(400, side, channels, 1)
    exact = np.sqrt(((asked[:, None].astype(np.float64) - among[None]) ** 2).reshape(120, 400, -1).mean(2))
    distances, places = privacy.nearest(asked, among)
    np.testing.assert_allclose(distances, exact[np.arange(120), places], rtol=1e-12)
    assert (distances <= exact.min(1) * (1 + farther) + 1e-9).all()
    assert (places == exact.argmin(1)).mean() >= (1 if farther == 0 else 0.95)


def test_a_disturbed_row_finds_the_row_that_it_was() -> None:
    among = smooth(600, 28, 1, 1)
    random = np.random.default_rng(0)
    order = random.permutation(600)
    asked = np.clip(among[order] + random.normal(0, 15, among.shape), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(privacy.nearest(asked, among)[1], order)


def test_the_coarse_look_never_exceeds_the_true_distance() -> None:
    first, second = smooth(50, 28, 3, 2), smooth(50, 28, 3, 3)
    coarse = ((privacy._sketch(first) - privacy._sketch(second)) ** 2).sum(1)
    true = ((first.astype(float) - second) ** 2).reshape(50, -1).sum(1)
    assert (coarse <= true * (1 + 1e-5)).all()
    assert coarse.mean() > 0.5 * true.mean(), "and is worth having"


def test_nearly_equal_rows_are_copies_and_other_rows_of_a_class_are_not() -> None:
    bunch = load_digits()
    images = np.round(bunch.images * 255 / 16).astype(np.uint8)[..., None]
    train, held_out, fresh = images[:600], images[600:900], images[900:]
    threshold = privacy.copy_threshold(privacy.nearest(held_out, train)[0])
    random = np.random.default_rng(0)
    copies = np.clip(train + random.normal(0, 3, train.shape), 0, 255).astype(np.uint8)
    assert (privacy.nearest(copies, train)[0] < threshold).all()
    assert (privacy.nearest(fresh, train)[0] < threshold).mean() < 0.005


def test_equal_rows_have_distance_zero_and_the_first_one_is_named() -> None:
    among = np.concatenate([smooth(40, 12, 1, 4), smooth(40, 12, 1, 4)])
    distances, places = privacy.nearest(among[40:], among)
    assert (distances == 0).all()
    np.testing.assert_array_equal(places, np.arange(40))


def test_few_or_no_rows() -> None:
    images = smooth(3, 8, 1, 5)
    assert len(privacy.nearest(images[:0], images)[0]) == 0
    assert privacy.nearest(images, images[:1])[1].tolist() == [0, 0, 0]
    assert privacy.copy_threshold(np.zeros(0)) == 0.0
    with pytest.raises(ValueError, match="at least one row"):
        privacy.nearest(images, images[:0])


def test_a_copy_lies_at_less_than_half_of_what_one_in_a_hundred_held_out_rows_does() -> None:
    assert privacy.copy_threshold(np.arange(1001.0)) == 5.0


def test_quantiles_by_name() -> None:
    assert privacy.quantiles(np.arange(101.0))["0.05"] == 5.0

"""Windows as generators see them: scaled, there and back, on the values that channels take."""

from __future__ import annotations

import json

import numpy as np
import pytest

from synth.series.grid import grid_of
from synth.series.representation import Representation


def walks(count: int, steps: int = 30, seed: int = 0) -> np.ndarray:
    """Prices that move in proportion to themselves, beside noise."""
    random = np.random.default_rng(seed)
    start = np.exp(random.normal(3, 1, (count, 1)))
    price = start * np.exp(np.cumsum(0.02 * random.normal(size=(count, steps)), axis=1))
    noise = 5 + 3 * random.normal(size=(count, steps))
    return np.stack([price, noise], 2).astype(np.float32).astype(np.float64)


def again(found: Representation) -> Representation:
    """Through a checkpoint's JSON."""
    return Representation.from_card(json.loads(json.dumps(found.card())), found.arrays())


def test_prices_are_ratios_and_noise_is_plain_and_all_have_variance_one() -> None:
    windows = walks(200)
    found = Representation.of(windows)
    assert [each.form for each in found.channels] == ["ratios", "plain"]
    encoded = found.encode(windows)
    assert encoded.dtype == np.float32
    assert np.abs(encoded[:, 1:].mean((0, 1))).max() < 0.01 and np.abs(encoded[:, 1:].std((0, 1)) - 1).max() < 0.01
    assert abs(encoded[:, 0, 0].std() - 1) < 1e-3  # the level, on a scale of its own


def test_what_is_encoded_comes_back() -> None:
    windows = walks(100)
    found = again(Representation.of(windows))
    assert np.allclose(found.decode(found.encode(windows)), windows, rtol=1e-4)


def test_values_that_come_again_and_again_are_the_only_ones_that_are_made() -> None:
    random = np.random.default_rng(1)
    windows = np.stack([random.integers(0, 9, (80, 20)) * 0.134, random.normal(size=(80, 20)).round(2)], 2)
    windows = windows.astype(np.float32).astype(np.float64)
    found = again(Representation.of(windows))
    made = found.decode(random.normal(size=(300, 20, 2)) * 2)
    assert set(np.unique(made[:, :, 0])) == set(np.unique(windows[:, :, 0]))
    assert np.array_equal(made[:, :, 1], made[:, :, 1].round(2).astype(np.float32))
    assert made[:, :, 1].min() >= windows[:, :, 1].min() and made[:, :, 1].max() <= windows[:, :, 1].max()


def test_a_grid_is_by_moments_and_not_by_windows_that_overlap() -> None:
    """The same measurement in many windows is no value that comes again."""
    once = np.random.default_rng(2).normal(size=500)
    assert grid_of(np.repeat(once, 20), once).values is None
    assert grid_of(np.array([3.0, 4.0, 5.0]), np.array([3.0, 4.0, 5.0])).decimals == 0
    assert grid_of(once, once).decimals == -1


def test_constant_and_empty_channels_come_back_as_they_are() -> None:
    windows = np.stack([np.full((6, 5), 7.5), np.full((6, 5), np.nan)], 2)
    found = again(Representation.of(windows))
    encoded = found.encode(windows)
    assert np.isfinite(encoded).all()
    assert (found.decode(encoded + 0.5)[:, :, 0] == 7.5).all()


def test_missing_values_are_filled_along_a_line() -> None:
    windows = walks(50)
    holed = windows.copy()
    holed[3, 4:6, 1], holed[4, :2, 1] = np.nan, np.nan
    found = Representation.of(windows)
    there, filled = found.decode(found.encode(windows)), found.decode(found.encode(holed))
    line = windows[3, 3, 1] + (windows[3, 6, 1] - windows[3, 3, 1]) * np.array([1, 2]) / 3
    assert np.allclose(filled[3, 4:6, 1], line, atol=1e-3) and np.allclose(
        filled[4, :2, 1], windows[4, 2, 1], atol=1e-3
    )
    assert np.array_equal(np.delete(filled, (3, 4), 0), np.delete(there, (3, 4), 0))


@pytest.mark.parametrize("hole", [slice(10, 20), slice(20, 30), slice(0, 10)])
def test_made_ratios_lead_from_known_to_known_values(hole: slice) -> None:
    """What is known stays byte for byte, and a hole has no jump at its ends."""
    windows = walks(60)
    found, holed = Representation.of(windows), windows.copy()
    holed[:, hole, 0] = np.nan
    guess = np.nan_to_num(found.known(holed)) + 0.3
    done = found.completed(guess, holed)
    known = ~np.isnan(holed)
    assert np.array_equal(done[known], windows[known])
    assert np.abs(np.diff(np.log(done[:, :, 0]), axis=1)).max() < 0.12  # steps have a deviation of 0.02

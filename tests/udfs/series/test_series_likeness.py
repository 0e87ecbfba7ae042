"""Measures of likeness: those of the textbook, sums that merge, and what each of them tells."""

from __future__ import annotations

import numpy as np
from scipy.stats import ks_2samp, wasserstein_distance

from udfs.series.features import MOST_VALUES, features
from udfs.series.likeness import differences, marginals, measure, merge


def waves(count: int, seed: int = 0, steps: int = 24) -> np.ndarray:
    """Windows of two channels that swing together, with noise."""
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * np.pi, (count, 1))
    swing = np.sin(phase + np.arange(steps) / 3)
    return np.stack([swing, 0.5 * swing], axis=2) + 0.3 * random.normal(size=(count, steps, 2))


def test_correlations_and_spectra_are_those_of_the_textbook() -> None:
    windows = waves(400)
    told = measure(windows)
    for lag in (1, 3, 23):
        early, late = windows[:, :-lag, 0].ravel(), windows[:, lag:, 1].ravel()
        assert np.isclose(told.correlations[lag, 0, 1], np.corrcoef(early, late)[0, 1])
    assert np.allclose(told.autocorrelations[0], 1) and told.correlations[0, 0, 1] == told.correlations[0, 1, 0]
    noise = measure(np.random.default_rng(1).normal(size=(4000, 32, 1)))
    assert np.abs(noise.spectrum[:-1]).max() < 0.1  # of white noise every frequency has power 1
    assert np.abs(noise.autocorrelations[1:]).max() < 0.02


def test_sums_of_parts_are_those_of_the_whole() -> None:
    windows = waves(100)
    windows[3, 4] = np.nan
    parts = merge(measure(windows[:37]), measure(windows[37:]))
    whole = measure(windows)
    assert parts.windows == 100 and np.allclose(parts.correlations, whole.correlations)
    assert np.allclose(parts.spectrum, whole.spectrum) and np.isfinite(whole.correlations).all()


def test_shuffled_time_is_told_by_correlations_and_spectra_and_other_channels_by_cross_correlations() -> None:
    real, other = waves(800), waves(800, seed=1)
    alike = differences(measure(real), measure(other))
    random = np.random.default_rng(2)
    shuffled = random.permuted(other, axis=1)
    told = differences(measure(real), measure(shuffled))
    assert all(told[name] > 8 * alike[name] for name in ("autocorrelation", "cross_correlation", "spectrum"))
    unpaired = np.stack([other[:, :, 0], other[random.permutation(800), :, 1]], axis=2)
    told = differences(measure(real), measure(unpaired))
    assert told["cross_correlation"] > 8 * alike["cross_correlation"]
    assert told["autocorrelation"] < 2 * alike["autocorrelation"] + 0.01
    assert max(each.max() for each in marginals(real, shuffled).values()) < 0.05  # values alone do not tell


def test_marginals_are_scipys() -> None:
    first, second = waves(50), 1.5 * waves(70, seed=4) + 0.2
    told = marginals(first, second)
    for channel in range(2):
        ours, theirs = first[:, :, channel].ravel(), second[:, :, channel].ravel()
        assert np.isclose(told["ks"][channel], ks_2samp(ours, theirs).statistic)
        assert np.isclose(told["wasserstein"][channel], wasserstein_distance(ours, theirs))
    assert marginals(first, np.full((3, 24, 2), np.nan))["ks"].tolist() == [0, 0]


def test_features_are_bounded_and_hold_what_is_missing() -> None:
    windows = waves(30, steps=900)
    windows[2] = np.nan
    told = features(windows)
    assert told.shape == (30, 2 * MOST_VALUES + 2 * 8 + 1)
    assert np.isnan(told[2]).all() and np.isfinite(told[3]).all()
    assert features(waves(5)[:, :2, :1]).shape == (5, 2 + 1 + 6)  # one channel, two steps: lag 1 alone

"""Measures of made rows against real ones, each against an oracle of its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg
from sklearn.neighbors import NearestNeighbors

from udfs import quality


def two_sets(first: int = 300, second: int = 260, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    mixing = random.normal(size=(width, width))
    return random.normal(size=(first, width)), random.normal(0.4, 1.0, size=(second, width)) @ mixing


def test_frechet_of_known_normals() -> None:
    """Mean shift d and scales s, t on each of F axes: F (d^2 + (s - t)^2)."""
    width, shift, first, second = 4, 1.5, 1.0, 2.0

    def exact(mean: float, std: float) -> quality.Moments:
        count, centre = 1001, np.full(width, mean)
        covariance = np.eye(width) * std**2
        return quality.Moments(count, count * centre, (count - 1) * covariance + count * np.outer(centre, centre))

    assert quality.frechet(exact(0, first), exact(shift, second)) == pytest.approx(width * (shift**2 + 1), rel=1e-9)
    assert quality.frechet(exact(0, first), exact(0, first)) == pytest.approx(0, abs=1e-9)


def test_frechet_equals_the_matrix_square_root_formula() -> None:
    real, made = two_sets()
    root = linalg.sqrtm(np.cov(real.T) @ np.cov(made.T)).real
    apart = ((real.mean(0) - made.mean(0)) ** 2).sum()
    expected = apart + np.trace(np.cov(real.T) + np.cov(made.T) - 2 * root)
    assert quality.frechet(quality.moments(real), quality.moments(made)) == pytest.approx(expected, rel=1e-9)


def test_moments_merge_to_those_of_the_whole() -> None:
    real, made = two_sets()
    whole = quality.moments(np.concatenate([real, made]))
    merged = quality.merge(quality.moments(real), quality.moments(made))
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.covariance, np.cov(np.concatenate([real, made]).T), rtol=1e-9)
    np.testing.assert_allclose(merged.mean, whole.mean)


def test_kernel_distance_equals_the_sum_over_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "BLOCK", 7)
    real, made = two_sets(30, 20)
    kernel = lambda a, b: (a @ b / len(a) + 1) ** 3  # noqa: E731
    within = [
        sum(kernel(rows[i], rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j)
        / (len(rows) * (len(rows) - 1))
        for rows in (real, made)
    ]
    across = np.mean([[kernel(a, b) for b in made] for a in real])
    assert quality.kernel_distance(real, made) == pytest.approx(sum(within) - 2 * across, rel=1e-9)


def test_kernel_distance_of_one_population_is_zero_on_average() -> None:
    random = np.random.default_rng(0)
    found = [quality.kernel_distance(random.normal(size=(80, 4)), random.normal(size=(60, 4))) for _ in range(60)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found)) + 1e-3


def test_neighbourhood_measures_equal_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "BLOCK", 11)
    real, made = two_sets(120, 90, 3)
    reach = {}
    for name, rows in (("real", real), ("made", made)):
        reach[name] = NearestNeighbors(n_neighbors=6).fit(rows).kneighbors(rows)[0][:, 5]
        np.testing.assert_allclose(quality.radii(rows), reach[name], rtol=1e-6)
    apart = np.linalg.norm(made[:, None] - real[None], axis=2)
    precision, recall = quality.precision_recall(real, made)
    assert precision == (apart <= reach["real"]).any(1).mean()
    assert recall == (apart <= reach["made"][:, None]).any(0).mean()
    density, coverage = quality.density_coverage(real, made)
    assert density == pytest.approx((apart <= reach["real"]).sum() / (5 * len(made)))
    assert coverage == (apart <= reach["real"]).any(0).mean()


def test_a_collapsed_generator_keeps_precision_and_loses_recall_coverage_and_spread() -> None:
    random = np.random.default_rng(1)
    real, labels = random.normal(size=(400, 3)), np.arange(400) % 2
    collapsed = np.repeat(real[:4], 100, axis=0) + random.normal(0, 0.01, (400, 3))
    precision, recall = quality.precision_recall(real, collapsed)
    assert precision > 0.95
    assert recall < 0.1
    assert quality.density_coverage(real, collapsed)[1] < 0.1
    collapsed_labels = np.repeat(labels[:4], 100)
    assert quality.spread_ratio(real, labels, collapsed, collapsed_labels) < 0.75
    assert quality.spread_ratio(real, labels, random.normal(size=(300, 3)), np.arange(300) % 2) == pytest.approx(
        1, abs=0.1
    )


def test_spread_ratio_is_the_ratio_of_mean_pair_distances() -> None:
    real, made = two_sets(20, 15, 2)
    labels = np.zeros(20, int), np.zeros(15, int)
    mean = lambda rows: np.mean([np.linalg.norm(a - b) for i, a in enumerate(rows) for b in rows[:i]])  # noqa: E731
    assert quality.spread_ratio(real, labels[0], made, labels[1]) == pytest.approx(mean(made) / mean(real), rel=1e-6)


def test_too_few_rows_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least two rows, not 1"):
        quality.radii(np.zeros((1, 3)))

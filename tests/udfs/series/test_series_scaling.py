"""Scales: the same under any partitioning, there and back, against numpy and scikit-learn's definitions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.series import scaling
from udfs.series.differences import difference, undifference
from udfs.series.scaling import Scale, decode, encode, from_bytes, measure, merge, to_bytes
from udfs.series.sums import deviations, quantile_steps
from udfs.series.values import Series

METHODS = ["z_score", "min_max", "robust"]


def series_of(count: int = 300) -> Series:
    """Channels of far-apart units, one constant, with gaps."""
    random = np.random.default_rng(0)
    out = random.normal(size=(count, 24, 4)) * [1, 1e6, 1e-6, 0] + [0, 1e9, 0, 5]
    out[random.random(out.shape) < 0.1] = np.nan
    return out


@given(st.lists(st.integers(0, 300), max_size=6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=20)
def test_measures_are_the_same_under_any_partitioning(cuts: list[int], order: Any) -> None:
    """To the last bit, in any order of the parts, carried as bytes or not."""
    series = series_of()
    parts = [from_bytes(to_bytes(measure(part))) for part in np.split(series, sorted(cuts)) if len(part)]
    order.shuffle(parts)
    whole, merged = measure(series), merge(parts)
    for one, other in zip(whole, merged, strict=True):
        assert (one.count, one.total, one.squares, one.least, one.greatest) == (
            other.count, other.total, other.squares, other.least, other.greatest,
        )  # fmt: skip
        assert one.sample.words.tolist() == other.sample.words.tolist()
    for method in METHODS:
        assert Scale.of(whole, method).centre.tobytes() == Scale.of(merged, method).centre.tobytes()
        assert Scale.of(whole, method).width.tobytes() == Scale.of(merged, method).width.tobytes()


def test_more_values_than_are_kept_change_nothing_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample is the same whichever way it was gathered, and its quantiles are near the true ones."""
    monkeypatch.setattr(scaling, "KEPT", 2000)
    series = np.random.default_rng(1).normal(size=(1000, 24, 1))
    whole, merged = measure(series)[0], merge([measure(series[600:]), measure(series[:600])])[0]
    assert len(whole.sample.words) == 2000 and (whole.sample.words == merged.sample.words).all()
    assert whole.quantile(0.5) == merged.quantile(0.5) == pytest.approx(0, abs=0.1)
    assert whole.quantile(0.75) == pytest.approx(0.6745, abs=0.1)


def test_sums_are_exact() -> None:
    """As fractions, where floats lose all digits; infinite values are not measured."""
    series = np.array([1e16, 1.0, -1e16, np.nan, np.inf])[:, None, None]
    tally = measure(series)[0]
    assert tally.count == 3 and tally.total == 1 and tally.squares == Fraction(10) ** 32 * 2 + 1


@pytest.mark.parametrize("method", METHODS)
def test_scales_are_those_of_numpy(method: Any) -> None:
    """Of all windows together, and of each; what is constant is divided by 1; an empty channel stays as it is."""
    series = series_of()
    series[7, :, 1] = np.nan

    def wanted(axes: Any) -> tuple[Any, Any]:
        if method == "z_score":
            return np.nanmean(series, axes), np.nanstd(series, axes)
        low, middle, high = (
            np.nanquantile(series, q, axes) for q in ((0.25, 0.5, 0.75) if method == "robust" else (0, 0, 1))
        )
        return middle, high - low

    scale = Scale.of(measure(series), method)
    centre, width = wanted((0, 1))
    np.testing.assert_allclose(scale.centre[0, 0], centre, rtol=1e-3 if method == "robust" else 1e-9, atol=2e-3)
    np.testing.assert_allclose(scale.width[0, 0, :3], width[:3], rtol=1e-2 if method == "robust" else 1e-9)
    assert scale.width[0, 0, 3] == 1
    each = Scale.of_each(series, method)
    with pytest.warns(RuntimeWarning):
        centre, width = wanted(1)
    rest = np.arange(300) != 7
    np.testing.assert_allclose(each.centre[rest, 0], centre[rest], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(each.width[rest, 0, :3], width[rest, :3], rtol=1e-6)
    assert each.centre[7, 0, 1] == 0 and each.width[7, 0, 1] == 1


@pytest.mark.parametrize("method", METHODS)
def test_encoded_windows_come_back(method: Any) -> None:
    """But for rounding, gaps included, by either scale."""
    series = series_of()
    for scale in (Scale.of(measure(series), method), Scale.of_each(series, method)):
        encoded = encode(series, scale)
        assert (np.isnan(encoded) == np.isnan(series)).all()
        np.testing.assert_allclose(decode(encoded, scale), series, rtol=1e-12, atol=1e-12)


def test_nothing_measured_leaves_values_alone() -> None:
    """No windows, and channels of nothing."""
    scale = Scale.of(measure(np.full((3, 4, 2), np.nan)))
    assert (encode(np.ones((1, 4, 2)), scale) == 1).all()
    with pytest.raises(ValueError, match="do not merge"):
        merge([measure(np.ones((1, 2, 1))), measure(np.ones((1, 2, 2)))])
    assert merge([]) == ()


@pytest.mark.parametrize("lag", [1, 4, 30])
def test_differences_come_back_without_adding_up_roundings(lag: int) -> None:
    """Each value to a few units in the last place after a thousand steps; whole numbers exactly; gaps stay."""
    random = np.random.default_rng(3)
    series = random.normal(size=(5, 1000, 2)).cumsum(axis=1)
    series[random.random(series.shape) < 0.2] = np.nan
    back = undifference(difference(series, lag=lag), lag=lag)
    assert (np.isnan(back) == np.isnan(series)).all()
    assert np.nanmax(np.abs(back - series)) <= 4 * np.spacing(np.nanmax(np.abs(series)))
    whole = random.integers(-(2**40), 2**40, (5, 100, 2)).astype(float)
    assert (undifference(difference(whole, lag=lag), lag=lag) == whole).all()


def test_differences_without_gaps_are_numpys() -> None:
    """The first value itself, then each less the one before."""
    series = np.random.default_rng(0).integers(0, 100, (4, 20, 3)).astype(float)
    assert (difference(series)[:, 1:] == np.diff(series, axis=1)).all()
    assert (difference(series)[:, 0] == series[:, 0]).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_deviations_and_quantiles_of_windows_are_numpys() -> None:
    """Gaps left out, and the same bytes for a window alone."""
    series = series_of(50)
    np.testing.assert_allclose(deviations(series)[:, 0], np.nanstd(series, axis=1), rtol=1e-7, atol=1e-12)
    steps = np.ascontiguousarray(series.swapaxes(0, 1))
    for share in (0.0, 0.3, 0.5, 1.0):
        np.testing.assert_allclose(quantile_steps(steps, share), np.nanquantile(series, share, axis=1), rtol=1e-9)
    for row in range(50):
        assert deviations(series[row : row + 1]).tobytes() == deviations(series)[row].tobytes()

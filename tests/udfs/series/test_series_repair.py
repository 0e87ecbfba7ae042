"""Recordings made regular and judged, against pandas, scipy and plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import interpolate, signal

from udfs.series.faults import hampel, rolling_median, rolling_outliers, stuck
from udfs.series.repair import Recording, Times, fill_gaps, regular, short_gaps, sorted_steps, windows

HOLES = 0.2


def recording(count: int = 200, channels: int = 3, seed: int = 0) -> tuple[Times, Recording]:
    """Unordered times, some doubled, and random walks with holes."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, channels)).cumsum(axis=0)
    values[random.random(values.shape) < HOLES] = np.nan
    return random.integers(-50, 3 * count, count), values


@pytest.mark.parametrize("keep", ["first", "last"])
def test_of_doubled_times_one_is_kept_as_pandas_does(keep: Any) -> None:
    """Sorted, the first or last that came."""
    times, values = recording()
    frame = pd.DataFrame(values).assign(t=times).drop_duplicates("t", keep=keep).sort_values("t", kind="stable")
    found_times, found = sorted_steps(times, values, duplicates=keep)
    np.testing.assert_array_equal(found_times, frame["t"])
    np.testing.assert_array_equal(found, frame.drop(columns="t"))


def test_doubled_times_may_be_averaged() -> None:
    """Channel by channel over what is there, as pandas groups."""
    times, values = recording()
    frame = pd.DataFrame(values).groupby(times).mean()
    found_times, found = sorted_steps(times, values, duplicates="mean")
    np.testing.assert_array_equal(found_times, frame.index)
    np.testing.assert_allclose(found, frame, rtol=1e-12)
    assert len(sorted_steps(times[:0], values[:0], duplicates="mean")[0]) == 0
    assert sorted_steps(times[:0], values[:0])[1].shape == (0, 3)


@pytest.mark.parametrize("step", [1, 7, 60])
def test_means_on_a_grid_are_pandas_resampled_ones(step: int) -> None:
    """Bins begin at whole multiples of the step."""
    times, values = sorted_steps(*recording())
    frame = pd.DataFrame(values, index=pd.to_datetime(times, unit="s")).resample(f"{step}s", origin="epoch").mean()
    grid, found = regular(times, values, step)
    np.testing.assert_array_equal(pd.to_datetime(grid, unit="s"), frame.index)
    np.testing.assert_allclose(found, frame, rtol=1e-9)


def test_lines_and_held_values_on_a_grid_reach_less_than_a_step() -> None:
    """Each grid time by its neighbours, by a loop over them."""
    times, values = sorted_steps(*recording())
    step = 5
    grid, lines = regular(times, values, step, method="linear")
    _, held = regular(times, values, step, method="hold")
    for channel in range(values.shape[1]):
        known = ~np.isnan(values[:, channel])
        when, what = times[known], values[known, channel]
        for place, now in enumerate(grid):
            before, after = when[when <= now], when[when >= now]
            near = len(before) > 0 and now - before[-1] < step
            assert held[place, channel] == what[when <= now][-1] if near else np.isnan(held[place, channel])
            if near and len(after) and after[0] - now < step:
                assert lines[place, channel] == pytest.approx(np.interp(now, when, what), rel=1e-9)
            else:
                assert np.isnan(lines[place, channel])


def test_a_wrong_time_makes_no_giant_grid() -> None:
    """One step in the year 2262 is told of, and so is a step of nothing."""
    values = np.zeros((2, 1))
    with pytest.raises(ValueError, match="the grid would have"):
        regular(np.array([0, 2**62]), values, 1)
    with pytest.raises(ValueError, match="a step of 1 or more"):
        regular(np.array([0, 1]), values, 0)
    assert regular(np.zeros(0, np.int64), values[:0], 1)[1].shape == (0, 1)


@pytest.mark.parametrize("method", ["linear", "polynomial", "spline", "seasonal", "hold"])
def test_only_short_gaps_are_filled_and_told(method: Any) -> None:
    """What was there stays; longer gaps, and those at the ends, stay gaps; a channel of nothing does too."""
    _, values = recording(400, 4)
    values[:3, 0], values[-2:, 0] = np.nan, np.nan
    values[100:110, 1] = np.nan
    values[:, 3] = np.nan
    before = values.copy()
    found, flags = fill_gaps(values, method=method, limit=3, period=12)
    np.testing.assert_array_equal(values, before)
    was, now = np.isnan(values), np.isnan(found)
    assert (flags == (was & ~now)).all() and (found[~was] == values[~was]).all()
    assert now[:3, 0].all() and now[-2:, 0].all() == (method != "hold")
    assert now[100:110, 1].all() and now[:, 3].all()
    for channel in range(3):
        runs = pd.Series(was[:, channel]).groupby((~was[:, channel]).cumsum()).transform("sum").to_numpy()
        inside = (np.arange(400) > 3) & (np.arange(400) < 390)
        assert (flags[inside, channel] == (was[:, channel] & (runs <= 3))[inside]).all()


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 5), st.booleans())
@settings(deadline=None, max_examples=100)
def test_short_gaps_are_those_that_a_loop_finds(missing: list[bool], limit: int, open_end: bool) -> None:
    """Step by step, how long its gap is and what lies at its ends."""
    found = short_gaps(np.array(missing, bool), limit, open_end=open_end)
    for place, gone in enumerate(missing):
        first, last = place, place
        while gone and first > 0 and missing[first - 1]:
            first -= 1
        while gone and last < len(missing) - 1 and missing[last + 1]:
            last += 1
        wanted = gone and last - first < limit and first > 0 and (open_end or last < len(missing) - 1)
        assert found[place] == wanted


def test_filled_values_are_those_of_pandas_and_scipy() -> None:
    """Straight lines, held values, natural splines; and cubics through four neighbours."""
    _, values = recording(300, 2, seed=3)
    frame = pd.DataFrame(values)
    for method, wanted in (("linear", frame.interpolate(limit_area="inside")), ("hold", frame.ffill())):
        np.testing.assert_allclose(fill_gaps(values, method=method, limit=99)[0], wanted, rtol=1e-9)
    spline, cubic = (fill_gaps(values, method=method, limit=99)[0] for method in ("spline", "polynomial"))
    for channel in range(2):
        known = np.flatnonzero(~np.isnan(values[:, channel]))
        natural = interpolate.CubicSpline(known, values[known, channel], bc_type="natural")
        inside = np.arange(known[0], known[-1] + 1)
        np.testing.assert_allclose(spline[inside, channel], natural(inside), rtol=1e-9, atol=1e-12)
        for gap in np.flatnonzero(np.isnan(values[:, channel])):
            after = np.searchsorted(known, gap)
            if 2 <= after <= len(known) - 2:
                four = known[after - 2 : after + 2]
                wanted = interpolate.BarycentricInterpolator(four - gap, values[four, channel])(0)
                assert cubic[gap, channel] == pytest.approx(float(wanted), rel=1e-8, abs=1e-9)


def test_a_season_goes_on_through_a_gap() -> None:
    """Half a period is filled with the wave that a straight line would cut off."""
    times = np.arange(240.0)
    truth = (0.05 * times + 3 * np.sin(2 * np.pi * times / 24))[:, None]
    holed = truth.copy()
    holed[100:112], holed[50:53] = np.nan, np.nan
    found, flags = fill_gaps(holed, method="seasonal", limit=12, period=24)
    assert flags.sum() == 15 and np.abs(found - truth).max() < 0.03
    assert np.abs(fill_gaps(holed, method="linear", limit=12)[0] - truth).max() > 2


def test_rolling_medians_are_pandas_ones() -> None:
    """Of what is there, fewer steps at the ends."""
    _, values = recording(500, 1)
    for width in (3, 11, 25):
        wanted = pd.Series(values[:, 0]).rolling(width, center=True, min_periods=1).median()
        np.testing.assert_allclose(rolling_median(values[:, 0], width), wanted, rtol=1e-12)
    whole = np.random.default_rng(0).normal(size=300)
    np.testing.assert_array_equal(rolling_median(whole, 7)[3:-3], signal.medfilt(whole, 7)[3:-3])


def test_hampel_flags_what_a_loop_flags() -> None:
    """Median and deviation of each window about a step; a spike on a level line too."""
    values = np.rint(recording(300, 2, seed=5)[1])
    flags = hampel(values, window_steps=9, threshold=2.0)
    for place, channel in np.ndindex(*values.shape):
        near = values[max(0, place - 4) : place + 5, channel]
        near = near[~np.isnan(near)]
        if np.isnan(values[place, channel]):
            assert not flags[place, channel]
            continue
        away = np.abs(near - np.median(near))
        spread = np.median(away) / 0.6745 if np.median(away) > 0 else 1.253314 * away.mean()
        assert flags[place, channel] == (abs(values[place, channel] - np.median(near)) > 2.0 * spread)
    level = np.full((50, 1), 4.0)
    level[20] = 9.0
    assert np.flatnonzero(hampel(level)[:, 0]).tolist() == [20]
    assert not hampel(np.full((50, 1), 4.0)).any() and hampel(np.zeros((0, 2))).shape == (0, 2)


def test_outliers_stand_out_from_the_rolling_median() -> None:
    """Planted ones are found on a wave, and little else."""
    random = np.random.default_rng(1)
    values = (10 * np.sin(np.arange(600) / 40) + random.normal(size=600))[:, None]
    planted = [50, 51, 300, 590]
    values[planted] += 15
    values[100] = np.nan
    found = np.flatnonzero(rolling_outliers(values, window_steps=15)[:, 0])
    assert set(planted) <= set(found) and len(found) <= 6


def test_sensors_that_stick_are_flagged() -> None:
    """Runs as long as asked for, within the tolerance; a gap ends a run."""
    values = np.random.default_rng(2).normal(size=(100, 2))
    values[10:20, 0], values[30:34, 0] = 5.0, 6.0
    values[50:70, 1] = 1.0 + 0.001 * np.arange(20)
    values[15, 0] = np.nan
    assert not stuck(values, min_run=6).any()
    assert np.flatnonzero(stuck(values, min_run=4)[:, 0]).tolist() == [*range(10, 15), *range(16, 20), *range(30, 34)]
    assert np.flatnonzero(stuck(values, min_run=10, tolerance=0.01)[:, 1]).tolist() == list(range(50, 70))
    assert stuck(values[:0]).shape == (0, 2)


def test_windows_are_cut_every_stride() -> None:
    """As slices are, and what is left over at the end is not cut."""
    values = np.random.default_rng(0).normal(size=(50, 3))
    cut = windows(values, 12, 5)
    assert cut.flags.c_contiguous and len(cut) == 8
    for place, window in enumerate(cut):
        assert (window == values[5 * place : 5 * place + 12]).all()
    assert windows(values, 51, 1).shape == (0, 51, 3)

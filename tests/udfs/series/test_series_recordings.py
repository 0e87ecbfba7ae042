"""Recordings from observations to windows, against plain loops: their times, their identity, their blocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs import hashing
from udfs.series import borders, clock
from udfs.series.recordings import Conversion, Mending, cut, mended, starts, uncovered
from udfs.series.repair import Recording, Times

CHANNELS = ("left", "right")
SHARES = {"train": 0.65, "val": 0.15, "test": 0.2}


def observed(count: int = 60, seed: int = 0) -> tuple[Times, Recording]:
    """Random walks, an observation every 10 ticks or so."""
    random = np.random.default_rng(seed)
    times = np.arange(count) * 10 + random.integers(0, 10, count)
    return times, random.normal(size=(count, 2)).cumsum(axis=0)


def ids(times: Times, values: Recording, plan: Mending, length: int = 6, stride: int = 2) -> dict[int, str]:
    """Windows' ids by the time that they begin at."""
    regular = mended(times, values, plan)
    first, _ = starts(regular, length, stride, plan.every)
    found = cut(regular, first, length, plan.every, "mine")
    return dict(zip(regular.times[first].tolist(), hashing.ids("0" * 16, *found.words).to_pylist(), strict=True))


@pytest.mark.parametrize("every", [None, 10])
def test_what_is_observed_later_changes_no_earlier_window(every: int | None) -> None:
    """Every window that was there has its id, whatever fills its gaps; new ones come."""
    times, values = observed()
    values[20:22] = np.nan
    plan = Mending(CHANNELS, every, fill=("spline", 3, 24), odd=("hampel", 11, 3.0, "replace"))
    before, after = ids(times[:40], values[:40], plan), ids(times, values, plan)
    assert len(before) > 10 and before.items() <= after.items()
    assert len(set(after.values())) == len(after) > len(before)


def test_a_window_is_known_by_what_was_observed_in_it_and_not_by_how_it_was_mended() -> None:
    """Other repairs leave the id; another value, time or entity does not."""
    times, values = observed(12)
    plain = ids(times, values, Mending(CHANNELS, 10))
    repaired = Mending(CHANNELS, 10, conversions=(Conversion(0, 2.0, 1.0),), stuck=(2, 0.0, "missing"))
    assert ids(times, values, repaired) == plain
    assert ids(times, values[:, ::-1], Mending(CHANNELS[::-1], 10)) == plain  # the order of columns says nothing
    other = values.copy()
    other[0, 0] += 1e-9
    changed = ids(times, other, Mending(CHANNELS, 10))
    assert changed[0] != plain[0] and {**changed, 0: ""} == {**plain, 0: ""}


def test_the_order_and_doubles_of_observations_are_counted_and_change_nothing() -> None:
    times, values = observed(30)
    order = np.random.default_rng(1).permutation(np.concatenate([np.arange(30), np.arange(5)]))
    plan = Mending(CHANNELS, 10)
    assert ids(times[order], values[order], plan) == ids(times, values, plan)
    assert mended(times[order], values[order], plan).counts["doubled"] == 5
    assert mended(times[order], values[order], plan).counts["unsorted"] == int((np.diff(times[order]) < 0).sum()) > 0


def test_what_was_mended_is_flagged_in_the_windows_that_it_touches() -> None:
    times, values = np.arange(40), np.random.default_rng(0).normal(size=(40, 2))
    values[10:12, 0], values[20:30, 1], values[35, 0] = np.nan, 7.0, 900.0
    plan = Mending(
        CHANNELS, 1, stuck=(5, 0.0, "flag"), odd=("rolling_median", 7, 20.0, "replace"), fill=("linear", 3, 24)
    )
    regular = mended(times, values, plan)
    assert regular.values[10:12, 0] == pytest.approx(np.interp([10, 11], [9, 12], values[[9, 12], 0]))
    assert abs(regular.values[35, 0]) < 5 and np.all(regular.values[20:30, 1] == 7)
    found = cut(regular, np.arange(0, 40, 5), 5, 1, "")
    assert found.flags == [[], [], ["gaps_filled"], [], ["stuck"], ["stuck"], [], ["outliers"]]
    assert (regular.counts["filled"], regular.counts["stuck"], regular.counts["outliers"]) == (2, 10, 1)


def test_a_channel_is_converted_within_its_bounds() -> None:
    times, values = np.arange(4), np.array([[50.0, 1], [20.0, 1], [np.nan, 1], [68.0, 1]])
    to_celsius = Conversion(0, 5 / 9, -160 / 9, (30.0, 200.0))
    regular = mended(times, values, Mending(CHANNELS, conversions=(to_celsius,)))
    np.testing.assert_allclose(regular.values[:, 0], [10, 20, np.nan, 20])
    assert regular.counts["converted"] == 2


def test_a_recording_without_a_value_is_empty_and_one_wrong_time_is_refused() -> None:
    empty = mended(np.arange(5), np.full((5, 2), np.nan), Mending(CHANNELS, 1))
    assert len(empty.times) == 0 and empty.counts["blank_ends"] == 5
    assert [len(each) for each in (starts(empty, 3, 1, 1)[0], cut(empty, np.arange(0), 3, 1, "").series)] == [0, 0]
    with pytest.raises(ValueError, match="is one time wrong"):
        mended(np.array([0, 1, 10**15]), np.zeros((3, 2)), Mending(CHANNELS, 1))


def test_windows_in_which_nothing_was_observed_are_left_out_and_counted() -> None:
    times, values = observed(20)
    times[10:] += 10_000
    regular = mended(times, values, Mending(CHANNELS, 10))
    first, empty = starts(regular, 5, 5, 10)
    assert len(first) < 10 and empty + len(first) == len(range(0, len(regular.times) - 4, 5))


@given(st.integers(0, 60), st.integers(2, 12), st.integers(1, 15))
def test_steps_that_no_window_has_are_counted(steps: int, length: int, stride: int) -> None:
    covered = {at + step for at in range(0, steps - length + 1, stride) for step in range(length)}
    assert uncovered(steps, length, stride) == steps - len(covered)


@given(st.integers(-500, 500), st.integers(1, 30), st.integers(2, 20), st.integers(0, 9), st.integers(1, 5))
def test_windows_of_two_splits_are_an_embargo_apart(
    begin: int, block: int, length: int, embargo: int, stride: int
) -> None:
    first = np.arange(begin, begin + 400, stride)
    codes = borders.within_blocks(first, first + length - 1 + embargo, block, SHARES, [7])
    for place in np.flatnonzero(np.diff(first[codes >= 0]) > 0).tolist():
        pair, split = first[codes >= 0][place : place + 2], codes[codes >= 0][place : place + 2]
        assert split[0] == split[1] or pair[1] - (pair[0] + length - 1) > embargo
    whole = borders.block_splits(np.unique(first // block), SHARES, [7])
    assert set(codes[codes >= 0].tolist()) <= set(whole.tolist())


def test_every_turn_of_blocks_has_its_shares_and_another_seed_other_blocks() -> None:
    codes = borders.block_splits(np.arange(-40, 200), SHARES, [7])
    for at in range(0, 240, borders.BLOCKS_A_TURN):
        assert np.bincount(codes[at : at + borders.BLOCKS_A_TURN], minlength=3).tolist() == [13, 3, 4]
    assert (borders.block_splits(np.arange(-40, 200), SHARES, [8]) != codes).any()


@pytest.mark.parametrize(
    ("kind", "text", "form", "wanted"),
    [
        ("datetime", "2016-07-01 00:00:00", None, datetime(2016, 7, 1, tzinfo=UTC)),
        ("datetime", "2016-07-01T02:00:00+02:00", None, datetime(2016, 7, 1, tzinfo=UTC)),
        ("datetime", "2004-08-19", None, datetime(2004, 8, 19, tzinfo=UTC)),
        ("datetime", "1.7.2016 14h", "%d.%m.%Y %Hh", datetime(2016, 7, 1, 14, tzinfo=UTC)),
        ("seconds", "0.5", None, 500_000),
        ("seconds", "1.7e9", None, 1_700_000_000_000_000),
        ("nanoseconds", "1700000000000000999", None, 1_700_000_000_000_000),
        ("number", " 12 ", None, 12),
        ("datetime", "yesterday", None, None),
        ("datetime", "2016-13-01", None, None),
        ("number", "1.5", None, None),
        ("number", "NaN", None, None),
        ("seconds", "Infinity", None, None),
        ("seconds", "1e300", None, None),
        ("seconds", "1e999999", None, None),
        ("number", "1e9999999", None, None),
        ("datetime", None, None, None),
    ],
)
def test_times_are_read_or_said_to_be_none(kind: Any, text: str | None, form: str | None, wanted: Any) -> None:
    times, good = clock.read_times([text], kind, form)
    exact = round(wanted.timestamp() * 1e6) if isinstance(wanted, datetime) else wanted
    assert (times[0] if good[0] else None) == exact


def test_durations_are_read_and_times_shown() -> None:
    assert [clock.duration(text) for text in ("15min", "1 h", "10ms", "3", "1w", "5us")] == [
        900_000_000, 3_600_000_000, 10_000, 3, 604_800_000_000, 5,
    ]  # fmt: skip
    assert clock.shown(clock.duration("1d"), "datetime") == "1970-01-02T00:00:00" and clock.shown(7, "number") == "7"

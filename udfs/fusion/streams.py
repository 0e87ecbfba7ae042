"""Streams that run beside each other in time: brought onto one clock, cut into windows jointly, set against each other.

Times are whole microseconds. A stream is (times, values); a film is (times, frames). Where a window of one stream is
set beside a window of another that begins a `shift` later, the two are out of step by it: windows in step, and shifted
ones, are what tells who hears and sees together from who does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from udfs.series.repair import fill_gaps, regular, sorted_steps

MICROSECONDS = 1_000_000
MOST_SECONDS = 1e11  # some thousand years either way
Times = NDArray[np.int64]
Values = NDArray[np.float64]  # (T, C)
Frames = NDArray[np.uint8]  # (T, H, W, C)


@dataclass(frozen=True)
class Stream:
    """Values on a clock of whole multiples of `step_us`; NaN where the stream has none."""

    start_us: int
    step_us: int
    values: Values

    @property
    def end_us(self) -> int:
        """Where the last step ends."""
        return self.start_us + self.step_us * len(self.values)

    def cut(self, start_us: int, steps: int) -> Values | None:
        """(steps, C) from `start_us` on; null where the stream does not have them all."""
        at = (start_us - self.start_us) // self.step_us
        if at < 0 or at + steps > len(self.values):
            return None
        found = self.values[at : at + steps]
        return None if np.isnan(found).any() else found


def microseconds(seconds: Sequence[float] | NDArray[np.float64]) -> Times:
    """Seconds as whole microseconds. Raises ValueError for what is no moment."""
    told = np.asarray(seconds, np.float64)
    if not (np.abs(told) < MOST_SECONDS).all():
        raise ValueError("times must be numbers of seconds")
    return np.rint(told * MICROSECONDS).astype(np.int64)


def on_clock(times_us: Times, values: Values, step_us: int, max_gap_us: int) -> Stream:
    """A stream of any times, in any order, on a clock: means of what falls into a step, short gaps filled in a line."""
    times, ordered = sorted_steps(times_us, values, duplicates="mean")
    grid, found = regular(times, ordered, step_us, method="mean")
    filled, _ = fill_gaps(found, method="linear", limit=max(1, max_gap_us // step_us))
    return Stream(int(grid[0]) if len(grid) else 0, step_us, filled)


def envelope(samples: Values, rate_hz: int, step_us: int) -> Stream:
    """How loud a sound is at each step: the root of the mean square of its samples (N, channels), full scale 1."""
    times = np.arange(len(samples), dtype=np.int64) * MICROSECONDS // rate_hz
    power = (samples**2).mean(axis=1, keepdims=True)
    heard = on_clock(times, power, step_us, step_us)
    return Stream(heard.start_us, step_us, np.sqrt(heard.values))


def nearest_frames(times_us: Times, wanted_us: Times, tolerance_us: int) -> NDArray[np.int64] | None:
    """Places of the frames nearest to the wanted times, of two as near the earlier; null where one is too far away.

    Times ascend.
    """
    if not len(times_us):
        return None
    after = np.searchsorted(times_us, wanted_us).clip(0, len(times_us) - 1)
    before = np.maximum(after - 1, 0)
    earlier = np.abs(times_us[before] - wanted_us) <= np.abs(times_us[after] - wanted_us)
    found = np.where(earlier, before, after)
    return found if (np.abs(times_us[found] - wanted_us) <= tolerance_us).all() else None


def strip(frames: Frames) -> NDArray[np.uint8]:
    """uint8[H, K W, C]: frames (K, H, W, C) side by side, in the order of time."""
    return np.ascontiguousarray(np.concatenate(list(frames), axis=1))


def starts(first_us: int, last_us: int, window_us: int, hop_us: int, step_us: int) -> Times:
    """Where windows begin between two times, on the clock's steps."""
    begin = -(-first_us // step_us) * step_us
    return np.arange(begin, last_us - window_us + 1, hop_us, dtype=np.int64)


def shift_between(leading: Values, following: Values, most: int) -> int:
    """By how many steps `following` (T,) comes after `leading`, at most `most` either way: where they agree best.

    Agreement is Pearson's correlation over the steps that both have; of two as good the smaller shift.
    """
    scored = [(_agreement(leading, following, shift), -abs(shift), shift) for shift in range(-most, most + 1)]
    return max(scored)[2]


def _agreement(leading: Values, following: Values, shift: int) -> float:
    length = len(leading) - abs(shift)
    one = leading[max(0, -shift) : max(0, -shift) + length]
    two = following[max(0, shift) : max(0, shift) + length]
    if length < 2 or one.std() == 0 or two.std() == 0:
        return 0.0
    return round(float(np.corrcoef(one, two)[0, 1]), 9)

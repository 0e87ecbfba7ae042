"""What each step of time series costs against the same step in plain numpy, window by window, one thread.

100,000 windows of 24 steps and 7 channels, in batches as a worker gets them, on both sides into arrays that are there
already. The plain side is a loop over windows, as one writes it by hand, in two ways. `keyed` holds what the steps
hold, that a window's draws are its own in any batch: a generator seeded for each window; the bar is on it. `shared`
does not: one generator for all. (Rules draw nothing, so both are one there.) All sides take turns; the best round of
each counts, in CPU seconds of this process. The plain side runs on a part of the windows, and `dtw_mix`, which is a
loop in Python there, on a smaller one.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from udfs import names, records, series
from udfs.rng import RowRandom

WINDOWS, STEPS, CHANNELS = 100_000, 24, 7
BATCH = 2_000
ROUNDS = 3
PLAIN_WINDOWS, PLAIN_SLOW = 10_000, 500
PERIOD = 6
BAR = 10.0
OPTIONS: dict[str, dict[str, Any]] = {
    name: {"period": PERIOD} for name in ("residual_bootstrap", "season_scaling", "trend_scaling")
}
Window = NDArray[np.float64]  # (T, C)
Random = np.random.Generator


def jitter(random: Random, x: Window, _: Window) -> Window:
    """See the step of this name, here and below."""
    return x + 0.05 * x.std(0) * random.standard_normal(x.shape)


def channel_scaling(random: Random, x: Window, _: Window) -> Window:
    return x * np.exp(0.1 * random.standard_normal((1, x.shape[1])))


def curve(random: Random, knots: int, steps: int, channels: int) -> Window:
    """A smooth curve through normals."""
    through = random.standard_normal((knots, channels))
    return CubicSpline(np.linspace(0, steps - 1, knots), through, bc_type="natural")(np.arange(steps))


def magnitude_warp(random: Random, x: Window, _: Window) -> Window:
    return x * (1 + 0.2 * curve(random, 6, *x.shape))


def drift(random: Random, x: Window, _: Window) -> Window:
    walk = np.cumsum(random.standard_normal((5, x.shape[1])), axis=0)
    walk -= walk[0]
    walk *= random.uniform(0, 0.5, x.shape[1]) * x.std(0) / np.abs(walk).max(0)
    return x + CubicSpline(np.linspace(0, len(x) - 1, 5), walk, bc_type="natural")(np.arange(len(x)))


def dropout(random: Random, x: Window, _: Window) -> Window:
    out = x.copy()
    starts = random.random(x.shape) < 0.04
    for t, c in np.argwhere(starts):
        out[t : t + random.integers(1, 5), c] = out[max(t - 1, 0), c]
    return out


def channel_flip(random: Random, x: Window, _: Window) -> Window:
    return x * np.where(random.random(x.shape[1]) < 0.5, -1.0, 1.0)


def channel_permutation(random: Random, x: Window, _: Window) -> Window:
    return x[:, random.permutation(x.shape[1])]


def sensor_rotation(random: Random, x: Window, _: Window) -> Window:
    axis = random.standard_normal(3)
    a, b, c = axis / np.linalg.norm(axis)
    angle = random.uniform(-0.5, 0.5)
    cross = np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    out = x.copy()
    out[:, :3], out[:, 3:6] = x[:, :3] @ turn.T, x[:, 3:6] @ turn.T
    return out


def read_at(x: Window, positions: NDArray[np.float64]) -> Window:
    """All channels on straight lines."""
    low = np.minimum(positions.astype(np.int64), len(x) - 2)
    part = (positions - low)[:, None]
    return x[low] * (1 - part) + x[low + 1] * part


def time_warp(random: Random, x: Window, _: Window) -> Window:
    pace = np.exp(0.2 * curve(random, 6, len(x), 1)[:, 0])
    times = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2)])
    return read_at(x, times * ((len(x) - 1) / times[-1]))


def window_slice(random: Random, x: Window, _: Window) -> Window:
    length = random.uniform(0.7, 0.95) * (len(x) - 1)
    start = random.uniform(0, len(x) - 1 - length)
    return read_at(x, np.linspace(start, start + length, len(x)))


def window_warp(random: Random, x: Window, _: Window) -> Window:
    last = len(x) - 1
    length, times = random.uniform(0.1, 0.4) * last, np.exp(random.uniform(np.log(0.5), np.log(2)))
    start = random.uniform(0, last - length)
    ends = np.array([0, start, start + length * times, last + length * (times - 1)])
    stretched = np.linspace(0, ends[-1], len(x))
    return read_at(x, np.interp(stretched, ends, [0, start, start + length, last]))


def segment_permutation(random: Random, x: Window, _: Window) -> Window:
    cuts = np.sort(random.integers(1, len(x), 3))
    parts = np.split(x, cuts)
    return np.concatenate([parts[each] for each in random.permutation(4)])


def frequency_masking(random: Random, x: Window, _: Window) -> Window:
    spectrum = np.fft.rfft(x, axis=0)
    width = random.integers(1, 3)
    first = random.integers(1, len(spectrum) - width + 1)
    spectrum[first : first + width] = 0
    return np.fft.irfft(spectrum, len(x), axis=0)


def phase_noise(random: Random, x: Window, _: Window) -> Window:
    spectrum = np.fft.rfft(x, axis=0)
    angles = 0.3 * random.standard_normal(len(spectrum))
    angles[[0, -1]] = 0
    return np.fft.irfft(spectrum * np.exp(1j * angles)[:, None], len(x), axis=0)


def decompose(x: Window) -> tuple[Window, Window, Window]:
    """Trend, season, what is left, by two turns of a moving average."""
    kernel = np.array([0.5, *[1.0] * (PERIOD - 1), 0.5])
    weight = np.convolve(np.ones(len(x)), kernel, "same")
    season = np.zeros_like(x)
    for _ in range(2):
        trend = np.stack([np.convolve(channel, kernel, "same") / weight for channel in (x - season).T], axis=1)
        means = (x - trend).reshape(-1, PERIOD, x.shape[1]).mean(0)
        season = np.tile(means - means.mean(0), (len(x) // PERIOD, 1))
    return trend, season, x - trend - season


def residual_bootstrap(random: Random, x: Window, _: Window) -> Window:
    trend, season, left = decompose(x)
    starts = random.integers(0, len(x) - 3, len(x) // 4)
    return trend + season + np.concatenate([left[at : at + 4] for at in starts])


def trend_scaling(random: Random, x: Window, _: Window) -> Window:
    trend = decompose(x)[0]
    return x + (random.uniform(0.7, 1.4) - 1) * (trend - trend.mean(0))


def season_scaling(random: Random, x: Window, _: Window) -> Window:
    return x + (random.uniform(0.7, 1.4) - 1) * decompose(x)[1]


def interpolate(random: Random, x: Window, y: Window) -> Window:
    return x + random.uniform(0.1, 0.5) * (y - x)


def cut_mix(random: Random, x: Window, y: Window) -> Window:
    length = max(1, round(random.uniform(0.1, 0.5) * len(x)))
    start = random.integers(0, len(x) - length + 1)
    out = x.copy()
    out[start : start + length] = y[start : start + length]
    return out


def dtw_mix(random: Random, x: Window, y: Window) -> Window:
    steps, reach = len(x), 2
    scale = x.std(0)
    cost = np.square((x[:, None] - y[None]) / scale).sum(2)
    least = np.full((steps + 1, steps + 1), np.inf)
    least[0, 0] = 0
    for i in range(steps):
        for j in range(max(0, i - reach), min(steps, i + reach + 1)):
            least[i + 1, j + 1] = cost[i, j] + min(least[i, j], least[i, j + 1], least[i + 1, j])
    sums, counts = np.zeros_like(x), np.zeros((steps, 1))
    i = j = steps - 1
    while True:
        sums[i] += y[j]
        counts[i] += 1
        if i == j == 0:
            break
        moves = (least[i, j], least[i, j + 1], least[i + 1, j])
        best = moves.index(min(moves))
        i, j = i - (best != 2), j - (best != 1)
    return x + random.uniform(0.2, 0.5) * (sums / counts - x)


def reject_gaps(x: Window) -> str | None:
    return "gaps" if np.isnan(x).mean(0).max() > 0.2 else None


def reject_constant(x: Window) -> str | None:
    return "constant" if (np.nanmax(x, 0) - np.nanmin(x, 0) <= 0).all() else None


def reject_too_short(x: Window) -> str | None:
    known = np.flatnonzero(~np.isnan(x).all(1))
    return "too_short" if not len(known) or known[-1] - known[0] + 1 < 8 else None


def reject_not_finite(x: Window) -> str | None:
    return "not_finite" if np.isinf(x).any() else None


def reject_spikes(x: Window) -> str | None:
    rises = np.diff(x, axis=0)
    up, down = rises[:-1], -rises[1:]
    leap = np.where(up * down > 0, np.minimum(np.abs(up), np.abs(down)), 0.0)
    return "spikes" if (leap > 12 * 1.4826 * np.nanmedian(np.abs(rises), axis=0)).any() else None


def timed(call: Callable[[], Any]) -> float:
    """CPU seconds of one round."""
    start = time.process_time()
    call()
    return time.process_time() - start


def sides(name: str, windows: Window, ids: list[str]) -> tuple[list[Callable[[], Any]], int]:
    """Ours on all windows, the plain ones on some, keyed and shared, and how many those are."""
    step, plain = getattr(series, name), globals()[name]
    kind, options = names.kind_of(step), OPTIONS.get(name, {})
    others, some = windows[::-1].copy(), PLAIN_SLOW if name == "dtw_mix" else PLAIN_WINDOWS
    random, out = np.random.default_rng(0), np.empty_like(windows[:some])

    def ours() -> None:
        for at in range(0, len(windows), BATCH):
            rows = slice(at, at + BATCH)
            if kind == "reject":
                step(windows[rows], **options)
            elif kind == "mixing":
                step(RowRandom(ids[rows], 7, name), windows[rows], others[rows], p=1.0, **options)
            else:
                step(RowRandom(ids[rows], 7, name), windows[rows], p=1.0, **options)

    def keyed() -> None:
        for row in range(some):
            out[row] = plain(np.random.default_rng([7, row]), windows[row], others[row])

    def shared() -> None:
        for row in range(some):
            out[row] = plain(random, windows[row], others[row])

    def judged() -> None:
        for row in range(some):
            plain(windows[row])

    return [ours, judged, judged] if kind == "reject" else [ours, keyed, shared], some


def compare(name: str, windows: Window, ids: list[str]) -> dict[str, Any]:
    """Windows per second of both, and how many times more ours does."""
    calls, some = sides(name, windows, ids)
    best = np.min([[timed(call) for call in calls] for _ in range(ROUNDS)], axis=0)
    ours, keyed, shared = (best / [len(windows), some, some]).tolist()
    rates = {
        f"{side}_windows_per_s": 1 / each for side, each in (("seedbed", ours), ("keyed", keyed), ("shared", shared))
    }
    return {**rates, "ratio": keyed / ours, "shared_ratio": shared / ours, "bar": BAR, "reached": keyed / ours >= BAR}


def main() -> None:
    """Run all steps, print both sides of each ratio, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path)
    out = arguments.parse_args().out
    windows = np.random.default_rng(0).standard_normal((WINDOWS, STEPS, CHANNELS)).cumsum(axis=1)
    ids = [records.maker("bench") + records.which(row) for row in range(WINDOWS)]
    results = {}
    for name in series.__all__:
        found = results[name] = compare(name, windows, ids)
        ours, keyed, shared = (found[f"{side}_windows_per_s"] for side in ("seedbed", "keyed", "shared"))
        verdict = "met" if found["reached"] else "MISSED"
        print(
            f"{name:<20} {ours:>10,.0f} windows/s; keyed {keyed:>9,.0f}: {found['ratio']:>6.1f} x "
            f"(bar {BAR:g}, {verdict}); shared {shared:>9,.0f}: {found['shared_ratio']:>6.1f} x",
            flush=True,
        )
    if out is not None:
        out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

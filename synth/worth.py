"""What made rows gain, and how many real rows they are worth, with intervals.

All intervals come from one bootstrap over test rows and seeds, paired: a draw asks every judge the same rows, and
takes the same seeds of each arm. Worth is read off the learning curve of real rows: the number of real rows whose
error equals that of the grown set, on a curve made monotone (Barlow et al. 1972) and interpolated over the logarithm
of the number of rows. Beyond the measured range a power law through the last points goes on (Hestness et al. 2017),
and the answer says `extrapolated`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.resampling import row_weights

Numbers = NDArray[np.float64]
DRAWS = 1000
INTERVAL = (0.025, 0.975)
PART = 100  # draws whose weights are held at a time
TAIL_POINTS = 3  # of the curve: what the power law goes through
LEAST_SLOPE = 0.05  # a flatter curve would promise any number of rows
MOST_TIMES = 10.0  # the largest measured set: farther nobody can see


@dataclass(frozen=True)
class Drawn:
    """Error rates of each arm in each draw of the bootstrap: float64[DRAWS], and without one in `plain`."""

    plain: dict[str, float]
    draws: dict[str, Numbers]


def drawn(
    wrong: Mapping[str, Numbers | NDArray[np.bool_]], seed: int, groups: NDArray[np.int64] | None = None
) -> Drawn:
    """Bootstrap error rates. `wrong` is (seeds, rows) for each arm, all of the same rows: wrong or not, or each row's
    part in an error that is their mean. Rows of one of the `groups` are drawn together.
    """
    plain = {name: float(values.mean()) for name, values in wrong.items()}
    random = np.random.default_rng([seed, 0xB007])
    rows = next(iter(wrong.values())).shape[1]
    parts: dict[str, list[Numbers]] = {name: [] for name in wrong}
    for _ in range(0, DRAWS, PART):
        weights = row_weights(random, rows, PART, groups)
        picks = random.random((PART, max(values.shape[0] for values in wrong.values())))
        for name, values in wrong.items():
            each = weights @ values.T.astype(np.float64)  # (PART, seeds)
            seeds = len(values)
            chosen = (picks[:, :seeds] * seeds).astype(np.int64)
            parts[name].append(np.take_along_axis(each, chosen, axis=1).mean(1))
    return Drawn(plain, {name: np.concatenate(values) for name, values in parts.items()})


def gain(found: Drawn, arm: str, base: str = "real") -> dict[str, Any]:
    """The share of the base's errors that the arm's rows cut, with its interval. Of no errors none are cut."""
    cuts = _cut(found.draws[arm], found.draws[base])
    cut = float(_cut(np.array(found.plain[arm]), np.array(found.plain[base])))
    return {"error_cut": cut, "interval": _interval(cuts)}


def _cut(errors: Numbers, base: Numbers) -> Numbers:
    """The share that is gone; beyond MOST_TIMES as many errors nobody asks how many."""
    floor = 1e-9
    return np.maximum(1 - np.maximum(errors, floor) / np.maximum(base, floor), -MOST_TIMES)


def headline(found: Drawn, sizes: Sequence[int], arm: str, judge: str, real_rows: int) -> dict[str, Any]:
    """How many real rows the arm is worth. `found` holds an arm `curve.<size>` for each of the sizes."""
    plain = worth(sizes, np.array([found.plain[f"curve.{size}"] for size in sizes]), found.plain[arm], real_rows)
    curves = np.stack([found.draws[f"curve.{size}"] for size in sizes], axis=1)
    pairs = zip(curves, found.draws[arm], strict=True)
    worths = np.array([worth(sizes, errors, target, real_rows) for errors, target in pairs])
    low, high = _interval(worths)
    outside = plain >= max(sizes) * 1.0001 or plain <= min(sizes) * 0.9999
    told = {
        "judge": judge,
        "real_rows": real_rows,
        "worth": rounded(plain),
        "interval": [rounded(low), rounded(high)],
        "extrapolated": bool(outside),
        "interval_extrapolated": bool(high > max(sizes) * 1.0001 or low < min(sizes) * 0.9999),
    }
    return {**told, "text": _text(told)}


def worth(sizes: Sequence[int], errors: Numbers, target: float, real_rows: float = 0.0) -> float:
    """The number of real rows whose error is `target`, on the curve through (sizes, errors).

    Where many numbers have it, as on a curve that lies at no error at all, the one nearest to `real_rows`.
    """
    falling = monotone(errors)
    level = np.flatnonzero(falling == target)
    if len(level):
        return float(np.clip(real_rows, sizes[level[0]], sizes[level[-1]]))
    logs = np.log(np.asarray(sizes, np.float64))
    if target < falling[-1]:
        return _beyond(logs, falling, target)
    if target >= falling[0]:
        return float(sizes[0])
    after = int(np.argmax(falling <= target))  # the first point that is as good; there is a worse one before it
    part = (falling[after - 1] - target) / (falling[after - 1] - falling[after])
    return float(np.exp(logs[after - 1] + part * (logs[after] - logs[after - 1])))


def _beyond(logs: Numbers, falling: Numbers, target: float) -> float:
    """Where a power law through the last points reaches the target, at most MOST_TIMES the last size."""
    ends, errors = logs[-TAIL_POINTS:], np.log(np.maximum(falling[-TAIL_POINTS:], 1e-6))
    slope = max(-float(np.polyfit(ends, errors, 1)[0]) if len(ends) > 1 else LEAST_SLOPE, LEAST_SLOPE)
    further = (errors[-1] - np.log(max(target, 1e-6))) / slope
    return float(np.exp(logs[-1] + min(further, np.log(MOST_TIMES))))


def monotone(errors: Numbers) -> Numbers:
    """The closest curve that never rises (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for error in np.asarray(errors, np.float64):
        blocks.append([float(error), 1.0])
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            value, count = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + value * count) / (blocks[-1][1] + count),
                blocks[-1][1] + count,
            ]
    return np.concatenate([np.full(int(count), value) for value, count in blocks])


def rounded(number: float) -> int:
    """Two significant digits, or whole numbers below a hundred: more would be pretence."""
    if number < 100:
        return round(number)
    step = 10 ** (int(np.floor(np.log10(number))) - 1)
    return int(round(number / step) * step)


def curve_sizes(train: int, reserve: int, points: int, classes: int) -> list[int]:
    """Sizes of nested sets of real rows: geometric from a quarter of the train rows (two of each label at least) to
    all there are.
    """
    least = min(max(train // 4, 2 * classes, 1), train)
    most = train + reserve
    between = np.geomspace(least, most, points) if most > least else np.array([most])
    sizes = {round(float(size)) for size in between}
    nearest = min(sizes, key=lambda size: (abs(np.log(size / train)), size))
    inner = nearest not in (min(sizes), max(sizes)) or nearest == train
    return sorted((sizes - {nearest} if inner else sizes) | {train})


def nested(labels: NDArray[np.int64], train: int, size: int, seed: int) -> NDArray[np.int64]:
    """Places of a set of `size` real rows, of which the first `train` are train rows and the others the reserve.

    Labels take turns, so that every set is as balanced as its rows allow; sets of one seed are nested; train rows
    come first.
    """
    order = np.concatenate([_taking_turns(labels[:train], seed), train + _taking_turns(labels[train:], seed)])
    return np.sort(order[:size])


def _taking_turns(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """An order in which the n-th rows of all labels come before the n+1-th of any."""
    shuffled = np.random.default_rng([seed, 0x7E57]).permutation(len(labels))
    own = labels[shuffled]
    turn = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        turn[own == label] = np.arange((own == label).sum())
    return shuffled[np.argsort(turn, kind="stable")]


def _interval(values: Numbers) -> list[float]:
    low, high = np.quantile(values, INTERVAL)
    return [float(low), float(high)]


def _text(told: Mapping[str, Any]) -> str:
    """`your 100 rows now work like 230 (180-310)`."""
    low, high = told["interval"]
    extrapolated = ", extrapolated" if told["extrapolated"] else ""
    return f"your {told['real_rows']:,} rows now work like {told['worth']:,} ({low:,}-{high:,}{extrapolated})"

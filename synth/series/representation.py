"""Windows as generators see them: about zero mean and unit variance in every channel, and back to values that it takes.

A channel is taken plain, or, where it is positive and moves in proportion to itself, as prices do, as the log of its
first value and the log ratios from step to step. The way back sets values to those that the channel takes
(`grid.py`) and clips them to the range of train rows.

Missing values are filled, for learning, along the line between their neighbours in time (beyond the first and last, by
these; a channel that is missing whole, by its mean). So what is made has no missing values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.series.grid import Grid, grid_of
from synth.series.rows import Numbers, Windows

Encoded = NDArray[np.float32]
LEAST_SPREAD = 0.2  # of the log of a channel's level between windows, where ratios are thought of
CALM = 0.25  # of that spread, which the log ratios of single steps must be below
PROPORTION = 0.5  # the least slope of the log size of a window's moves on the log of its level
TINY = 1e-12


@dataclass(frozen=True)
class Channel:
    """How a channel is encoded: `first` of its first step, `later` of the others, centre and width each."""

    form: str  # "plain" or "ratios"
    first: tuple[float, float]
    later: tuple[float, float]
    low: float
    high: float
    decimals: int

    @property
    def middle(self) -> float:
        """What stands where a window's channel is missing whole."""
        return float(np.exp(self.first[0])) if self.form == "ratios" else self.first[0]


@dataclass(frozen=True)
class Representation:
    """What was found from train rows."""

    length: int
    channels: tuple[Channel, ...]
    values: tuple[Numbers, ...]  # of each channel those that it takes; none where it takes any

    @staticmethod
    def of(windows: Windows) -> Representation:
        """Find the forms, scales and grids of train windows float64[N, T, C], at least one."""
        full = filled(windows)
        found = [_channel(windows[:, :, place], full[:, :, place]) for place in range(windows.shape[2])]
        return Representation(windows.shape[1], tuple(each for each, _ in found), tuple(some for _, some in found))

    def encode(self, windows: Windows) -> Encoded:
        """float32[N, T, C], without missing values."""
        full = filled(windows, [each.middle for each in self.channels])
        return self._encoded(full)

    def known(self, windows: Windows) -> Encoded:
        """float32[N, T, C] of windows of which some steps are known: NaN where that leaves a value open."""
        return self._encoded(windows)

    def decode(self, encoded: NDArray[np.floating[Any]]) -> Windows:
        """float64[N, T, C] of values that a float32 can hold."""
        return self._decoded(np.asarray(encoded, np.float64))

    def completed(self, encoded: NDArray[np.floating[Any]], windows: Windows) -> Windows:
        """Decode what was made around the known steps of `windows`, which stay as they are.

        Where ratios lead from known to known steps, what they miss the far one by is spread over the steps between.
        """
        made = self._decoded(np.asarray(encoded, np.float64), windows)
        return np.where(np.isnan(windows), made, windows)

    def _encoded(self, windows: Windows) -> Encoded:
        parts = [_encode(each, windows[:, :, place]) for place, each in enumerate(self.channels)]
        return np.stack(parts, 2).astype(np.float32)

    def _decoded(self, encoded: Numbers, known: Windows | None = None) -> Windows:
        out = np.empty(encoded.shape)
        for place, each in enumerate(self.channels):
            values = encoded[:, :, place] * _widths(each, self.length) + _centres(each, self.length)
            if each.form == "ratios":
                logs = values.cumsum(1)
                values = np.exp(np.clip(logs if known is None else _bridged(logs, known[:, :, place]), -700, 700))
            some = self.values[place]
            out[:, :, place] = Grid(each.low, each.high, each.decimals, some if len(some) else None).snap(values)
        return out

    def card(self) -> dict[str, Any]:
        """What a checkpoint's card tells of it, as JSON."""
        return {"length": self.length, "channels": [asdict(each) for each in self.channels]}

    def arrays(self) -> dict[str, Numbers]:
        """The values that channels take, by the channel's place."""
        return {str(place): some for place, some in enumerate(self.values)}

    @staticmethod
    def from_card(card: Mapping[str, Any], arrays: Mapping[str, Numbers]) -> Representation:
        """Back from `card` and `arrays`."""
        channels = tuple(
            Channel(**{**each, "first": tuple(each["first"]), "later": tuple(each["later"])})
            for each in card["channels"]
        )
        return Representation(card["length"], channels, tuple(arrays[str(place)] for place in range(len(channels))))


def filled(windows: Windows, instead: list[float] | None = None) -> Windows:
    """Windows without missing values; a channel that is missing whole has the mean of all windows, or `instead`."""
    missing = np.isnan(windows)
    if not missing.any():
        return windows
    out, steps = windows.copy(), np.arange(windows.shape[1])
    for row, channel in zip(*np.nonzero(missing.any(1)), strict=True):
        values, holes = out[row, :, channel], missing[row, :, channel]
        if not holes.all():
            values[holes] = np.interp(steps[holes], steps[~holes], values[~holes])
    empty = np.isnan(out)
    if empty.any():
        told = np.array(instead) if instead else np.nan_to_num(_means(out))
        out = np.where(empty, told, out)
    return out


def _means(windows: Windows) -> Numbers:
    """float64[C]: of what is there."""
    there = ~np.isnan(windows)
    return np.where(there, windows, 0.0).sum((0, 1)) / np.maximum(there.sum((0, 1)), 1)


def _channel(seen: Numbers, full: Numbers) -> tuple[Channel, Numbers]:
    """Form, scales and values of one channel (N, T): as rows have it, and without missing values."""
    there = seen[~np.isnan(seen)]
    there = there if len(there) else np.zeros(1)
    step = int((~np.isnan(seen)).sum(0).argmax())
    grid = grid_of(there, seen[:, step][~np.isnan(seen[:, step])])
    form = "ratios" if _moves_in_proportion(full) else "plain"
    if form == "ratios":
        logs = np.log(full)
        first, later = _scale(logs[:, 0]), _scale(np.diff(logs, axis=1))
    else:
        first = later = _scale(full)
    some = np.zeros(0) if grid.values is None else grid.values
    return Channel(form, first, later, grid.low, grid.high, grid.decimals), some


def _scale(values: Numbers) -> tuple[float, float]:
    """Mean and deviation; 1 where all are the same."""
    width = float(values.std())
    return float(values.mean()), width if width > TINY * max(1.0, float(np.abs(values).max())) else 1.0


def _moves_in_proportion(full: Numbers) -> bool:
    """Whether a channel (N, T) is positive, stands at very different levels, and moves the more the higher it is."""
    if full.min() <= 0 or len(full) < 3:
        return False
    logs = np.log(full)
    level, moves = logs.mean(1), np.abs(np.diff(full, axis=1)).mean(1)
    spread, step = float(level.std()), float(np.diff(logs, axis=1).std())
    if spread < LEAST_SPREAD or step > CALM * spread or moves.min() <= 0:
        return False
    away = level - level.mean()
    return float((away * np.log(moves)).sum() / (away**2).sum()) > PROPORTION


def _centres(channel: Channel, length: int) -> Numbers:
    """float64[T]."""
    return np.array([channel.first[0]] + [channel.later[0]] * (length - 1))


def _widths(channel: Channel, length: int) -> Numbers:
    """float64[T]."""
    return np.array([channel.first[1]] + [channel.later[1]] * (length - 1))


def _encode(channel: Channel, values: Numbers) -> Numbers:
    """One channel (N, T); NaN stays, and in ratios comes again at the step after it."""
    length = values.shape[1]
    if channel.form == "ratios":
        logs = np.log(np.where(np.isnan(values), np.nan, np.maximum(values, channel.low)))
        values = np.concatenate([logs[:, :1], np.diff(logs, axis=1)], 1)
    return (values - _centres(channel, length)) / _widths(channel, length)


def _bridged(logs: Numbers, known: Numbers) -> Numbers:
    """Made logs (N, T) led through those of the known values: what they are off there is taken away, and between two
    known steps as much of each as the step is near to it.
    """
    steps, out = np.arange(logs.shape[1]), logs.copy()
    for row, there in enumerate(~np.isnan(known)):
        if there.any():
            off = logs[row, there] - np.log(np.maximum(known[row, there], np.finfo(np.float32).tiny))
            out[row] -= np.interp(steps, steps[there], off)
    return out

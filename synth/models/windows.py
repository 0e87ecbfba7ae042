"""The contract of generators of time series: what they know of the windows they learn from, and what they offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """Windows of `length` steps and `channels`, of so many labels: 1 where rows have none."""

    length: int
    channels: int
    labels: int
    rows: tuple[int, ...] = ()  # train rows of each label, by which a model may choose its size

    @property
    def width(self) -> int:
        """Values of a window."""
        return self.length * self.channels


class WindowGenerator(Protocol):
    """What every model of series offers once it is fitted."""

    shape: Shape
    noise_width: int

    def sample(self, noise: Tensor, label: Tensor, temperature: float = 1.0, known: Tensor | None = None) -> Tensor:
        """Make encoded windows (N, T, C) from standard normal (N, noise_width) float32 and labels (N,) int64.

        `known` (N, T, C) holds encoded values that are given, which come back as they are, and NaN for what is to be
        made so that it goes with them. Row i depends on row i of the arguments alone. Temperature below 1 trades
        variety for typicality.
        """

"""Nets along time that models of series share: a reader that halves a window until few steps are left, and a writer
that doubles a few steps until they are a window.

Nothing looks across rows. Steps are doubled by repeating them, whose gradient adds up in a fixed order on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MOST_CHANNELS = 128
FEW_STEPS = 6  # at most, where halving ends
KERNEL = 5


def halvings(length: int) -> int:
    """How often a window of `length` steps is halved until few are left."""
    times = 0
    while -(-length // 2**times) > FEW_STEPS:
        times += 1
    return times


class Reader(nn.Module):
    """From (N, C, T) to (N, width)."""

    def __init__(self, channels: int, length: int, inner: int, width: int) -> None:
        super().__init__()
        times, before = halvings(length), channels
        layers: list[nn.Module] = []
        for step in range(times):
            after = min(inner << step, MOST_CHANNELS)
            layers += [nn.Conv1d(before, after, KERNEL, 2, KERNEL // 2), nn.SiLU()]
            before, length = after, (length + 1) // 2
        self.maps = nn.Sequential(*layers, nn.Flatten())
        self.dense = nn.Linear(before * length, width)

    def forward(self, rows: Tensor) -> Tensor:
        """Read rows."""
        return self.dense(self.maps(rows))


class Writer(nn.Module):
    """From (N, width) to (N, C, T)."""

    def __init__(self, width: int, channels: int, length: int, inner: int) -> None:
        super().__init__()
        self.length, times = length, halvings(length)
        before = min(inner << max(times - 1, 0), MOST_CHANNELS)
        self.few = (before, -(-length // 2**times))
        self.dense = nn.Linear(width, before * self.few[1])
        self.maps = nn.ModuleList()
        for step in reversed(range(times)):
            after = min(inner << max(step - 1, 0), MOST_CHANNELS)
            self.maps.append(nn.Conv1d(before, after, KERNEL, 1, KERNEL // 2))
            before = after
        self.end = nn.Conv1d(before, channels, KERNEL, 1, KERNEL // 2)

    def forward(self, told: Tensor) -> Tensor:
        """Write rows."""
        x = functional.silu(self.dense(told)).view(-1, *self.few)
        for convolution in self.maps:
            x = functional.silu(convolution(_doubled(x)))
        return self.end(x[:, :, : self.length])


def _doubled(x: Tensor) -> Tensor:
    """(N, C, 2 T) of (N, C, T)."""
    return x[..., None].expand(*x.shape, 2).flatten(2)


def polynomials(length: int, count: int) -> Tensor:
    """(count, T): Legendre's polynomials over a window's steps, the constant first."""
    place = torch.linspace(-1, 1, length, dtype=torch.float64) if length > 1 else torch.zeros(1, dtype=torch.float64)
    rows = [torch.ones_like(place), place]
    for degree in range(1, count - 1):
        rows.append(((2 * degree + 1) * place * rows[-1] - degree * rows[-2]) / (degree + 1))
    return torch.stack(rows[:count]).float()


def waves(length: int, count: int) -> Tensor:
    """(2 count, T): cosines and sines that go round once, twice, … in a window."""
    turns = 2 * torch.pi * torch.arange(1, count + 1).double()[:, None] * torch.arange(length).double() / length
    return torch.cat([turns.cos(), turns.sin()]).float()

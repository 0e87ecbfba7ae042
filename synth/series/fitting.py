"""Windows as a training sees them, and what watches over it.

Quality is the energy distance (Székely, Rizzo 2013) between made and held-out windows of the same label, of values and
of their differences from step to step, without the part that no generator changes; lower is better. Variety is the
ratio of mean distances between windows of a label, made to real.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from synth.fit import Settings, hold_out, mixed
from synth.fit.apart import between, within
from synth.fit.watch import Check
from synth.models import Batch

MAX_ROWS = 1024  # that a check makes, of all labels together
LEAST_ROWS = 8  # of a label
MAX_WATCHED = 10_240  # train rows that a check may look at


@dataclass(frozen=True)
class SeriesRows:
    """Train rows, in an order that says nothing of them: encoded float32 (N, T, C) and int64 (N,)."""

    series: Tensor
    labels: Tensor
    most_held_out = 500  # rows of a label

    def take(self, places: Tensor) -> Batch:
        """Windows and labels."""
        return {"series": self.series[places], "label": self.labels[places], "index": places}

    def to(self, device: str) -> SeriesRows:
        """The same rows on a device."""
        return SeriesRows(self.series.to(device), self.labels.to(device))

    def watch(self, settings: Settings, model: Any) -> SeriesWatch:
        """The watch over a training on these rows: always the same noise, the same held-out rows."""
        train, held = hold_out(self, settings.held_out)
        return SeriesWatch(self.take(train[:MAX_WATCHED]), self.take(held), model.noise_width, mixed(settings.seed, 2))


class SeriesWatch:
    """Looks at a generator's windows with the same noise each time, so that checks differ by the weights alone."""

    def __init__(self, train: Batch, held: Batch, noise_width: int, seed: int) -> None:
        """Take some train rows and the held-out ones."""
        self.kinds = held["label"].unique()
        per_label = max(LEAST_ROWS, MAX_ROWS // len(self.kinds))
        draw = torch.Generator().manual_seed(seed)
        self.label = self.kinds.repeat_interleave(per_label)
        self.noise = torch.randn(len(self.label), noise_width, generator=draw).to(self.label.device)
        self.restless = train["series"].diff(dim=1).std(dim=(0, 1)).clamp_min(1e-3)  # (C,)
        kept = [_of(held, kind, per_label) for kind in self.kinds]
        self.held = [self._looks(some) for some in kept]
        known = [_of(train, kind, per_label) for kind in self.kinds]
        known = [some if len(some) > 1 else other for some, other in zip(known, kept, strict=True)]
        self.own = torch.stack([within(self._looks(some)) for some in known])
        self.real = torch.stack([within(some.flatten(1)) for some in known])
        self.varied = self.real > 0  # labels of a single row, or of equal ones, say nothing of variety

    def _looks(self, windows: Tensor) -> Tensor:
        """(N, F): values and differences, each part of like weight."""
        moves = windows.diff(dim=1) / self.restless
        scale = windows.shape[1] * windows.shape[2]
        return torch.cat([windows.flatten(1), moves.flatten(1)], 1) / scale**0.5

    @torch.no_grad()
    def check(self, model: Any) -> Check:
        """Look at what the model makes of the same noise as ever."""
        parts = zip(self.noise.split(256), self.label.split(256), strict=True)
        made = torch.cat([model.sample(noise, label) for noise, label in parts])
        each = [made[self.label == kind] for kind in self.kinds]
        looks = [self._looks(some) for some in each]
        scores = torch.stack([2 * between(g, h) - within(g) for g, h in zip(looks, self.held, strict=True)]) - self.own
        spreads = torch.stack([within(some.flatten(1)) for some in each])
        varied = spreads[self.varied].mean() / self.real[self.varied].mean() if bool(self.varied.any()) else None
        return Check(float(scores.mean()), 1.0 if varied is None else float(varied))


def _of(batch: Batch, kind: Tensor, most: int) -> Tensor:
    """The first windows of a label."""
    return batch["series"][batch["label"] == kind][:most]

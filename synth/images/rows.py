"""Images as a training sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from synth.encode import scaled
from synth.fit import Settings, hold_out, mixed
from synth.images.watch import ImageWatch
from synth.models import Batch

MAX_WATCHED = 10_240  # rows that a check may look at


@dataclass(frozen=True)
class ImageRows:
    """Train rows, in an order that says nothing of them: uint8 (N, C, H, W) and int64 (N,)."""

    images: Tensor
    labels: Tensor
    most_held_out = 200  # rows of a label: more do not judge better

    def take(self, places: Tensor) -> Batch:
        """Images scaled to [-1, 1], and labels."""
        return {"image": scaled(self.images[places]), "label": self.labels[places], "index": places}

    def to(self, device: str) -> ImageRows:
        """The same rows on a device."""
        return ImageRows(self.images.to(device), self.labels.to(device))

    def watch(self, settings: Settings, model: Any) -> ImageWatch:
        """The watch over a training on these rows: always the same noise, the same held-out rows."""
        train, held = hold_out(self, settings.held_out)
        train = train[:MAX_WATCHED]
        missing = set(self.labels.unique().tolist()) - set(self.labels[train].unique().tolist())
        more = [torch.nonzero(self.labels == kind)[:1, 0] for kind in sorted(missing)]
        some, others = self.take(torch.cat([train, *more])), self.take(held)
        return ImageWatch(
            (some["image"], some["label"]),
            (others["image"], others["label"]),
            model.noise_width,
            mixed(settings.seed, 2),
        )

"""What a training on images is watched by: quality against held-out rows, and variety against train rows.

Quality is the energy distance (Székely, Rizzo 2013) between made and held-out rows of the same label, on features of
a fixed random convolution: random filters tell textures and shapes apart without having been trained (Saxe et al.
2011), and being fixed they compare runs. Its part that depends on the generator, 2 E|g - h| - E|g - g'|, is a
proper score (Gneiting, Raftery 2007): unbiased however few rows are held out, where a Fréchet distance needs
hundreds. Lower is better.

Variety is the ratio of mean distances between rows of the same label, made to real: a healthy training holds
0.95-1.10; a collapsed one falls far below while its rows may still look right one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synth.encode import from_tensor
from synth.fit.apart import between, within
from synth.fit.watch import Check

GRID_ROWS, GRID_COLUMNS = 8, 10
PER_LABEL = 48  # rows of each label that are made and compared
MAX_ROWS = 2048  # in all, so that many labels do not make a check slow
FILTERS_SEED = 0


class RandomFeatures:
    """Two random convolutions, pooled to 4x4 and 2x2, each feature scaled by its spread over some rows."""

    def __init__(self, images: Tensor) -> None:
        """Draw the filters (always the same) and measure the scale on images (N, C, H, W) in [-1, 1]."""
        draw = torch.Generator().manual_seed(FILTERS_SEED)
        first = torch.randn(24, images.shape[1], 3, 3, generator=draw)
        second = torch.randn(48, 24, 3, 3, generator=draw)
        self.first = (first / first[0].numel() ** 0.5).to(images.device)
        self.second = (second / second[0].numel() ** 0.5).to(images.device)
        found = self.raw(images)
        self.mean, spread = found.mean(0), found.std(0, unbiased=False)
        self.scale = torch.where(spread > 1e-3, 1.0 / spread.clamp_min(1e-3), 0.0) / found.shape[1] ** 0.5

    def raw(self, images: Tensor) -> Tensor:
        """(N, F) features before scaling."""
        seen = nn.functional.leaky_relu(nn.functional.conv2d(images, self.first, padding=1), 0.1)
        coarse = nn.functional.adaptive_avg_pool2d(seen, 4).flatten(1)
        seen = nn.functional.leaky_relu(
            nn.functional.conv2d(nn.functional.avg_pool2d(seen, 2), self.second, padding=1), 0.1
        )
        return torch.cat([coarse, nn.functional.adaptive_avg_pool2d(seen, 2).flatten(1)], 1)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, F) features of like weight."""
        return (self.raw(images) - self.mean) * self.scale


class ImageWatch:
    """Looks at a generator's rows with the same noise each time, so that checks differ by the weights alone."""

    def __init__(
        self, train: tuple[Tensor, Tensor], held_out: tuple[Tensor, Tensor], noise_width: int, seed: int
    ) -> None:
        """Take train and held-out rows, some of every label: images (N, C, H, W) in [-1, 1], labels (N,)."""
        images, labels = train
        self.kinds = labels.unique()
        per_label = max(8, min(PER_LABEL, MAX_ROWS // len(self.kinds)))
        draw = torch.Generator().manual_seed(seed)
        self.condition = self.kinds.repeat_interleave(per_label)
        self.noise = torch.randn(len(self.condition), noise_width, generator=draw).to(images.device)
        chosen = torch.cat([torch.nonzero(labels == kind)[: 4 * per_label, 0] for kind in self.kinds])
        self.features = RandomFeatures(images[chosen])
        self.held = self._by_label(self.features(held_out[0]), held_out[1])
        own = self._by_label(self.features(images[chosen]), labels[chosen])
        self.within = torch.stack([within(rows) for rows in own]).mean()  # held-out rows may be too few to say it
        real = torch.stack([within(images[chosen][labels[chosen] == kind].flatten(1)) for kind in self.kinds])
        self.varied = real > 0  # labels of a single row, or of equal ones, say nothing of variety
        self.real_spread = real[self.varied].mean()

    def _by_label(self, rows: Tensor, labels: Tensor) -> list[Tensor]:
        return [rows[labels == kind] for kind in self.kinds]

    def check(self, model: Any) -> Check:
        """Look at what the model makes of the same noise as ever."""
        return self.look(self.made_by(model))

    @torch.no_grad()
    def made_by(self, model: Any) -> Tensor:
        """Rows that the model makes of the watch's noise, (N, C, H, W)."""
        parts = zip(self.noise.split(256), self.condition.split(256), strict=True)
        return torch.cat([model.sample(noise, condition) for noise, condition in parts])

    def look(self, rows: Tensor) -> Check:
        """Judge rows (N, C, H, W) that were made from `noise` and `condition`.

        Quality is the energy distance to the held-out rows, variety the mean distance between rows of a label,
        made / real.
        """
        made = self._by_label(self.features(rows), self.condition)
        scores = torch.stack([2 * between(g, h) - within(g) for g, h in zip(made, self.held, strict=True)])
        spreads = torch.stack([within(each) for each in self._by_label(rows.flatten(1), self.condition)])
        variety = float(spreads[self.varied].mean() / self.real_spread) if bool(self.varied.any()) else 1.0
        return Check(float(scores.mean() - self.within), variety, grid(rows, self.condition))


def grid(images: Tensor, labels: Tensor) -> np.ndarray:
    """uint8[H, W, C]: a few rows of the first labels, a column each."""
    kinds = labels.unique()[:GRID_COLUMNS]
    rows = min([GRID_ROWS, *[int((labels == kind).sum()) for kind in kinds]])
    columns = [np.concatenate(list(from_tensor(images[labels == kind][:rows]))) for kind in kinds]
    return np.concatenate(columns, axis=1)

"""A small convolutional net over time (Wang, Yan and Oates 2017, smaller): equal steps, and the last one counts.

Fixed by intent, as the judge of images of this name: what differs between two judges is what they learned from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from synth.judges import Effort
from synth.judges.cnn import LEARNING_RATE, WEIGHT_DECAY, batches, schedule
from synth.judges.repeatable import one_way
from synth.series.rows import Judge, Numbers, Rows, Windows
from synth.series.scaled import scale_of, scaled
from udfs.series.scaling import Scale

WIDTHS = (32, 64, 64)  # filters
KERNEL = 5
SMALLEST = 6  # steps: where halving ends
DROPOUT = 0.3
BLOCK = 1000  # rows predicted at a time


class SeriesNet(nn.Module):
    """Convolutions over time, halved while long; mean and greatest answer of each filter; one linear layer."""

    def __init__(self, steps: int, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for filters in WIDTHS:
            layers += [nn.Conv1d(before, filters, KERNEL, padding=KERNEL // 2), nn.ReLU()]
            shrink = min(4, steps // SMALLEST)
            if shrink > 1:
                layers.append(nn.MaxPool1d(shrink, ceil_mode=True))
                steps = math.ceil(steps / shrink)
            before = filters
        self.features = nn.Sequential(*layers)
        self.classify = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(2 * before, classes))

    def forward(self, windows: Tensor) -> Tensor:
        """(N, C, T) -> logits (N, classes)."""
        told = self.features(windows)
        return self.classify(torch.cat([told.mean(2), told.amax(2)], 1))


@dataclass(frozen=True)
class CnnJudge:
    """A trained net, and what its windows are scaled by."""

    net: SeriesNet
    scale: Scale
    threads: int

    def predict(self, windows: Windows) -> Numbers:
        """float64[N, classes]."""
        told = _tensor(windows, self.scale)
        with one_way(self.threads), torch.inference_mode():
            parts = [self.net(told[at : at + BLOCK]).double().softmax(1) for at in range(0, max(len(told), 1), BLOCK)]
            said: Numbers = torch.cat(parts).numpy()
        return said


def fit_cnn(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Train for exactly `effort.steps` steps; a mixed row counts for its labels by their shares."""
    scale, shares = scale_of(rows.windows), torch.from_numpy(rows.shares).float()
    told = _tensor(rows.windows, scale)
    with one_way(effort.threads, seed):
        net = SeriesNet(rows.windows.shape[1], rows.windows.shape[2], shares.shape[1]).train()
        optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        for step, places in enumerate(batches(len(rows), effort, seed)):
            chosen = torch.from_numpy(places)
            loss = nn.functional.cross_entropy(net(told[chosen]), shares[chosen])
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * schedule((step + 0.5) / effort.steps)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"a judge's loss is {float(loss)} after {effort.steps} steps on {len(rows)} rows")
    return CnnJudge(net.eval(), scale, effort.threads)


def _tensor(windows: Windows, scale: Scale) -> Tensor:
    """float32 (N, C, T)."""
    told = np.ascontiguousarray(scaled(windows, scale).swapaxes(1, 2), np.float32)
    return torch.from_numpy(told)

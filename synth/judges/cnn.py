"""A small convolutional net, sized from the image (LeCun et al. 1998, with ReLU, dropout and Adam).

Fixed by intent: architecture, schedule and number of steps depend on the image's form and the effort alone, never on
the rows, so that what differs between two judges is what they learned from. No batch normalisation: small sets with
unlike origins in one batch would share statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.encode import to_tensor
from synth.judges.repeatable import one_way
from synth.judges.rows import Augmenter, Effort, Images, Probabilities, Rows

LEARNING_RATE = 3e-3  # the peak of a one-cycle schedule (Smith 2018); best of 1e-3 to 4e-3 on digits and MNIST
WARM_UP = 0.1  # share of the steps
DROPOUT = 0.3
WEIGHT_DECAY = 1e-2
BASE_WIDTH = {1: 16, 3: 32}  # filters of the first layer, by channels
MAX_WIDTH = 64
SMALLEST_MAP = 4  # pixels: where halving ends
BIG_KERNEL_FROM = 24  # pixels: 5x5 filters from here on, 3x3 below
BLOCK = 1000  # rows predicted at a time


class SmallNet(nn.Module):
    """Convolutions, each of the last ones followed by a halving; one dense layer; one linear layer."""

    def __init__(self, height: int, width: int, channels: int, classes: int) -> None:
        super().__init__()
        halvings = max(1, int(math.log2(min(height, width) / SMALLEST_MAP)))
        plain = max(0, 2 - halvings)  # 8 px halve once, but two layers see more than one
        kernel = 5 if min(height, width) >= BIG_KERNEL_FROM and channels == 1 else 3
        layers: list[nn.Module] = []
        before, filters = channels, BASE_WIDTH[channels]
        for place in range(plain + halvings):
            layers.append(nn.Conv2d(before, filters, kernel, padding=kernel // 2))
            if place >= plain:
                layers.append(nn.MaxPool2d(2))
            layers.append(nn.ReLU())
            before, filters = filters, min(MAX_WIDTH, filters * 2 if place >= plain else filters)
        dense = (height >> halvings) * (width >> halvings) * before
        hidden = 64 if min(height, width) < BIG_KERNEL_FROM else 128
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Linear(dense, hidden), nn.ReLU())
        self.classify = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(hidden, classes))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] -> logits (N, classes)."""
        return self.classify(self.features(images))


@dataclass(frozen=True)
class CnnJudge:
    """A trained net."""

    net: SmallNet
    threads: int

    def predict_proba(self, images: Images) -> Probabilities:
        """float64[N, classes]."""
        return self._in_blocks(images, lambda batch: self.net(batch).double().softmax(1))

    def features(self, images: Images) -> Probabilities:
        """float64[N, F]: what the last but one layer says, the space in which likeness is measured."""
        return self._in_blocks(images, lambda batch: self.net.features(batch).double())

    def _in_blocks(self, images: Images, function: Callable[[Tensor], Tensor]) -> Probabilities:
        with one_way(self.threads), torch.inference_mode():
            parts = [function(_batch(images[at : at + BLOCK])) for at in range(0, max(len(images), 1), BLOCK)]
            return torch.cat(parts).numpy()


def fit_cnn(rows: Rows, classes: int, effort: Effort, seed: int, augment: Augmenter | None = None) -> CnnJudge:
    """Train for exactly `effort.steps` steps; the last one counts."""
    with one_way(effort.threads, seed):
        net = _fresh(rows.images, classes).train()
        optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
        random = np.random.default_rng([seed, 0xA06])
        for step, places in enumerate(batches(len(rows), effort, seed)):
            images = rows.images[places] if augment is None else augment(rows.images[places], random)
            loss = _loss(net(_batch(images)), rows, places)
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * schedule((step + 0.5) / effort.steps)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"a judge's loss is {float(loss)} after {effort.steps} steps on {len(rows)} rows")
    return CnnJudge(net.eval(), effort.threads)


def _fresh(images: Images, classes: int) -> SmallNet:
    """An untrained net for images of this form; convolutions are faster with channels last."""
    _, height, width, channels = images.shape
    net = SmallNet(height, width, channels, classes)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


def schedule(progress: float) -> float:
    """Share of the peak rate at `progress` in 0 to 1: up in a line, down in a cosine."""
    if progress < WARM_UP:
        return progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def batches(count: int, effort: Effort, seed: int) -> Iterator[np.ndarray]:
    """Row places batch by batch, permutation after permutation."""
    random = np.random.default_rng([seed, 0xBA7C])
    waiting = np.zeros(0, np.int64)
    for _ in range(effort.steps):
        while len(waiting) < effort.batch_size:
            waiting = np.concatenate([waiting, random.permutation(count)])
        yield waiting[: effort.batch_size]
        waiting = waiting[effort.batch_size :]


def _batch(images: Images) -> Tensor:
    return to_tensor(images).contiguous(memory_format=torch.channels_last)


def _loss(logits: Tensor, rows: Rows, places: np.ndarray) -> Tensor:
    """Cross-entropy against hard labels, or soft ones where the rows have them."""
    if rows.soft is None:
        return functional.cross_entropy(logits, torch.from_numpy(rows.labels[places]))
    return functional.cross_entropy(logits, torch.from_numpy(rows.soft[places]).to(logits.dtype))

"""A small net over encoded cells: the same number of steps whatever the rows, and its last step counts.

Fixed by intent, as the judge of images is: width, schedule and steps do not depend on the rows, so that what differs
between two judges is what they learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.judges import Effort
from synth.judges.cnn import batches, schedule
from synth.judges.repeatable import one_way
from synth.tables.judges.encoding import Encoding
from synth.tables.rows import Numbers, Rows
from udfs.table.form import Matrix

LEARNING_RATE = 3e-3  # the peak of a one-cycle schedule
WEIGHT_DECAY = 1e-2
DROPOUT = 0.1
HIDDEN = (128, 64)
BLOCK = 10_000  # rows predicted at a time


@dataclass(frozen=True)
class MlpJudge:
    """A trained net; numbers come out of it in units of `std` from `mean`."""

    encode: Encoding
    net: nn.Sequential
    width: int
    mean: float
    std: float
    threads: int

    def predict(self, cells: Matrix) -> Numbers:
        """float64[N, classes], or float64[N, 1]."""
        said = [np.zeros((0, self.width))]
        with one_way(self.threads), torch.inference_mode():
            for at in range(0, len(cells), BLOCK):
                out = self.net(torch.from_numpy(self.encode(cells[at : at + BLOCK]))).double()
                said.append((out.softmax(1) if self.width > 1 else out * self.std + self.mean).numpy())
        return np.concatenate(said)


def fit_mlp(rows: Rows, effort: Effort, seed: int) -> MlpJudge:
    """Train for exactly `effort.steps` steps. Raises FloatingPointError where the loss is not finite."""
    encode = Encoding.fitted(rows.cells, rows.question.inputs)
    regression = not rows.question.classes
    mean, std = _centre(rows.targets) if regression else (0.0, 1.0)
    with one_way(effort.threads, seed):
        vectors, targets = torch.from_numpy(encode(rows.cells)), _targets(rows, mean, std)
        net = _fresh(vectors.shape[1], rows.question.width).train()
        optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
        for step, places in enumerate(batches(len(rows), effort, seed)):
            at = torch.from_numpy(places)
            loss = _loss(net(vectors[at]), targets[at])
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * schedule((step + 0.5) / effort.steps)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"a judge's loss is {float(loss)} after {effort.steps} steps on {len(rows)} rows")
    return MlpJudge(encode, net.eval(), rows.question.width, mean, std, effort.threads)


def _centre(targets: Numbers) -> tuple[float, float]:
    """Mean and standard deviation of numbers; 1 where they are all equal."""
    spread = float(targets.std())
    return float(targets.mean()), spread if spread > 0 else 1.0


def _targets(rows: Rows, mean: float, std: float) -> Tensor:
    if rows.question.classes:
        return torch.from_numpy(rows.labels)
    return torch.from_numpy(((rows.targets - mean) / std).astype(np.float32))


def _fresh(before: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for hidden in HIDDEN:
        layers += [nn.Linear(before, hidden), nn.ReLU(), nn.Dropout(DROPOUT)]
        before = hidden
    return nn.Sequential(*layers, nn.Linear(before, width))


def _loss(said: Tensor, targets: Tensor) -> Tensor:
    if said.shape[1] == 1:
        return functional.mse_loss(said[:, 0], targets)
    return functional.cross_entropy(said, targets)

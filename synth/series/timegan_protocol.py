"""The two scores that papers on generators of time series print (Yoon et al. 2019), so that figures can be set beside.

Both are small recurrent nets: one layer of gated units, half as many as there are channels, as the published
evaluations have it, whatever the paper's text says of two layers. Windows are scaled to 0-1 by the real ones. The
discriminative score is |accuracy - 1/2| on the fifth of the windows that the net has not seen; windows that overlap
lie on both sides, and the net is small and stops early: a score of 0 says little (synth/series/two_sample.py asks
harder). The predictive score is the mean absolute error on real windows of a net that learned from made ones to tell
the last channel's next value from the other channels so far.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from synth.judges.repeatable import one_way
from synth.series.rows import Numbers, Windows

DISCRIMINATIVE_STEPS, PREDICTIVE_STEPS = 2000, 5000
BATCH = 128  # of each set
LEARNED = 0.8  # share of the windows that the classifier learns from
LAYERS = 1
LEARNING_RATE = 1e-3
BLOCK = 4096
LEAST_WIDTH = 1e-7


class Recurrent(nn.Module):
    """Gated recurrent units (Cho et al. 2014) and one linear output for each step."""

    def __init__(self, inputs: int, width: int, layers: int) -> None:
        super().__init__()
        self.units = nn.GRU(inputs, width, layers, batch_first=True)
        self.head = nn.Linear(width, 1)
        for name, weights in self.named_parameters():
            if "bias" in name:
                nn.init.zeros_(weights)
                if "bias_ih" in name:
                    weights.data[: 2 * width] = 1.0  # gates are open at first, as in the published evaluations
            else:
                nn.init.xavier_uniform_(weights)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, T, inputs) -> (N, T)."""
        return self.head(self.units(windows)[0])[..., 0]


def unit_scaled(real: Windows, *others: Windows) -> list[Windows]:
    """All sets with channels in 0-1 of the real one; what is missing is 0."""
    low, high = np.nanmin(real, axis=(0, 1)), np.nanmax(real, axis=(0, 1))
    width = np.maximum(high - low, LEAST_WIDTH)
    return [np.nan_to_num((each - low) / width, nan=0.0).astype(np.float32) for each in (real, *others)]


def discriminative(
    real: Windows, made: Windows, seed: int, steps: int = DISCRIMINATIVE_STEPS, threads: int = 1, layers: int = LAYERS
) -> float:
    """|accuracy - 1/2| of a net that was taught for `steps` steps to tell made windows from real ones."""
    random = np.random.default_rng([seed, 0xD15C])
    sets = [torch.from_numpy(each[random.permutation(len(each))]) for each in unit_scaled(real, made)]
    learned = [each[: int(LEARNED * len(each))] for each in sets]
    asked = [each[int(LEARNED * len(each)) :] for each in sets]
    targets = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)])
    with one_way(threads, seed):
        net = Recurrent(real.shape[2], max(1, real.shape[2] // 2), layers)
        optimiser = torch.optim.Adam(net.parameters(), LEARNING_RATE)
        for _ in range(steps):
            batch = torch.cat([_drawn(random, each) for each in learned])
            loss = 2 * nn.functional.binary_cross_entropy_with_logits(net(batch)[:, -1], targets)
            _stepped(optimiser, loss)
        said = [_asked(net, each)[:, -1] > 0 for each in asked]
    right = np.concatenate([said[0], ~said[1]])
    return abs(float(right.mean()) - 0.5)


def predictive(
    made: Windows, real: Windows, seed: int, steps: int = PREDICTIVE_STEPS, threads: int = 1, layers: int = LAYERS
) -> float:
    """Mean absolute error, on real windows scaled to 0-1, of a net that learned from made ones."""
    random = np.random.default_rng([seed, 0x93ED])
    asked, learned = (torch.from_numpy(each) for each in unit_scaled(real, made))
    with one_way(threads, seed):
        net = Recurrent(_inputs(asked).shape[2], max(1, real.shape[2] // 2), layers)
        optimiser = torch.optim.Adam(net.parameters(), LEARNING_RATE)
        for _ in range(steps):
            batch = _drawn(random, learned)
            loss = (torch.sigmoid(net(_inputs(batch))) - batch[:, 1:, -1]).abs().mean()
            _stepped(optimiser, loss)
        logits = torch.from_numpy(_asked(net, _inputs(asked)))
    return float((torch.sigmoid(logits) - asked[:, 1:, -1]).abs().double().mean())


def _inputs(windows: Tensor) -> Tensor:
    """All steps but the last, all channels but the last; of a single channel itself."""
    return windows[:, :-1, :-1] if windows.shape[2] > 1 else windows[:, :-1]


def _drawn(random: np.random.Generator, windows: Tensor) -> Tensor:
    """BATCH windows, none twice where there are as many."""
    few = len(windows) < BATCH
    return windows[torch.from_numpy(random.choice(len(windows), BATCH, replace=few, shuffle=False))]


def _stepped(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _asked(net: Recurrent, windows: Tensor) -> Numbers:
    """(N, T)."""
    with torch.inference_mode():
        parts = [net(windows[at : at + BLOCK]) for at in range(0, len(windows), BLOCK)]
    return torch.cat(parts).numpy()

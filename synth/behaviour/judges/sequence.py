"""A recurrent net over a user's last items (Hidasi et al. 2016), which tells the next one among all; items have the
same vectors going in and coming out.

Every judge takes the effort's steps, on as many users each; its last weights count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synth.behaviour.judges.vectors import MOST_ITEMS
from synth.behaviour.rows import Items, Judge, Rows, catalogue_of, places_in
from synth.judges import Effort
from synth.judges.repeatable import one_way

WINDOW = 50  # items that are looked back on
WIDTH = 48
DROPPED = 0.3
LEARNING_RATE = 0.01
WEIGHT_DECAY = 0.01
BLOCK = 128


class Net(nn.Module):
    """Items to scores of the next one; the code behind the last item stands for none."""

    def __init__(self, counts: Tensor) -> None:
        super().__init__()
        self.items = len(counts)
        self.embed = nn.Embedding(self.items + 1, WIDTH, padding_idx=self.items)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.net = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.dropped = nn.Dropout(DROPPED)
        self.bias = nn.Parameter(torch.log((counts + 0.5) / (counts + 0.5).sum()))

    def forward(self, codes: Tensor) -> Tensor:
        """(N, T, WIDTH) of (N, T)."""
        return self.dropped(self.net(self.dropped(self.embed(codes)))[0])

    def scored(self, out: Tensor) -> Tensor:
        """(..., items)."""
        return nn.functional.linear(out, self.embed.weight[: self.items], self.bias)


@dataclass(frozen=True)
class SequenceNet:
    """A trained net."""

    catalogue: Items
    net: Net
    threads: int

    def scores(self, histories: Sequence[Items]) -> NDArray[np.float32]:
        """(N, catalogue)."""
        known = [places_in(self.catalogue, each)[-WINDOW:] for each in histories]
        found = [np.zeros((0, len(self.catalogue)), np.float32)]
        with one_way(self.threads), torch.no_grad():
            for at in range(0, len(known), BLOCK):
                part = known[at : at + BLOCK]
                codes = torch.from_numpy(_laid(part, len(self.catalogue), 1))
                last = torch.tensor([max(len(each), 1) - 1 for each in part])
                found.append(self.net.scored(self.net(codes)[torch.arange(len(part)), last]).numpy())
        return np.concatenate(found)


def fit_sequence(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Adam over equal steps, the rate falling to nothing."""
    catalogue = catalogue_of(rows, MOST_ITEMS)
    users = [places_in(catalogue, each) for each in rows.items]
    users = [each for each in users if len(each) > 1] or [np.zeros(2, np.int64)]
    counts = torch.from_numpy(np.bincount(np.concatenate(users), minlength=len(catalogue))).float()
    random = np.random.default_rng([seed, 0x5E9])
    with one_way(effort.threads, seed):
        net = Net(counts)
        optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        pace = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, max(1, effort.steps))
        for chosen in _batches(random, len(users), effort):
            codes = torch.from_numpy(_laid([_window(random, users[row]) for row in chosen.tolist()], len(catalogue), 2))
            asked = codes[:, 1:].flatten()
            told = asked < len(catalogue)
            logits = net.scored(net(codes[:, :-1]).flatten(0, 1)[told])
            loss = nn.functional.cross_entropy(logits, asked[told])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            pace.step()
    return SequenceNet(catalogue, net.eval(), effort.threads)


def _batches(random: np.random.Generator, rows: int, effort: Effort) -> Iterator[np.ndarray]:
    """Places of each step's users, in epochs."""
    left = np.zeros(0, np.int64)
    for _ in range(effort.steps):
        while len(left) < min(effort.batch_size, rows):
            left = np.concatenate([left, random.permutation(rows)])
        chosen, left = left[: effort.batch_size], left[effort.batch_size :]
        yield chosen


def _window(random: np.random.Generator, items: np.ndarray) -> np.ndarray:
    """A run of a user's items, one more than is looked back on at most."""
    start = int(random.integers(0, max(len(items) - WINDOW, 1)))
    return items[start : start + WINDOW + 1]


def _laid(users: Sequence[np.ndarray], nothing: int, least: int) -> np.ndarray:
    """int64 (N, T): as wide as the longest, the others filled up with the code for none."""
    longest = max(least, *(len(each) for each in users))
    laid = np.full((len(users), longest), nothing, np.int64)
    for row, each in enumerate(users):
        laid[row, : len(each)] = each
    return laid

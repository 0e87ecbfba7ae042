"""A bag of hashed words, pairs of words and runs of characters, their embeddings averaged (Joulin et al. 2017).

Every judge takes the effort's steps, on as many rows each; its last weights count.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from synth.judges import Effort
from synth.judges.repeatable import one_way
from synth.texts.rows import Judge, Numbers, Rows, Texts
from udfs.text.words import WORD

BUCKETS = 1 << 15
WIDTH = 16
RUNS = (3, 4, 5)  # characters
MOST_PIECES = 4000  # of a text
LEARNING_RATE = 0.05
WEIGHT_DECAY = 1e-2
DROPPED = 0.2  # share of a text's pieces that a step does not see
BLOCK = 512


class Bag(nn.Module):
    """Averaged embeddings to logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embed = nn.EmbeddingBag(BUCKETS, WIDTH, mode="mean")
        self.head = nn.Linear(WIDTH, classes)
        nn.init.uniform_(self.embed.weight, -1 / WIDTH, 1 / WIDTH)
        nn.init.zeros_(self.head.bias)

    def forward(self, pieces: list[np.ndarray]) -> Tensor:
        """(N, classes)"""
        starts = np.concatenate([[0], np.cumsum([len(each) for each in pieces])[:-1]])
        return self.head(self.embed(torch.from_numpy(np.concatenate(pieces)), torch.from_numpy(starts)))


@dataclass(frozen=True)
class BagJudge:
    """A trained bag."""

    net: Bag
    threads: int

    def predict(self, texts: Texts) -> Numbers:
        """float64[N, classes]."""
        told = [pieces_of(text) for text in texts]
        with one_way(self.threads), torch.no_grad():
            parts = [torch.softmax(self.net(told[at : at + BLOCK]), 1) for at in range(0, len(told), BLOCK)]
        width = self.net.head.out_features
        return torch.cat(parts).double().numpy() if parts else np.zeros((0, width))


def fit_bag(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Adam over equal steps, the rate falling to nothing."""
    told, shares = [pieces_of(text) for text in rows.texts], torch.from_numpy(rows.shares).float()
    random = np.random.default_rng([seed, 0xBA6])
    with one_way(effort.threads, seed):
        net = Bag(shares.shape[1])
        optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        pace = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, max(1, effort.steps))
        for chosen in _batches(random, len(rows), effort):
            logits = net([_thinned(random, told[row]) for row in chosen.tolist()])
            loss = nn.functional.cross_entropy(logits, shares[torch.from_numpy(chosen)])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            pace.step()
    return BagJudge(net.eval(), effort.threads)


def _batches(random: np.random.Generator, rows: int, effort: Effort) -> Iterator[np.ndarray]:
    """Places of each step's rows, in epochs."""
    left = np.zeros(0, np.int64)
    for _ in range(effort.steps):
        while len(left) < min(effort.batch_size, rows):
            left = np.concatenate([left, random.permutation(rows)])
        chosen, left = left[: effort.batch_size], left[effort.batch_size :]
        yield chosen


def _thinned(random: np.random.Generator, pieces: np.ndarray) -> np.ndarray:
    """Most of a text's pieces."""
    kept = pieces[random.random(len(pieces)) >= DROPPED]
    return kept if len(kept) else pieces


def pieces_of(text: str) -> np.ndarray:
    """int64: the buckets of a text's words, pairs of words and runs; one at least."""
    words = [found.group().lower() for found in WORD.finditer(text)]
    pieces = [*words, *(f"{one} {two}" for one, two in pairwise(words))]
    for word in words:
        padded = f"<{word}>"
        pieces += [padded[at : at + run] for run in RUNS for at in range(len(padded) - run + 1)]
        if len(pieces) >= MOST_PIECES:
            break
    told = [zlib.crc32(piece.encode("utf-8", "surrogatepass")) % BUCKETS for piece in pieces[:MOST_PIECES]]
    return np.array(told or [0], np.int64)

"""Tables as a training sees them: tokens, and what watches over it.

A model that says how likely rows are is asked how much held-out rows surprise it; of another, rows are drawn and set
beside the held-out ones, column by column and pair by pair.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synth.fit import Settings, hold_out
from synth.fit.watch import Check
from synth.models import Batch
from synth.tables import neighbours

MOST_COLUMNS = 48  # that drawn rows are compared by
MOST_ROWS = 4096
BLOCK = 1024


@dataclass(frozen=True)
class TableRows:
    """Train rows, in an order that says nothing of them: int64 (N, C) and int64 (N,), 0 where the label is a number."""

    tokens: Tensor
    labels: Tensor
    most_held_out = 1000  # rows of a label

    def take(self, places: Tensor) -> Batch:
        """Tokens and labels."""
        return {"tokens": self.tokens[places], "label": self.labels[places], "index": places}

    def to(self, device: str) -> TableRows:
        """The same rows on a device."""
        return TableRows(self.tokens.to(device), self.labels.to(device))

    def watch(self, settings: Settings, model: Any) -> LikelihoodWatch | PairsWatch:
        """The watch over a training on these rows."""
        held_out = hold_out(self, settings.held_out)[1]
        if hasattr(model, "held_out"):
            return LikelihoodWatch(self.take(held_out))
        return PairsWatch(self.tokens.cpu(), held_out.cpu(), model.sizes)


@dataclass(frozen=True)
class LikelihoodWatch:
    """Looks at how much held-out rows surprise a model, in nats a row. Likelihood does not collapse: variety is 1."""

    held_out: Batch

    def check(self, model: Any) -> Check:
        """Look at a model in its present state."""
        return Check(model.held_out(self.held_out), 1.0)


class PairsWatch:
    """Draws rows, always by the same numbers, and compares the shares of pairs of tokens with held-out rows'.

    Quality is the mean share of rows that would have to change for a pair of columns to have the right shares; variety
    is that of drawn rows, as a share of the held-out ones'. Tokens are coarsened to a few levels. Few held-out rows are
    joined by others: the shares of a few hundred are mostly chance, and shares are not learnt by heart as rows are.
    """

    def __init__(self, tokens: Tensor, held_out: Tensor, sizes: Sequence[int]) -> None:
        """Take all train rows (N, C), the places of the held-out ones, and how many tokens each column has."""
        whole = tokens.numpy()
        self.counts = [np.bincount(column, minlength=size) for column, size in zip(whole.T, sizes, strict=True)]
        columns = whole.shape[1]
        self.some = np.unique(np.linspace(0, columns - 1, min(columns, MOST_COLUMNS)).astype(np.int64))
        self.levels = [neighbours.levels(self.counts[column]) for column in self.some]
        others = np.delete(np.arange(len(whole)), held_out.numpy())
        self.real = self._shares(whole[np.concatenate([held_out.numpy(), others])[:MOST_ROWS]])
        self.uniforms = torch.rand(MOST_ROWS, columns, dtype=torch.float64, generator=_fixed())

    def check(self, model: Any) -> Check:
        """Look at a model in its present state."""
        made = self._shares(self._drawn(model))
        apart = np.abs(made - self.real).reshape(len(self.some), neighbours.LEVELS, len(self.some), neighbours.LEVELS)
        return Check(float(apart.sum((1, 3)).mean() / 2), _variety(made) / max(_variety(self.real), 1e-9))

    def _drawn(self, model: Any) -> np.ndarray:
        """int64[MOST_ROWS, C]: drawn rows."""
        here = copy.deepcopy(model).cpu()  # rows are drawn on the CPU alone
        drawer = here.drawer([torch.from_numpy(count > 0) for count in self.counts])
        noise = torch.randn(MOST_ROWS, drawer.noise_width, generator=_fixed())
        parts = zip(self.uniforms.split(BLOCK), noise.split(BLOCK), strict=True)
        return torch.cat([drawer.sample(uniforms, noise=part) for uniforms, part in parts]).numpy()

    def _shares(self, tokens: np.ndarray) -> np.ndarray:
        """float64[columns * LEVELS, columns * LEVELS]: shares of rows that have both of two levels."""
        flat = neighbours.marked(tokens[:, self.some], self.levels)
        return (flat.T @ flat).astype(np.float64) / len(tokens)


def _variety(shares: np.ndarray) -> float:
    """How likely two rows differ, mean over columns."""
    return 1.0 - float(np.square(np.diag(shares)).sum()) / (len(shares) / neighbours.LEVELS)


def _fixed() -> torch.Generator:
    return torch.Generator().manual_seed(0)

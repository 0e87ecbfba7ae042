"""Texts as a training sees them: pieces, and what watches over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.errors import StageError
from synth.encode import counts, in_random_order, read_rows, to_codes
from synth.fit import Settings, hold_out
from synth.fit.watch import Check
from synth.job import Job
from synth.models import Batch


@dataclass(frozen=True)
class TextRows:
    """Train rows, in an order that says nothing of them: int64 (N, T), padded with the end of a text, and (N,)."""

    tokens: Tensor
    lengths: Tensor  # int64 (N,), on the CPU: pieces of each, its end among them
    labels: Tensor
    most_held_out = 500  # rows of a label

    def take(self, places: Tensor) -> Batch:
        """Pieces, as wide as the longest of these texts, and labels."""
        longest = int(self.lengths[places.cpu()].max())
        return {"tokens": self.tokens[places, :longest], "label": self.labels[places], "index": places}

    def to(self, device: str) -> TextRows:
        """The same rows on a device."""
        return TextRows(self.tokens.to(device), self.lengths, self.labels.to(device))

    def watch(self, settings: Settings, model: Any) -> SurpriseWatch:
        """The watch over a training on these rows."""
        return SurpriseWatch(self.take(hold_out(self, settings.held_out)[1]))


@dataclass(frozen=True)
class SurpriseWatch:
    """Looks at how much held-out texts surprise a model, in nats a piece, and how its codes vary beside theirs."""

    held_out: Batch

    def check(self, model: Any) -> Check:
        """Look at a model in its present state."""
        return Check(model.held_out(self.held_out), model.variety(self.held_out))


def texts_of(job: Job) -> tuple[list[str], NDArray[np.int64]]:
    """All train texts in a random order, and their labels' places. Raises StageError for a label without any."""
    labels = job.config.recipe.labels
    table = in_random_order(read_rows(job.rows_folder, ["label", "text"]))
    codes, texts = to_codes(table, labels), [text or "" for text in table.column("text").to_pylist()]
    empty = [label for label, count in counts(codes, labels).items() if count == 0]
    if empty:
        raise StageError(f"there are no train rows of {empty[0]!r}: a generator needs at least one row of each label.")
    return texts, codes


def padded(texts: Sequence[Sequence[int]], end: int, context: int) -> tuple[Tensor, Tensor]:
    """int64 (N, T) and (N,): texts' pieces with their end behind them, cut to `context`, and how long each is."""
    whole = [[*pieces, end][:context] for pieces in texts]
    longest = max(map(len, whole), default=1)
    tokens = torch.tensor([row + [end] * (longest - len(row)) for row in whole], dtype=torch.int64)
    return tokens.view(len(whole), longest), torch.tensor([len(row) for row in whole], dtype=torch.int64)

"""Tables as a training sees them: tokens, and a watch that asks the model itself how likely held-out rows are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from synth.fit import Settings, hold_out
from synth.fit.watch import Check
from synth.models import Batch


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

    def watch(self, settings: Settings, model: Any) -> LikelihoodWatch:
        """The watch over a training on these rows."""
        return LikelihoodWatch(self.take(hold_out(self, settings.held_out)[1]))


@dataclass(frozen=True)
class LikelihoodWatch:
    """Looks at how much held-out rows surprise a model, in nats a row. Likelihood does not collapse: variety is 1."""

    held_out: Batch

    def check(self, model: Any) -> Check:
        """Look at a model in its present state."""
        return Check(model.held_out(self.held_out), 1.0)

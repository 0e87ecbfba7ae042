"""Users as a training sees them: codes of their events, and what watches over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synth.behaviour.alphabet import Alphabet
from synth.fit import Settings, hold_out
from synth.fit.watch import Check
from synth.models import Batch
from udfs.behaviour.values import Events


@dataclass(frozen=True)
class UserRows:
    """Train users, in an order that says nothing of them: int64 (N, L) each of items, ratings and gaps, (N, K) of
    conditions, (N,) of lengths.
    """

    items: Tensor
    ratings: Tensor
    gaps: Tensor
    condition: Tensor
    lengths: Tensor
    most_held_out = 500

    @property
    def labels(self) -> Tensor:
        """int64 (N,): 0, as users have no label."""
        return torch.zeros(len(self.lengths), dtype=torch.int64)

    def take(self, places: Tensor) -> Batch:
        """Codes, as wide as the longest of these sequences."""
        longest = int(self.lengths[places].max())
        parts = {name: getattr(self, name)[places, :longest] for name in ("items", "ratings", "gaps")}
        return {**parts, "condition": self.condition[places], "length": self.lengths[places], "index": places}

    def to(self, device: str) -> UserRows:
        """The same rows on a device."""
        return UserRows(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def watch(self, settings: Settings, model: Any) -> SurpriseWatch:
        """The watch over a training on these rows."""
        return SurpriseWatch(self.take(hold_out(self, settings.held_out)[1]))


@dataclass(frozen=True)
class SurpriseWatch:
    """Looks at how much held-out users surprise a model, in nats an event; it does not collapse: variety is 1."""

    held_out: Batch

    def check(self, model: Any) -> Check:
        """Look at a model in its present state."""
        return Check(model.held_out(self.held_out), 1.0)


def rows_of(users: Sequence[Events], traits: Sequence[np.ndarray], alphabet: Alphabet) -> UserRows:
    """The rows of users (whose items are all known) with the codes of their traits."""
    longest = max(map(len, users), default=1)
    laid = np.zeros((3, len(users), longest), np.int64)
    for row, user in enumerate(users):
        size = len(user)
        laid[0, row, :size] = [alphabet.places[item] for item in user.items]
        laid[1, row, :size] = alphabet.ratings.codes(user.ratings)
        laid[2, row, 1:size] = alphabet.gaps.codes(np.diff(user.times).astype(np.float64))
    starts = alphabet.starts.codes(np.array([user.times[0] for user in users], np.float64))
    lengths = np.array([len(user) for user in users], np.int64)
    condition = np.stack([*traits, starts, alphabet.lengths.codes(lengths.astype(np.float64))], axis=1)
    return UserRows(*map(torch.from_numpy, (laid[0], laid[1], laid[2], condition, lengths)))

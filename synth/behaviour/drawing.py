"""How the events of one block of users are drawn: one after the other, by inverse CDF, nothing copied at length.

Each event has DRAWS uniform numbers of its row: when it comes, which item it is, how it is rated, and the numbers
within their steps. Where an item would end a run that a train user has, it is left out and the same number picks again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth.behaviour.alphabet import Alphabet
from synth.behaviour.copies import Copies
from synth.models.sequence_ar import Memory
from udfs.behaviour.values import Events

DRAWS = 5
Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]


class Drawing:
    """Draws blocks of users from a fitted model."""

    def __init__(self, model: Any, alphabet: Alphabet, copies: Copies) -> None:
        self.model, self.alphabet, self.copies = model, alphabet, copies

    def users(
        self, profiles: Codes, lengths: Codes, starts: Numbers, uniforms: Numbers, temperature: float
    ) -> list[Events]:
        """The events of users (B,) of these profiles, lengths and first moments, by uniform numbers (B, L, DRAWS)."""
        told = self._codes(profiles, lengths, uniforms, temperature)
        found = []
        for row, length in enumerate(lengths.tolist()):
            gaps, items, ratings = told[:, row, :length]
            drawn = uniforms[row, :length]
            later = self.alphabet.gaps.drawn_by_size(gaps, drawn[:, 3])
            later[0] = 0
            times = (starts[row] + np.cumsum(later)).astype(np.int64)
            rated = self.alphabet.ratings.drawn(ratings, drawn[:, 4])
            found.append(Events(tuple(self.alphabet.items[item] for item in items.tolist()), rated, times))
        return found

    def _codes(self, profiles: Codes, lengths: Codes, uniforms: Numbers, temperature: float) -> Codes:
        """(3, B, L): gaps, items and ratings of all events."""
        longest = int(lengths.max(initial=0))
        memory = Memory(self.model, torch.from_numpy(profiles), torch.from_numpy(lengths))
        made = np.zeros((3, len(lengths), longest), np.int64)
        for at in range(longest):
            out, mean = self.model.next(memory)
            nothing = torch.full((len(lengths),), self.model.shape.gaps)
            gap = nothing if at == 0 else _picked(self.model.to_gap(out) / temperature, uniforms[:, at, 0])
            item = self._item(out, mean, gap, memory, uniforms[:, at, 1], temperature, made[1, :, :at])
            rating = _picked(self.model.rating_logits(out, item) / temperature, uniforms[:, at, 2])
            self.model.remember(memory, item, rating, gap)
            made[:, :, at] = np.stack(
                [np.zeros(len(lengths)) if at == 0 else gap.numpy(), item.numpy(), rating.numpy()]
            )
        return made

    def _item(
        self,
        out: Tensor,
        mean: Tensor,
        gap: Tensor,
        memory: Memory,
        uniform: Numbers,
        temperature: float,
        before: Codes,
    ) -> Tensor:
        """The items that come next, (B,): no train user has one behind the items that stand before it."""
        logits = self.model.item_logits(self.model.queried(out, mean, gap), memory.has) / temperature
        chosen = _picked(logits, uniform)
        run = self.copies.run
        if before.shape[1] < run - 1:
            return chosen
        last = before[:, before.shape[1] - run + 1 :]
        while True:
            copies = np.flatnonzero(self.copies.among(np.concatenate([last, chosen.numpy()[:, None]], axis=1)))
            copies = copies[torch.isfinite(logits[copies]).sum(1).numpy() > 1]
            if not len(copies):
                return chosen
            logits[copies, chosen[copies]] = -torch.inf
            chosen[copies] = _picked(logits[copies], uniform[copies])


def _picked(logits: Tensor, uniforms: Numbers) -> Tensor:
    """int64 (B,): what the uniform numbers pick of what is possible; where nothing is left, the first."""
    chances = logits.double()
    chances = torch.where(torch.isfinite(chances).any(1, keepdim=True), chances, 0.0).softmax(1)
    sums = chances.cumsum(1)
    wanted = torch.from_numpy(np.ascontiguousarray(uniforms))[:, None] * sums[:, -1:]
    places = torch.searchsorted(sums, wanted, right=True)[:, 0].clamp(max=logits.shape[1] - 1)
    empty = chances.gather(1, places[:, None])[:, 0] == 0  # of rounding alone
    return torch.where(empty, chances.argmax(1), places)

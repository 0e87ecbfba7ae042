"""How rows of tables are drawn, whatever the model: column after column, by inverse CDF, each given what is known.

A row's tokens follow from its own uniforms, its own noise (of the models that want some) and what is given of it, so
that limits and conditions are held while a row is drawn, and no row is thrown away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

# (column, tokens so far (N, C)) -> log weights of its tokens, (N or 1, tokens), minus infinity where one may not be
Narrow = Callable[[int, Tensor], Tensor | None]


class Drawer(ABC):
    """A fitted model made ready for drawing. Columns are told by their place in the order of drawing."""

    noise_width = 0  # standard normal numbers that a row needs beside its uniforms

    def __init__(self, made: Sequence[Tensor]) -> None:
        """Take of each column, bool (tokens,), which of its tokens may be made."""
        self.sizes = [len(each) for each in made]
        self.made = [torch.where(each, 0.0, -torch.inf).to(torch.float32) for each in made]

    def begin(self, tokens: Tensor, known: Tensor, noise: Tensor | None) -> Any:
        """What is worked out once for a block of rows: tokens (N, C), known (N, C), noise (N, noise_width)."""
        return None

    @abstractmethod
    def logits(self, column: int, tokens: Tensor, known: Tensor, block: Any) -> Tensor:
        """(N, tokens), or (1, tokens) where all rows have the same; `block` is what `begin` worked out."""

    @torch.no_grad()
    def sample(
        self,
        uniforms: Tensor,
        given: Tensor | None = None,
        narrow: Narrow | None = None,
        temperature: float = 1.0,
        first: Sequence[int] = (),
        noise: Tensor | None = None,
    ) -> Tensor:
        """Tokens int64 (N, C) of uniforms float64 (N, C) in [0, 1); `given` (N, C) holds tokens, or -1 where to draw.

        The columns `first` are drawn before all others, which then follow from them; `noise` float32 (N, noise_width)
        is standard normal. Row i depends on row i of the arguments alone.
        """
        tokens = torch.zeros(uniforms.shape, dtype=torch.int64) if given is None else given.clamp_min(0)
        known = torch.zeros(uniforms.shape, dtype=torch.bool) if given is None else given >= 0
        block = self.begin(tokens, known, noise)
        for column in [*first, *(each for each in range(len(self.sizes)) if each not in first)]:
            mine = known[:, column].clone()
            if bool(mine.all()):
                continue
            logits = self.logits(column, tokens, known, block) / temperature + self.made[column]
            limits = narrow(column, tokens) if narrow else None
            drawn = chosen(logits if limits is None else logits + limits, uniforms[:, column])
            tokens[:, column] = torch.where(mine, tokens[:, column], drawn)
            known[:, column] = True
        return tokens


def chosen(logits: Tensor, uniforms: Tensor) -> Tensor:
    """(N,): tokens of logits (N or 1, tokens) by inverse CDF at uniforms float64 (N,) in [0, 1)."""
    upto = torch.exp(logits - logits.amax(1, keepdim=True)).cumsum(1)
    total = upto[:, -1:]
    mass = torch.minimum((uniforms[:, None] * total).float(), torch.nextafter(total, torch.zeros(())))
    if len(logits) == 1:
        return torch.searchsorted(upto[0], mass[:, 0].contiguous(), right=True)
    return torch.searchsorted(upto, mass, right=True)[:, 0]

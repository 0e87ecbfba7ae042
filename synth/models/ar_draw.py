"""Rows drawn from a fitted `TableAr`, column after column, by inverse CDF.

What a column's first layer makes of each token of each other column is worked out once, so that drawing it is a sum of
looked-up rows (and nothing at all where no other column is known yet). A row's tokens follow from its own uniforms and
what is given of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from synth.models.table_ar import TableAr

MAX_KEPT_BYTES = 256 << 20  # of looked-up rows; wider tables work each column's out again for every block

# (column, tokens so far (N, C)) -> log weights of its tokens, (N or 1, tokens), minus infinity where one may not be
Narrow = Callable[[int, Tensor], Tensor | None]


class Drawer:
    """A model made ready for drawing. Columns are told by their place in the order of drawing."""

    def __init__(self, model: TableAr, made: Sequence[Tensor]) -> None:
        """Take a fitted model and, of each column, bool (tokens,): which of its tokens may be made."""
        self.model, self.sizes = model, [len(each) for each in made]
        self.inner = model.inner.argsort().tolist()
        self.embeddings = model.embeddings().detach()
        self.heads = [self._head(self.inner[column], len(each)) for column, each in enumerate(made)]
        self.made = [torch.where(each, 0.0, -torch.inf).to(torch.float32) for each in made]
        self.looks_at = [model.inner[model.looks_at[place]].tolist() for place in self.inner]
        kept = sum(self.sizes[other] for looked in self.looks_at for other in looked) * model.config.hidden * 4
        self.tables = [self._table(column) for column in range(len(made))] if kept <= MAX_KEPT_BYTES else None

    def _head(self, place: int, size: int) -> tuple[Tensor, Tensor]:
        """(hidden, tokens) and (tokens,) of an inner column."""
        for (start, stop), group in zip(self.model.spans, self.model.groups, strict=True):
            if start <= place < stop:
                heads = group.heads(slice(place - start, place - start + 1)).detach()[0, :size]
                return heads.T.contiguous(), group.bias.detach()[place - start, :size].contiguous()
        raise IndexError(place)

    def _table(self, column: int) -> Tensor:
        """(tokens of all columns that it looks at + 1, hidden): what each adds; the last row adds nothing."""
        place, width = self.inner[column], self.model.config.embedding
        rows = []
        for slot, other in enumerate(self.looks_at[column]):
            start = int(self.model.starts[self.inner[other]])
            embedded = self.embeddings[start : start + self.sizes[other]]
            rows.append(embedded @ self.model.first.detach()[place, slot * width : (slot + 1) * width])
        return torch.cat([*rows, embedded.new_zeros(1, self.model.config.hidden)])

    def logits(self, column: int, tokens: Tensor, known: Tensor) -> Tensor:
        """(N, tokens), or (1, tokens) where no row has a known column to look at: of tokens (N, C), known (N, C)."""
        place, model = self.inner[column], self.model
        bias = model.first_bias[place]
        table = self._table(column) if self.tables is None else self.tables[column]
        places, start = [], 0
        for other in self.looks_at[column]:
            if other != column and bool(known[:, other].any()):
                place_of = tokens[:, other] + start
                places.append(torch.where(known[:, other], place_of, len(table) - 1))
            start += self.sizes[other]
        hidden = bias
        if places:
            hidden = torch.nn.functional.embedding_bag(torch.stack(places, 1), table, mode="sum").add_(bias)
        hidden = torch.relu(hidden)
        hidden = hidden + torch.relu(torch.addmm(model.second_bias[place], hidden, model.second[place]))
        weight, start_bias = self.heads[column]
        return torch.addmm(start_bias, hidden, weight)

    @torch.no_grad()
    def sample(
        self,
        uniforms: Tensor,
        given: Tensor | None = None,
        narrow: Narrow | None = None,
        temperature: float = 1.0,
        first: Sequence[int] = (),
    ) -> Tensor:
        """Tokens int64 (N, C) of uniforms float64 (N, C) in [0, 1); `given` (N, C) holds tokens, or -1 where to draw.

        The columns `first` are drawn before all others, which then follow from them. Row i depends on row i of the
        arguments alone.
        """
        tokens = torch.zeros(uniforms.shape, dtype=torch.int64) if given is None else given.clamp_min(0)
        known = torch.zeros(uniforms.shape, dtype=torch.bool) if given is None else given >= 0
        for column in [*first, *(each for each in range(len(self.sizes)) if each not in first)]:
            mine = known[:, column].clone()
            if bool(mine.all()):
                continue
            logits = self.logits(column, tokens, known) / temperature + self.made[column]
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

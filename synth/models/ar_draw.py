"""Rows drawn from a fitted `TableAr`, column after column.

What a column's first layer makes of each token of each other column is worked out once, so that drawing it is a sum of
looked-up rows (and nothing at all where no other column is known yet).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from synth.models.drawing import Drawer

if TYPE_CHECKING:
    from synth.models.table_ar import TableAr

MAX_KEPT_BYTES = 256 << 20  # of looked-up rows; wider tables work each column's out again for every block


class ArDrawer(Drawer):
    """A model made ready for drawing. Columns are told by their place in the order of drawing."""

    def __init__(self, model: TableAr, made: Sequence[Tensor]) -> None:
        """Take a fitted model and, of each column, bool (tokens,): which of its tokens may be made."""
        super().__init__(made)
        self.model = model
        self.inner = model.inner.argsort().tolist()
        self.embeddings = model.embeddings().detach()
        self.heads = model.drawing_heads(self.sizes)
        self.looks_at = [model.inner[model.looks_at[place]].tolist() for place in self.inner]
        kept = sum(self.sizes[other] for looked in self.looks_at for other in looked) * model.config.hidden * 4
        self.tables = [self._table(column) for column in range(len(made))] if kept <= MAX_KEPT_BYTES else None

    def _table(self, column: int) -> Tensor:
        """(tokens of all columns that it looks at + 1, hidden): what each adds; the last row adds nothing."""
        place, width = self.inner[column], self.model.config.embedding
        rows = []
        for slot, other in enumerate(self.looks_at[column]):
            start = int(self.model.starts[self.inner[other]])
            embedded = self.embeddings[start : start + self.sizes[other]]
            rows.append(embedded @ self.model.first.detach()[place, slot * width : (slot + 1) * width])
        return torch.cat([*rows, embedded.new_zeros(1, self.model.config.hidden)])

    def logits(self, column: int, tokens: Tensor, known: Tensor, block: None = None) -> Tensor:
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

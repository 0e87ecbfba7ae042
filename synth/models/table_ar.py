"""A generator of tables that draws column after column, each given the ones before, in any order (Uria, Murray,
Larochelle 2014; for tables Tiwald et al. 2025, "TabularARGN").

Every column has a small net of its own: the other columns' embeddings, those not known yet masked away, go through
two layers to a softmax over the column's tokens. The nets of all columns are computed together. In training each row
has an order of its own: a random subset of the columns (or the label alone), then the others, both in the table's
order; so any subset of columns may be given when rows are drawn. Tokens of numbers share what they have in common:
their embeddings and heads are a free table plus cosines of the token's rank, which a learned matrix mixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth.models import Batch, Phase, cosine_phase
from synth.models.ar_draw import ArDrawer
from synth.models.columns import ALL, Columns, Shape, Some

WIDE = 96  # columns from which on a step trains only some of the columns, so that memory stays bounded
MOST_CLASSES = 64  # tokens of a label: with more it is a number, of which nobody asks for single ones
HELD_OUT_SEED = 0
BLOCK = 1024  # rows at a time, where there is no gradient


@dataclass(frozen=True)
class Config:
    """Sizes and training."""

    hidden: int = 128
    embedding: int = 16
    cosines: int = 24
    dropout: float = 0.15
    native_share: float = 0.2  # of the rows of a batch that are in the table's own order
    label_share: float = 0.2  # of those in which the label alone is known first, as when rows of a class are asked for
    epochs: float = 6.0
    least_steps: int = 1500  # of a training by epochs: few rows need their steps too, and it stops where it is best
    max_steps: int = 0  # 0: by epochs
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.6  # strong: the free table of each token is learnt from few rows
    warm_up_steps: int = 100
    average_decay: float = 0.998
    neighbours: int = 48  # other columns that a column may look at: its most informative ones
    bins: int = 0  # of a column of numbers; 0: by the number of rows


PRESETS = {"standard": Config(), "fast": Config(hidden=64, least_steps=700)}


def build(config: Config, shape: Shape) -> TableAr:
    """Make an untrained model."""
    return TableAr(config, shape)


class TableAr(Columns):
    """The nets of all columns."""

    looks_at: Tensor  # (C, k) inner: the columns that each looks at

    balanced = False

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__(shape, config.embedding, config.hidden, config.cosines)
        self.config, self.average_decay = config, config.average_decay
        looks_at = self.inner.argsort()[shape.neighbours[self.inner]].sort(1).values
        self.register_buffer("looks_at", looks_at, persistent=False)
        self.label_tokens, self.label_place = len(shape.counts[-1]), self.order.index(self.columns - 1)
        self.looks_at_all = shape.neighbours.shape[1] == self.columns
        inputs, hidden = shape.neighbours.shape[1] * config.embedding, config.hidden
        self.first = nn.Parameter(_uniform(self.columns, inputs, hidden))
        self.first_bias = nn.Parameter(torch.zeros(self.columns, 1, hidden))
        self.second = nn.Parameter(_uniform(self.columns, hidden, hidden))
        self.second_bias = nn.Parameter(torch.zeros(self.columns, 1, hidden))

    def forward(self, tokens: Tensor, rank: Tensor, some: Tensor | None = None) -> Tensor:
        """Log likelihood (C, B), inner order, of each token (B, C) given those of lower rank (B, C), both inner.

        `some` (rising, inner) are the only columns whose likelihoods are wanted.
        """
        which: Some = ALL if some is None else some
        known = nn.functional.embedding(tokens + self.starts, self.embeddings())  # (B, C, E)
        inputs = self._masked(known, rank, which).flatten(2)  # (C, B, k E)
        hidden = self._dropped(torch.relu(torch.baddbmm(self.first_bias[which], inputs, self.first[which])))
        more = torch.baddbmm(self.second_bias[which], hidden, self.second[which])
        hidden = hidden + self._dropped(torch.relu(more))
        right = tokens.T[which][..., None]  # (C, B, 1)
        told, done = [], 0
        for (start, stop), group in zip(self.spans, self.groups, strict=True):
            mine: Some = ALL if some is None else some[(some >= start) & (some < stop)] - start
            count = stop - start if some is None else len(mine)  # type: ignore[arg-type]
            here = slice(done, done + count)
            logits = torch.baddbmm(group.biases(mine), hidden[here], group.heads(mine).transpose(1, 2))
            told.append((logits.gather(2, right[here]) - logits.logsumexp(2, keepdim=True))[..., 0])
            done += count
        return torch.cat(told)

    def _masked(self, known: Tensor, rank: Tensor, which: Some) -> Tensor:
        """(C, B, k, E): what each column may see of the embeddings (B, C, E), by ranks (B, C)."""
        mine = rank.T[which]  # (C, B)
        if self.looks_at_all:
            return known * (rank < mine[..., None])[..., None]
        looks_at = self.looks_at[which]
        seen = rank.T[looks_at].transpose(1, 2) < mine[..., None]  # (C, B, k)
        return known.transpose(0, 1)[looks_at].transpose(1, 2) * seen[..., None]

    def _dropped(self, hidden: Tensor) -> Tensor:
        """Dropout (C, B, H) of the same units in all columns: random numbers for each would cost more than the nets."""
        if not self.training or self.config.dropout <= 0:
            return hidden
        keep = 1 - self.config.dropout
        return hidden * ((torch.rand(hidden.shape[1:], device=hidden.device) < keep).float() / keep)

    def ranks(self, native: Tensor, first: Tensor) -> Tensor:
        """(B, C) inner: native places, those of the subset `first` (B, C) before all others, but in rows `native`."""
        return self.inner - self.columns * (first & ~native[..., None]).to(torch.int64)

    def phases(self) -> list[Phase]:
        """One."""
        return [cosine_phase("likelihood", Likelihood(self), self.config, mixed_precision=False)]

    def drawer(self, made: Sequence[Tensor]) -> ArDrawer:
        """Ready for drawing; `made` says of each column which tokens may be made, bool (tokens,)."""
        return ArDrawer(self, made)

    @property
    def rows_at_once(self) -> int:
        """Rows whose likelihoods are worked out together: fewer where there are many columns."""
        return max(1, BLOCK * WIDE // max(WIDE, self.columns))

    @torch.no_grad()
    def log_likelihood(self, tokens: Tensor) -> Tensor:
        """(N,) in nats, of tokens (N, C) in the order of drawing."""
        parts = tokens[:, self.inner].split(self.rows_at_once)
        return torch.cat([self(part, self.inner.expand(len(part), -1)).sum(0) for part in parts])

    @torch.no_grad()
    def held_out(self, batch: Batch) -> float:
        """Nats by which a row surprises: the mean over the table's own order and one drawn at random for each row."""
        draw, nowhere = torch.Generator().manual_seed(HELD_OUT_SEED), torch.tensor(False, device=self.inner.device)
        total = -float(self.log_likelihood(batch["tokens"]).double().sum())
        for part in batch["tokens"][:, self.inner].split(self.rows_at_once):
            first = torch.rand(part.shape, generator=draw) < torch.rand(len(part), 1, generator=draw)
            total -= float(self(part, self.ranks(nowhere, first.to(part.device))).double().sum())
        return total / (2 * len(batch["tokens"]))


class Likelihood(nn.Module):
    """The one phase: each row in an order of its own."""

    def __init__(self, model: TableAr) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean negative log likelihood of a token, in nats."""
        model = self.model
        tokens = batch["tokens"][:, model.inner]
        rows, config = len(tokens), model.config
        kind = torch.rand(rows, device=tokens.device)
        first = torch.rand(tokens.shape, device=tokens.device) < torch.rand(rows, 1, device=tokens.device)
        label_share = config.label_share if model.label_tokens <= MOST_CLASSES else 0.0
        by_label = (kind >= config.native_share) & (kind < config.native_share + label_share)
        label = model.inner == model.columns - 1
        first = torch.where(by_label[:, None], label, first)
        even = _evenly(tokens[:, model.label_place], model.label_tokens)
        tokens = torch.where(by_label[:, None], tokens[even], tokens)
        native = kind < config.native_share
        some = None
        if model.columns > WIDE:
            some = torch.randperm(model.columns, device=tokens.device)[:WIDE].sort().values
        return {"loss": -model(tokens, model.ranks(native, first), some).mean()}


def _evenly(label: Tensor, labels: int) -> Tensor:
    """Places (B,) drawn anew so that each label (B,) of so many is as frequent as any other.

    What goes with a label is learnt the same; of rare ones more is learnt.
    """
    rows = nn.functional.one_hot(label, labels).sum(0)
    return torch.multinomial(1.0 / rows[label], len(label), replacement=True)


def _uniform(columns: int, inputs: int, outputs: int) -> Tensor:
    """Weights (columns, inputs, outputs) as nn.Linear draws them."""
    return (torch.rand(columns, inputs, outputs) * 2 - 1) / inputs**0.5

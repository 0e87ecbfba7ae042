"""A generator of tables that draws column after column, each given the ones before, in any order (Uria, Murray,
Larochelle 2014; for tables Tiwald et al. 2025, "TabularARGN").

Every column has a small net of its own: the other columns' embeddings, those not known yet masked away, go through
two layers to a softmax over the column's tokens. The nets of all columns are computed together. In training each row
has an order of its own: a random subset of the columns, then the others, both in the table's order; so any subset of
columns may be given when rows are drawn. Tokens of numbers share what they have in common: their embeddings and heads
are a free table plus cosines of the token's rank, which a learned matrix mixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from synth.models import Batch, Phase

Some: TypeAlias = slice | Tensor  # some of the columns
ALL = slice(None)
GROWTH = 4  # columns of up to 4, 16, 64, ... tokens are computed together, padded to the largest of them
WIDE = 96  # columns from which on a step trains only some of the columns, so that memory stays bounded
HELD_OUT_SEED = 0
REACH = 2  # bins to either side that a bin speaks for
BLOCK = 1024  # rows at a time, where there is no gradient


@dataclass(frozen=True)
class Config:
    """Sizes and training."""

    hidden: int = 128
    embedding: int = 16
    cosines: int = 24
    dropout: float = 0.1
    smoothing: float = 1.0  # bins (standard deviation) over which a number's bin also speaks for its neighbours
    native_share: float = 0.2  # of the rows of a batch that are in the table's own order
    epochs: float = 6.0
    max_steps: int = 0  # 0: by epochs
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warm_up_steps: int = 100
    average_decay: float = 0.998
    neighbours: int = 48  # other columns that a column may look at: its most informative ones
    bins: int = 0  # of a column of numbers; 0: by the number of rows


PRESETS = {"standard": Config(), "fast": Config(hidden=64)}


@dataclass(frozen=True)
class Shape:
    """What a model must know of a table's tokens. Columns are in the order in which they are drawn."""

    counts: Sequence[Tensor]  # of each column float64 (tokens,): how many train rows have each
    positions: Sequence[Tensor]  # of each column float64 (tokens,): ranks from 0 to 1, NaN where there is no order
    bins: Sequence[Tensor]  # of each column bool (tokens,): which tokens are bins of neighbouring numbers
    neighbours: Tensor  # (C, k) int64: the columns that each column looks at, itself where there are no more


def build(config: Config, shape: Shape) -> TableAr:
    """Make an untrained model."""
    return TableAr(config, shape)


class Group(nn.Module):
    """Embeddings and heads of some columns of like size: (n, tokens, width), padded to the largest."""

    there: Tensor  # bool: whether a column has such a token
    cosines: Tensor
    near: Tensor  # (n, tokens, 2 REACH + 1) int64: tokens that each token speaks for, itself in the middle
    share: Tensor  # the same, float32: how much for each

    def __init__(self, config: Config, shape: Shape, members: Sequence[int]) -> None:
        super().__init__()
        counts, positions, bins = ([every[c] for c in members] for every in (shape.counts, shape.positions, shape.bins))
        columns, tokens = len(counts), max(len(each) for each in counts)
        there, start = torch.zeros(columns, tokens, dtype=torch.bool), torch.zeros(columns, tokens)
        cosines = torch.zeros(columns, tokens, config.cosines)
        for place, (count, position) in enumerate(zip(counts, positions, strict=True)):
            there[place, : len(count)] = True
            start[place, : len(count)] = torch.log((count + 0.1) / (count.sum() + 0.1 * len(count))).float()
            waves = torch.cos(torch.pi * position[:, None] * torch.arange(1, config.cosines + 1))
            cosines[place, : len(count)] = waves.nan_to_num(0.0).float()
        self.register_buffer("there", there, persistent=False)
        self.register_buffer("cosines", cosines, persistent=False)
        near, share = _neighbourhoods(bins, tokens, config.smoothing)
        self.register_buffer("near", near, persistent=False)
        self.register_buffer("share", share, persistent=False)
        self.embed = nn.Parameter(torch.randn(columns, tokens, config.embedding) * 0.3)
        self.embed_waves = nn.Parameter(torch.randn(columns, config.cosines, config.embedding) * 0.3)
        self.head = nn.Parameter(torch.randn(columns, tokens, config.hidden) * 0.02)
        self.head_waves = nn.Parameter(torch.randn(columns, config.cosines, config.hidden) * 0.02)
        self.bias = nn.Parameter(start)
        with torch.no_grad():
            self.embed[cosines.any(2)] = 0.0  # neighbours in rank begin alike: numbers are learnt from few rows
            self.embed[..., 0] += 1.0  # a column that is known shows, whatever its token

    def embeddings(self) -> Tensor:
        """(n * tokens, width)"""
        return (self.embed + self.cosines @ self.embed_waves).flatten(0, 1)

    def heads(self, some: Some = ALL) -> Tensor:
        """(n, tokens, hidden), of some of the columns."""
        return self.head[some] + self.cosines[some] @ self.head_waves[some]

    def biases(self, some: Some = ALL) -> Tensor:
        """(n, 1, tokens) of some of the columns, minus infinity where a column has no such token."""
        return self.bias[some].masked_fill(~self.there[some], -torch.inf)[:, None]

    def said(self, logits: Tensor, right: Tensor, some: Some, smoothed: bool) -> Tensor:
        """(n, B): logits (n, B, tokens) of the right tokens (n, B), or the mean over what these speak for."""
        if not smoothed:
            return logits.gather(2, right[..., None])[..., 0]
        column = torch.arange(len(right), device=right.device)[:, None]
        return (logits.gather(2, self.near[some][column, right]) * self.share[some][column, right]).sum(2)


class TableAr(nn.Module):
    """The nets of all columns."""

    inner: Tensor  # (C,) the drawing place of each column, group by group
    looks_at: Tensor  # (C, k) inner: the columns that each looks at
    starts: Tensor  # (C,) inner: where a column's tokens begin among those of all

    balanced = False

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.average_decay = config, config.average_decay
        sizes = [len(count) for count in shape.counts]
        self.columns = len(sizes)
        self.order, spans = _grouped(sizes)
        self.spans = spans
        inner = torch.tensor(self.order)
        self.register_buffer("inner", inner, persistent=False)
        looks_at = inner.argsort()[shape.neighbours[inner]].sort(1).values
        self.register_buffer("looks_at", looks_at, persistent=False)
        parts = [self.order[start:stop] for start, stop in spans]
        self.nets = nn.ModuleList(Group(config, shape, part) for part in parts)
        self.looks_at_all = shape.neighbours.shape[1] == self.columns
        starts, start = [], 0
        for group in self.groups:
            columns, tokens = group.bias.shape
            starts += [start + place * tokens for place in range(columns)]
            start += columns * tokens
        self.register_buffer("starts", torch.tensor(starts), persistent=False)
        inputs, hidden = shape.neighbours.shape[1] * config.embedding, config.hidden
        self.first = nn.Parameter(_uniform(self.columns, inputs, hidden))
        self.first_bias = nn.Parameter(torch.zeros(self.columns, 1, hidden))
        self.second = nn.Parameter(_uniform(self.columns, hidden, hidden))
        self.second_bias = nn.Parameter(torch.zeros(self.columns, 1, hidden))

    @property
    def groups(self) -> list[Group]:
        """The columns' own parts, in the order of `spans`."""
        return [net for net in self.nets if isinstance(net, Group)]

    def embeddings(self) -> Tensor:
        """(all tokens of all columns, width)"""
        return torch.cat([group.embeddings() for group in self.groups])

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
        right = tokens.T[which]  # (C, B)
        told, done = [], 0
        for (start, stop), group in zip(self.spans, self.groups, strict=True):
            mine: Some = ALL if some is None else some[(some >= start) & (some < stop)] - start
            count = stop - start if some is None else len(mine)  # type: ignore[arg-type]
            here = slice(done, done + count)
            logits = torch.baddbmm(group.biases(mine), hidden[here], group.heads(mine).transpose(1, 2))
            told.append(group.said(logits, right[here], mine, self.training) - logits.logsumexp(2))
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
        config = self.config
        return [
            Phase(
                "likelihood",
                Likelihood(self),
                config.learning_rate,
                weight_decay=config.weight_decay,
                warm_up_steps=config.warm_up_steps,
                cosine=True,
            )
        ]

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
        draw = torch.Generator().manual_seed(HELD_OUT_SEED)
        total = -float(self.log_likelihood(batch["tokens"]).double().sum())
        for part in batch["tokens"][:, self.inner].split(self.rows_at_once):
            first = torch.rand(part.shape, generator=draw) < torch.rand(len(part), 1, generator=draw)
            total -= float(self(part, self.ranks(torch.tensor(False), first.to(part.device))).double().sum())
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
        rows = len(tokens)
        native = torch.rand(rows, device=tokens.device) < model.config.native_share
        first = torch.rand(tokens.shape, device=tokens.device) < torch.rand(rows, 1, device=tokens.device)
        some = None
        if model.columns > WIDE:
            some = torch.randperm(model.columns, device=tokens.device)[:WIDE].sort().values
        return {"loss": -model(tokens, model.ranks(native, first), some).mean()}


def _neighbourhoods(bins: Sequence[Tensor], tokens: int, deviation: float) -> tuple[Tensor, Tensor]:
    """(n, tokens, 2 REACH + 1) int64 and float32: bins near each bin, and shares that fall with the distance.

    What falls on a token that is no bin, or beyond the ends, stays with the token itself.
    """
    away = torch.arange(-REACH, REACH + 1)
    weights = torch.exp(-0.5 * (away / max(deviation, 1e-6)) ** 2)
    weights = weights / weights.sum()
    near = (torch.arange(tokens)[:, None] + away).expand(len(bins), -1, -1)
    is_bin = torch.zeros(len(bins), tokens, dtype=torch.bool)
    for place, each in enumerate(bins):
        is_bin[place, : len(each)] = each
    inside = (near >= 0) & (near < tokens)
    near = near.clamp(0, tokens - 1)
    column = torch.arange(len(bins))[:, None, None]
    share = weights * (inside & is_bin[column, near] & is_bin[..., None])
    share[..., REACH] += 1 - share.sum(2)
    return near.contiguous(), share


def _grouped(sizes: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Columns sorted by classes of size, and the span of each class."""
    classes = []
    for size in sizes:
        room = GROWTH
        while room < size:
            room *= GROWTH
        classes.append(room)
    order = sorted(range(len(sizes)), key=lambda column: (classes[column], column))
    kinds = sorted(set(classes))
    ends = [sum(1 for each in classes if each <= kind) for kind in kinds]
    return order, list(zip([0, *ends[:-1]], ends, strict=True))


def _uniform(columns: int, inputs: int, outputs: int) -> Tensor:
    """Weights (columns, inputs, outputs) as nn.Linear draws them."""
    return (torch.rand(columns, inputs, outputs) * 2 - 1) / inputs**0.5

"""What generators of tables share: what they know of a table, and the embeddings and heads of its columns' tokens.

Tokens of numbers share what they have in common: their embeddings and heads are a free table plus cosines of the
token's rank, the slow ones larger, which a learned matrix mixes: tokens that are near in rank begin alike, and what
sets them apart must be learnt. Columns of like size are computed together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

Some: TypeAlias = slice | Tensor  # some of the columns
ALL = slice(None)
GROWTH = 4  # columns of up to 4, 16, 64, ... tokens are computed together, padded to the largest of them


@dataclass(frozen=True)
class Shape:
    """What a model must know of a table's tokens. Columns are in the order in which they are drawn."""

    counts: Sequence[Tensor]  # of each column float64 (tokens,): how many train rows have each
    positions: Sequence[Tensor]  # of each column float64 (tokens,): ranks from 0 to 1, NaN where there is no order
    neighbours: Tensor  # (C, k) int64: the columns that each column looks at, itself where there are no more


class Group(nn.Module):
    """Embeddings and heads of some columns of like size: (n, tokens, width), padded to the largest."""

    there: Tensor  # bool: whether a column has such a token
    cosines: Tensor

    def __init__(
        self, embedding: int, hidden: int, waves: int, counts: Sequence[Tensor], positions: Sequence[Tensor]
    ) -> None:
        super().__init__()
        columns, tokens = len(counts), max(len(each) for each in counts)
        there, start = torch.zeros(columns, tokens, dtype=torch.bool), torch.zeros(columns, tokens)
        cosines = torch.zeros(columns, tokens, waves)
        for place, (count, position) in enumerate(zip(counts, positions, strict=True)):
            there[place, : len(count)] = True
            start[place, : len(count)] = torch.log((count + 0.1) / (count.sum() + 0.1 * len(count))).float()
            times = torch.arange(1, waves + 1)
            wave = torch.cos(torch.pi * position[:, None] * times) / times**0.5
            cosines[place, : len(count)] = wave.nan_to_num(0.0).float()
        self.register_buffer("there", there, persistent=False)
        self.register_buffer("cosines", cosines, persistent=False)
        self.embed = nn.Parameter(torch.randn(columns, tokens, embedding) * 0.3)
        self.embed_waves = nn.Parameter(torch.randn(columns, waves, embedding) * 0.3)
        self.head = nn.Parameter(torch.randn(columns, tokens, hidden) * 0.02)
        self.head_waves = nn.Parameter(torch.randn(columns, waves, hidden) * 0.02)
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


class Columns(nn.Module):
    """Embeddings and heads of all columns: what a model of tables is built on. Inside, columns stand group by group."""

    inner: Tensor  # (C,) the drawing place of each column, group by group
    starts: Tensor  # (C,) inner: where a column's tokens begin among those of all

    def __init__(self, shape: Shape, embedding: int, hidden: int, waves: int) -> None:
        super().__init__()
        sizes = [len(count) for count in shape.counts]
        self.columns = len(sizes)
        self.order, self.spans = grouped(sizes)
        self.register_buffer("inner", torch.tensor(self.order), persistent=False)
        parts = [self.order[start:stop] for start, stop in self.spans]
        self.nets = nn.ModuleList(
            Group(embedding, hidden, waves, [shape.counts[c] for c in part], [shape.positions[c] for c in part])
            for part in parts
        )
        starts, start = [], 0
        for group in self.groups:
            columns, tokens = group.bias.shape
            starts += [start + place * tokens for place in range(columns)]
            start += columns * tokens
        self.register_buffer("starts", torch.tensor(starts), persistent=False)

    @property
    def groups(self) -> list[Group]:
        """The columns' own parts, in the order of `spans`."""
        return [net for net in self.nets if isinstance(net, Group)]

    def embeddings(self) -> Tensor:
        """(all tokens of all columns, width)"""
        return torch.cat([group.embeddings() for group in self.groups])

    def drawing_heads(self, sizes: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Head (hidden, tokens) and bias (tokens,) of each column of so many tokens, in the order of drawing, without
        gradients.
        """
        found = {}
        for (start, stop), group in zip(self.spans, self.groups, strict=True):
            heads, bias = group.heads().detach(), group.bias.detach()
            for place, column in enumerate(self.order[start:stop]):
                size = sizes[column]
                found[column] = heads[place, :size].T.contiguous(), bias[place, :size].contiguous()
        return [found[column] for column in range(self.columns)]


def grouped(sizes: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
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

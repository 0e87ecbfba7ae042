"""What generators of texts write with: a small causal transformer, piece after piece, from a vector that tells what the
text is to be (Radford et al. 2019; rotary positions by Su et al. 2021).

It begins with that vector, which is added to every later input too, so that no text drifts away from it. The last few
pieces reach each position directly (Bengio et al. 2003): what attention would need many texts to learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

NEAR = 4  # pieces that reach a position directly
BASE = 10_000.0  # of the rotary positions' wave lengths
SPREAD = 0.02  # standard deviation of weights at the start


@dataclass(frozen=True)
class WriterConfig:
    """Sizes, training, and how texts are drawn."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    dropout: float = 0.2
    context: int = 512  # pieces of a text; a longer one is learnt up to there
    pieces: int = 0  # of the vocabulary; 0: by how much text there is
    epochs: float = 12.0
    least_steps: int = 250  # of a training by epochs: few texts need their steps too, and it stops where it is best
    max_steps: int = 0  # 0: by epochs
    balanced: bool = True  # each label is seen equally often: a rare one is what texts are mostly wanted of
    batch_size: int = 16
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    warm_up_steps: int = 20
    average_decay: float = 0.98
    top_p: float = 0.9  # each piece is drawn among the most likely ones that have this probability together
    longest_copy: int = 48  # characters that a made text may have in a row as a train text has them


@dataclass(frozen=True)
class Shape:
    """What a model must know of texts."""

    counts: Tensor  # float64 (pieces + 1,): how often train rows have each piece, the end of a text last
    labels: int
    context: int


def check(config: WriterConfig) -> None:
    """Raise ValueError for sizes that do not go together."""
    if config.width % (2 * config.heads):
        raise ValueError(f"width is {config.width}, and must be a multiple of twice heads ({config.heads})")


class Memory:
    """Keys and values of what was written so far, of each layer (B, heads, context, width / heads)."""

    def __init__(self, writer: Writer, told: Tensor) -> None:
        """Begin texts that are to be as these vectors tell (B, W)."""
        config = writer.config
        size = (len(told), config.heads, writer.shape.context, config.width // config.heads)
        self.told, self.length = told, 0
        self.near = torch.zeros(len(told), NEAR, config.width)  # the last pieces, newest first
        self.layers = [(torch.zeros(size), torch.zeros(size)) for _ in range(config.layers)]


class Layer(nn.Module):
    """Attention to what stands before, then two layers of a net, each with its norm first and added to its input."""

    def __init__(self, config: WriterConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.norm, self.norm_after = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attention = nn.Linear(config.width, 3 * config.width)
        self.joined = nn.Linear(config.width, config.width)
        self.wide = nn.Linear(config.width, 4 * config.width)
        self.narrow = nn.Linear(4 * config.width, config.width)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """(B, T, W) of (B, T, W); `turns` are the positions' cosines and sines (T, W / heads)."""
        query, key, value = self._asked(x, turns)
        return self._after(x, _attended(query, key, value))

    def next(self, x: Tensor, turns: tuple[Tensor, Tensor], memory: tuple[Tensor, Tensor], at: int) -> Tensor:
        """(B, 1, W) of (B, 1, W): one more position `at`, which is put into memory."""
        query, key, value = self._asked(x, turns)
        for kept, new in zip(memory, (key, value), strict=True):
            kept[:, :, at] = new[:, :, 0]
        keys, values = (kept[:, :, : at + 1] for kept in memory)
        shares = (query @ keys.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(-1)
        return self._after(x, shares @ values)

    def _asked(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value (B, heads, T, W / heads), the first two turned by their positions."""
        rows, length, width = x.shape
        parts = self.attention(self.norm(x)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        return _turned(query, turns), _turned(key, turns), value

    def _after(self, x: Tensor, told: Tensor) -> Tensor:
        """The layer's outcome, given what attention told (B, heads, T, W / heads)."""
        x = x + self._dropped(self.joined(told.transpose(1, 2).flatten(2)))
        return x + self._dropped(self.narrow(functional.gelu(self.wide(self.norm_after(x)))))

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class Writer(nn.Module):
    """The transformer; inputs and outputs have the same vectors of pieces."""

    turns: Tensor  # (2, context, W / heads): cosines and sines of positions

    def __init__(self, config: WriterConfig, shape: Shape) -> None:
        super().__init__()
        self.config: WriterConfig = config
        self.shape = shape
        self.end = len(shape.counts) - 1
        self.piece = nn.Embedding(self.end + 1, config.width)
        self.label = nn.Embedding(shape.labels, config.width)
        self.near = nn.Linear(NEAR * config.width, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.bias = nn.Parameter(torch.log((shape.counts + 0.1) / (shape.counts + 0.1).sum()).float())
        self.register_buffer("turns", _turns(shape.context, config.width // config.heads), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                small = name.endswith(("joined.weight", "narrow.weight"))
                nn.init.normal_(weight, std=SPREAD / (2 * config.layers) ** 0.5 if small else SPREAD)

    def write(self, tokens: Tensor, told: Tensor, kept: Tensor | None = None) -> Tensor:
        """Logits (B, T, pieces + 1) of each piece of (B, T), given told (B, W) and the pieces before it.

        Where `kept` bool (B, T) is false, what comes after does not see the piece.
        """
        vectors = self.piece(tokens[:, :-1]) * (1 if kept is None else kept[:, :-1, None])
        known = functional.pad(vectors, (0, 0, NEAR, 0))  # (B, NEAR - 1 + T, W): nothing stands first
        x = self._begun(told[:, None], windows(known, tokens.shape[1]))
        turns = self.turns[:, : tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, (turns[0], turns[1]))
        return self._logits(x)

    def begin(self, told: Tensor) -> Memory:
        """Ready to write texts that are to be as these vectors tell (B, W)."""
        return Memory(self, told)

    def _begun(self, told: Tensor, near: Tensor) -> Tensor:
        """(B, T, W): what the first layer sees, of what is told and the last pieces (B, T, NEAR, W)."""
        x = told + near[:, :, 0] + self.near(near.flatten(2))
        return functional.dropout(x, self.config.dropout, self.training)

    def _logits(self, x: Tensor) -> Tensor:
        return functional.linear(self.norm(x), self.piece.weight, self.bias)

    @torch.no_grad()
    def next(self, memory: Memory, pieces: Tensor | None) -> Tensor:
        """Logits (B, pieces + 1) of what comes next, after `pieces` (B,), which are remembered; None at the start."""
        if pieces is not None:
            memory.near = torch.cat([self.piece(pieces)[:, None], memory.near[:, :-1]], 1)
        x = self._begun(memory.told[:, None], memory.near[:, None])
        at = memory.length
        turns = self.turns[:, at : at + 1]
        for layer, kept in zip(self.layers, memory.layers, strict=True):
            x = layer.next(x, (turns[0], turns[1]), kept, at)  # type: ignore[operator]
        memory.length += 1
        return self._logits(x)[:, 0]

    def counts(self, tokens: Tensor) -> Tensor:
        """float (B, T): 1 up to and with the end of a text, then 0."""
        ended = (tokens == self.end).cumsum(1)
        return ((ended == 0) | ((ended == 1) & (tokens == self.end))).float()

    def nats(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """How much each piece (B, T) surprises (B, T); 0 after the end of a text."""
        lost = functional.cross_entropy(logits.float().flatten(0, 1), tokens.flatten(), reduction="none")
        return lost.view(tokens.shape) * self.counts(tokens)


def windows(vectors: Tensor, length: int) -> Tensor:
    """(B, length, NEAR, W): the last `length` of (B, NEAR - 1 + length, W), each with those before it, newest first."""
    return torch.stack([vectors[:, NEAR - 1 - back :][:, :length] for back in range(NEAR)], 2)


def _attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(B, heads, T, D): values of the positions before and of each position itself, by how well they fit."""
    if not query.is_cuda:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    with sdpa_kernel(SDPBackend.MATH):  # the quick kernels of GPUs add up in no fixed order
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def _turns(context: int, width: int) -> Tensor:
    """(2, context, width): cosines and sines by which positions turn pairs of numbers, halves beside each other."""
    rates = BASE ** -(torch.arange(0, width, 2).double() / width)
    angles = torch.arange(context).double()[:, None] * rates.repeat(2)
    return torch.stack([angles.cos(), angles.sin()]).float()


def _turned(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """(B, heads, T, D), each pair of numbers turned by its position's angle."""
    cosines, sines = turns
    one, other = x.chunk(2, -1)
    return x * cosines + torch.cat([-other, one], -1) * sines

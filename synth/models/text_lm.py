"""A generator of texts that writes piece after piece, each given its label and the pieces before: a small causal
transformer, trained from nothing on the train rows (Radford et al. 2019; rotary positions by Su et al. 2021).

It begins with the label, whose vector is added to every later input too, so that no text drifts away from it. The last
few pieces reach each position directly (Bengio et al. 2003): what attention would need many texts to learn. Its few
texts are soon known by heart: dropout, weight decay and wrong pieces among its inputs work against that, and what
held-out texts surprise it by decides when it is best. Nothing is known of a language but what the train rows show:
of 200 short messages it learns their manner and few words, and judges are worse off with its rows; of 2,000 it writes
words and phrases, and judges are no better off for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from synth.models import Batch, Phase

BLOCK = 64  # rows at a time, where there is no gradient
NEAR = 4  # pieces that reach a position directly
BASE = 10_000.0  # of the rotary positions' wave lengths
SPREAD = 0.02  # standard deviation of weights at the start


@dataclass(frozen=True)
class Config:
    """Sizes, training, and how texts are drawn."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    dropout: float = 0.2
    wrong_share: float = 0.05  # of the pieces that the model sees in training: drawn anew, whatever stood there
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


PRESETS = {"standard": Config(), "fast": Config(layers=1, least_steps=150, epochs=6.0)}


@dataclass(frozen=True)
class Shape:
    """What a model must know of texts."""

    counts: Tensor  # float64 (pieces + 1,): how often train rows have each piece, the end of a text last
    labels: int
    context: int


def build(config: Config, shape: Shape) -> TextLm:
    """Make an untrained model. Raises ValueError for sizes that do not go together."""
    if config.width % (2 * config.heads):
        raise ValueError(f"width is {config.width}, and must be a multiple of twice heads ({config.heads})")
    return TextLm(config, shape)


class Memory:
    """Keys and values of what was written so far, of each layer (B, heads, context, width / heads)."""

    def __init__(self, model: TextLm, labels: Tensor) -> None:
        """Begin texts of these labels (B,)."""
        config = model.config
        size = (len(labels), config.heads, model.shape.context, config.width // config.heads)
        self.labels, self.length = labels, 0
        self.near = torch.zeros(len(labels), NEAR, config.width)  # the last pieces, newest first
        self.layers = [(torch.zeros(size), torch.zeros(size)) for _ in range(config.layers)]


class Layer(nn.Module):
    """Attention to what stands before, then two layers of a net, each with its norm first and added to its input."""

    def __init__(self, config: Config) -> None:
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


class TextLm(nn.Module):
    """The transformer; inputs and outputs have the same vectors of pieces."""

    turns: Tensor  # (2, context, W / heads): cosines and sines of positions

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape, self.average_decay = config, shape, config.average_decay
        self.balanced = config.balanced
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

    def forward(self, tokens: Tensor, label: Tensor) -> Tensor:
        """Logits (B, T, pieces + 1) of each piece of (B, T), given its label (B,) and those before it."""
        theirs = self.label(label)[:, None]
        known = functional.pad(
            self.piece(tokens[:, :-1]), (0, 0, NEAR, 0)
        )  # (B, NEAR - 1 + T, W): nothing stands first
        length = tokens.shape[1]
        near = torch.stack([known[:, NEAR - 1 - back :][:, :length] for back in range(NEAR)], 2)  # (B, T, NEAR, W)
        x = self._begun(theirs, near)
        turns = self.turns[:, : tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, (turns[0], turns[1]))
        return self._logits(x)

    def _begun(self, label: Tensor, near: Tensor) -> Tensor:
        """(B, T, W): what the first layer sees, of label vectors and the last pieces (B, T, NEAR, W)."""
        x = label + near[:, :, 0] + self.near(near.flatten(2))
        return functional.dropout(x, self.config.dropout, self.training)

    def _logits(self, x: Tensor) -> Tensor:
        return functional.linear(self.norm(x), self.piece.weight, self.bias)

    @torch.no_grad()
    def next(self, memory: Memory, pieces: Tensor | None) -> Tensor:
        """Logits (B, pieces + 1) of what comes next, after `pieces` (B,), which are remembered; None at the start."""
        if pieces is not None:
            memory.near = torch.cat([self.piece(pieces)[:, None], memory.near[:, :-1]], 1)
        x = self._begun(self.label(memory.labels)[:, None], memory.near[:, None])
        at = memory.length
        turns = self.turns[:, at : at + 1]
        for layer, kept in zip(self.layers, memory.layers, strict=True):
            x = layer.next(x, (turns[0], turns[1]), kept, at)  # type: ignore[operator]
        memory.length += 1
        return self._logits(x)[:, 0]

    def surprise(self, tokens: Tensor, label: Tensor, shown: Tensor | None = None) -> Tensor:
        """Nats (B, T) of each piece, 0 after the end of a text; `shown` stands in for the inputs, where given."""
        logits = self(tokens if shown is None else shown, label).float()
        nats = functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
        return nats * self.counts(tokens)

    def counts(self, tokens: Tensor) -> Tensor:
        """float (B, T): 1 up to and with the end of a text, then 0."""
        ended = (tokens == self.end).cumsum(1)
        return ((ended == 0) | ((ended == 1) & (tokens == self.end))).float()

    def phases(self) -> list[Phase]:
        """One."""
        config = self.config
        return [
            Phase(
                "likelihood",
                Likelihood(self),
                config.learning_rate,
                betas=(0.9, 0.95),
                weight_decay=config.weight_decay,
                warm_up_steps=config.warm_up_steps,
                cosine=True,
            )
        ]

    @torch.no_grad()
    def log_likelihood(self, tokens: Tensor, label: Tensor) -> Tensor:
        """(N,) in nats, of whole texts (N, T), given their labels."""
        parts = zip(tokens.split(BLOCK), label.split(BLOCK), strict=True)
        return torch.cat([-self.surprise(*part).sum(1) for part in parts])

    @torch.no_grad()
    def held_out(self, batch: Batch) -> float:
        """Nats by which a piece of these texts surprises."""
        total = -float(self.log_likelihood(batch["tokens"], batch["label"]).double().sum())
        return total / max(float(self.counts(batch["tokens"]).double().sum()), 1.0)


class Likelihood(nn.Module):
    """The one phase: the next piece, where some of those before are wrong."""

    def __init__(self, model: TextLm) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean negative log likelihood of a piece, in nats."""
        model, tokens = self.model, batch["tokens"]
        is_wrong = torch.rand(tokens.shape, device=tokens.device) < model.config.wrong_share
        others = tokens.flatten()[torch.randint(tokens.numel(), tokens.shape, device=tokens.device)]
        shown = torch.where(is_wrong, others, tokens)
        nats = model.surprise(tokens, batch["label"], shown)
        return {"loss": nats.sum() / model.counts(tokens).sum()}


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

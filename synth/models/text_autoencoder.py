"""A variational autoencoder of texts, given their label: what `text_vae` and `text_gan` share (Kingma, Welling 2014;
of sentences Bowman et al. 2016).

A reader guesses a text's code from its pieces; the writer of `text_writer` is told label and code. A writer that does
well without its code soon stops looking at it, and all texts get one code. Four things work against that: pieces are
hidden from the writer in training, so that it cannot go by them alone; the code costs nothing at first, and little
later; its first nats are free, in every number of it (Kingma et al. 2016); and which pieces a text has, in any order,
must be told from the code itself (Zhao et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase, cosine_phase
from synth.models.text_writer import NEAR, Shape, Writer, WriterConfig, windows

HELD_OUT_SEED = 0
BLOCK = 64  # rows at a time, where there is no gradient
HEADS = 4  # of the reader: each looks at other pieces


@dataclass(frozen=True)
class AutoencoderConfig(WriterConfig):
    """The writer's, and what its codes are like."""

    code: int = 32
    hidden: int = 128
    hidden_share: float = 0.4  # of the pieces before, which the writer does not see in training
    bag_weight: float = 1.0  # of telling a text's pieces, in any order, from its code
    code_weight: float = 1.0  # of the code's cost
    code_warm_up: float = 0.4  # share of the steps over which it rises to its full weight
    free_nats: float = 0.5  # of each number of a code
    epochs: float = 24.0
    least_steps: int = 500


class Reader(nn.Module):
    """From a text's pieces to what its code may be: every head weighs the pieces, each seen with those before it."""

    def __init__(self, config: AutoencoderConfig, labels: int) -> None:
        super().__init__()
        width, self.dropout = config.width, config.dropout
        self.label = nn.Embedding(labels, width)
        self.near = nn.Linear(NEAR * width, width)
        self.norm = nn.LayerNorm(width)
        self.weigh = nn.Linear(width, HEADS)
        self.joined = nn.Linear((HEADS + 1) * width, config.hidden)
        self.code = nn.Linear(config.hidden, 2 * config.code)

    def forward(self, vectors: Tensor, there: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log spread (B, code), of vectors (B, T, W), of which these bool (B, T) belong to the text."""
        vectors = functional.dropout(vectors, self.dropout, self.training)
        near = windows(functional.pad(vectors, (0, 0, NEAR - 1, 0)), vectors.shape[1]).flatten(2)
        x = functional.gelu(self.norm(vectors + self.near(near)))
        shares = self.weigh(x).masked_fill(~there[..., None], -torch.inf).softmax(1)  # (B, T, HEADS)
        seen = (shares.transpose(1, 2) @ x).flatten(1)
        hidden = functional.gelu(self.joined(torch.cat([seen, self.label(label)], 1)))
        mean, log_spread = self.code(hidden).chunk(2, 1)
        return mean, log_spread.clamp(-6, 2)


class Autoencoder(Writer):
    """A writer that is told label and code, and the reader of codes."""

    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig, shape: Shape) -> None:
        super().__init__(config, shape)
        self.code = nn.Linear(config.code, config.width)
        self.reader = Reader(config, shape.labels)
        self.bag = nn.Linear(config.width, config.width)

    def told(self, label: Tensor, code: Tensor) -> Tensor:
        """What texts are to be (B, W), by label (B,) and code (B, code)."""
        return self.label(label) + self.code(code)

    def read(self, tokens: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log spread (B, code) of the codes of texts (B, T)."""
        there = self.counts(tokens) > 0
        vectors = functional.layer_norm(self.piece(tokens), (self.config.width,))
        return self.reader(vectors, there, label)

    def retell(self, tokens: Tensor, label: Tensor, code: Tensor, kept: Tensor | None = None) -> Tensor:
        """Nats (B, T) of each piece, given its text's code."""
        return self.nats(self.write(tokens, self.told(label, code), kept), tokens)

    def in_any_order(self, tokens: Tensor, label: Tensor, code: Tensor) -> Tensor:
        """Nats (B, T) of each piece, told from the code alone."""
        logits = functional.linear(self.bag(self.told(label, code)), self.piece.weight, self.bias).log_softmax(1)
        return -logits.gather(1, tokens) * self.counts(tokens)

    def cost(self, mean: Tensor, log_spread: Tensor) -> Tensor:
        """Nats (B, code) of each number of a code."""
        return 0.5 * (mean.square() + (2 * log_spread).exp() - 1) - log_spread

    def phase(self) -> Phase:
        """The one phase of its training."""
        return cosine_phase("bound", Bound(self), self.config, betas=(0.9, 0.95))

    @torch.no_grad()
    def encode(self, tokens: Tensor, label: Tensor) -> Tensor:
        """The mean code of each text (N, T), (N, code) float64."""
        parts = zip(tokens.split(BLOCK), label.split(BLOCK), strict=True)
        return torch.cat([self.read(*part)[0] for part in parts]).double()

    @torch.no_grad()
    def held_out(self, batch: Batch) -> float:
        """Nats by which a piece of these texts surprises who knows its code, and what of that is not free of cost."""
        draw, told, cost = torch.Generator().manual_seed(HELD_OUT_SEED), 0.0, list[Tensor]()
        for tokens, label in zip(batch["tokens"].split(BLOCK), batch["label"].split(BLOCK), strict=True):
            mean, log_spread = self.read(tokens, label)
            noise = torch.randn(mean.shape, generator=draw).to(mean.device)
            told += float(self.retell(tokens, label, mean + log_spread.exp() * noise).double().sum())
            cost.append(self.cost(mean, log_spread).double())
        dear = (torch.cat(cost).mean(0) - self.config.free_nats).clamp(min=0).sum() * len(batch["label"])
        pieces = max(float(self.counts(batch["tokens"]).double().sum()), 1.0)
        return (told + self.config.code_weight * float(dear)) / pieces


class Bound(nn.Module):
    """The negative evidence lower bound of a piece, its code's first nats free."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean nats of a piece, its code's among them; `code` are nats of a text's code, `bag` those in any order."""
        model, config = self.autoencoder, self.autoencoder.config
        tokens, label = batch["tokens"], batch["label"]
        mean, log_spread = model.read(tokens, label)
        code = mean + log_spread.exp() * torch.randn(mean.shape).to(mean.device)
        kept = torch.rand(tokens.shape).to(tokens.device) >= config.hidden_share
        pieces = model.counts(tokens).sum()
        told = model.retell(tokens, label, code, kept).sum() / pieces
        bag = model.in_any_order(tokens, label, code).sum() / pieces
        cost = model.cost(mean, log_spread).mean(0)  # (code,)
        warmth = (batch["progress"] / config.code_warm_up).clamp(max=1) if config.code_warm_up else 1.0
        dear = cost.clamp(min=config.free_nats).sum() * len(label) / pieces
        loss = told + config.bag_weight * bag + warmth * config.code_weight * dear
        return {"loss": loss, "told": told, "bag": bag, "code": cost.sum()}

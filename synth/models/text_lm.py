"""A generator of texts that writes piece after piece, each given its label and the pieces before: a small causal
transformer, trained from nothing on the train rows.

Its few texts are soon known by heart: dropout, weight decay and wrong pieces among its inputs work against that, and
what held-out texts surprise it by decides when it is best. Nothing is known of a language but what the train rows show:
of 200 short messages it learns their manner and few words, and judges are worse off with its rows; of 2,000 it writes
words and phrases, and judges are no better off for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth.models import Batch, Phase, cosine_phase
from synth.models.text_writer import Shape, Writer, WriterConfig, check

BLOCK = 64  # rows at a time, where there is no gradient


@dataclass(frozen=True)
class Config(WriterConfig):
    """The writer's, and how it is kept from knowing texts by heart."""

    wrong_share: float = 0.05  # of the pieces that the model sees in training: drawn anew, whatever stood there


PRESETS = {"standard": Config(), "fast": Config(layers=1, least_steps=150, epochs=6.0)}


def build(config: Config, shape: Shape) -> TextLm:
    """Make an untrained model. Raises ValueError for sizes that do not go together."""
    check(config)
    return TextLm(config, shape)


class TextLm(Writer):
    """A writer that is told the label alone."""

    config: Config
    noise_width = 0

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__(config, shape)
        self.average_decay, self.balanced = config.average_decay, config.balanced

    @property
    def writer(self) -> Writer:
        """Who writes."""
        return self

    def told(self, label: Tensor, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """What texts are to be (B, W), by their labels (B,); there is no noise (B, 0) to it."""
        return self.label(label)

    def forward(self, tokens: Tensor, label: Tensor) -> Tensor:
        """Logits (B, T, pieces + 1) of each piece of (B, T), given its label (B,) and those before it."""
        return self.write(tokens, self.label(label))

    def surprise(self, tokens: Tensor, label: Tensor, shown: Tensor | None = None) -> Tensor:
        """Nats (B, T) of each piece, 0 after the end of a text; `shown` stands in for the inputs, where given."""
        return self.nats(self(tokens if shown is None else shown, label), tokens)

    def phases(self) -> list[Phase]:
        """One."""
        return [cosine_phase("likelihood", Likelihood(self), self.config, betas=(0.9, 0.95))]

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

    def variety(self, batch: Batch) -> float:
        """It does not collapse: 1."""
        return 1.0


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

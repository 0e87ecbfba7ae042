"""A variational autoencoder of tables (Kingma, Welling 2014; for tables Xu et al. 2019, "TVAE") that any columns may be
given to (Ivanov, Figurnov, Vetrov 2019).

Three nets: one guesses a row's code from the whole row, one from what is known of it, and one tells every column's
tokens from a code and what is known. In training what is known of a row is drawn anew each time: mostly nothing, or the
label alone, or a random subset. Codes without anything known come from a mixture of normal distributions (Tomczak,
Welling 2018), not from one: what lies between two kinds of rows is no row. Tokens are drawn, never the likeliest taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase, cosine_phase
from synth.models.columns import Columns, Shape
from synth.models.drawing import Drawer

HELD_OUT_SEED = 0
BLOCK = 1024  # rows at a time, where there is no gradient
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Config:
    """Sizes and training."""

    hidden: int = 256
    embedding: int = 12
    cosines: int = 16
    code: int = 48
    components: int = 64  # of the mixture that codes come from
    nothing_known: float = 0.5  # share of the rows of a batch of which nothing is known
    label_known: float = 0.2  # and of those of which the label is; of the others a random subset
    code_weight: float = 0.6  # of the code's cost: the less it costs, the more of a row the code tells
    kl_warm_up: float = 0.2  # share of the steps over which the codes' cost rises to its full weight
    bins: int = 0  # of a column of numbers; 0: by the number of rows
    epochs: float = 24.0
    least_steps: int = 700  # of a training by epochs
    max_steps: int = 0  # 0: by epochs
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warm_up_steps: int = 100
    average_decay: float = 0.998
    neighbours: int = 0  # each column looks at all others


PRESETS = {"standard": Config(), "fast": Config(hidden=128, epochs=10.0)}


def build(config: Config, shape: Shape) -> TableVae:
    """Make an untrained model."""
    return TableVae(config, shape)


class TableVae(Columns):
    """The three nets."""

    balanced = False

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__(shape, config.embedding, config.hidden, config.cosines)
        self.config, self.average_decay = config, config.average_decay
        row, hidden, code = self.columns * config.embedding, config.hidden, config.code
        self.whole = _net(row, hidden, 2 * code)
        self.some = _net(row, hidden, config.components + 2 * code)
        self.tell = nn.Sequential(*list(_net(row + code, hidden, 1))[:-1])
        self.means = nn.Parameter(torch.randn(config.components, code) * 0.7)
        self.log_spreads = nn.Parameter(torch.zeros(config.components, code))
        with torch.no_grad():
            self.whole[-1].weight.mul_(0.1)  # type: ignore[union-attr, operator]
            self.some[-1].weight.mul_(0.1)  # type: ignore[union-attr, operator]

    def embed(self, tokens: Tensor) -> Tensor:
        """(B, C, E) of tokens (B, C), inner."""
        return functional.embedding(tokens + self.starts, self.embeddings())

    def guess(self, row: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log spread (B, code) of a whole row's code, from its embeddings (B, C, E)."""
        mean, log_spread = self.whole(row.flatten(1)).chunk(2, 1)
        return mean, log_spread.clamp(-6, 3)

    def expect(self, some: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log shares (B, K), means and log spreads (B, K, code) of the codes that go with what is known (B, C, E)."""
        told = self.some(some.flatten(1))
        shares, shift, widen = told.split([self.config.components, self.config.code, self.config.code], 1)
        return (
            shares.log_softmax(1),
            self.means + shift[:, None],
            (self.log_spreads + widen[:, None]).clamp(-6, 3),
        )

    def hidden(self, code: Tensor, some: Tensor) -> Tensor:
        """(B, hidden): what all columns are told from."""
        return self.tell(torch.cat([code, some.flatten(1)], 1))

    def log_likelihood_of(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """(C, B) inner: log likelihood of each token (B, C)."""
        told = []
        for (start, stop), group in zip(self.spans, self.groups, strict=True):
            logits = torch.matmul(hidden, group.heads().transpose(1, 2)) + group.biases()  # (n, B, tokens)
            right = tokens.T[start:stop, :, None]
            told.append((logits.gather(2, right) - logits.logsumexp(2, keepdim=True))[..., 0])
        return torch.cat(told)

    def bound(self, tokens: Tensor, known: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
        """Nats (B,) to tell the unknown of tokens (B, C) inner, and those of the code; `draw` (B, code) is normal."""
        row = self.embed(tokens)
        some = row * known[..., None]
        mean, log_spread = self.guess(row)
        code = mean + log_spread.exp() * draw
        shares, means, log_spreads = self.expect(some)
        drawn = -0.5 * (draw.square() + 2 * log_spread + LOG_2PI).sum(1)
        gap = (code[:, None] - means) * (-log_spreads).exp()
        expected = (shares - 0.5 * (gap.square() + 2 * log_spreads + LOG_2PI).sum(2)).logsumexp(1)
        told = -(self.log_likelihood_of(self.hidden(code, some), tokens) * ~known.T).sum(0)
        return told, drawn - expected

    def phases(self) -> list[Phase]:
        """One."""
        return [cosine_phase("bound", Bound(self), self.config, mixed_precision=False)]

    @torch.no_grad()
    def held_out(self, batch: Batch) -> float:
        """Nats by which a row surprises, at most: nothing is known of it."""
        draw, total = torch.Generator().manual_seed(HELD_OUT_SEED), 0.0
        for part in batch["tokens"][:, self.inner].split(BLOCK):
            noise = torch.randn(len(part), self.config.code, generator=draw).to(part.device)
            told, cost = self.bound(part, torch.zeros_like(part, dtype=torch.bool), noise)
            total += float((told + self.config.code_weight * cost).double().sum())
        return total / len(batch["tokens"])

    def drawer(self, made: Sequence[Tensor]) -> VaeDrawer:
        """Ready for drawing; `made` says of each column which tokens may be made, bool (tokens,)."""
        return VaeDrawer(self, made)


class Bound(nn.Module):
    """The one phase: of each row something else is known."""

    def __init__(self, model: TableVae) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean nats of a row, the code's among them."""
        model, config = self.model, self.model.config
        tokens = batch["tokens"][:, model.inner]
        known = known_of(tokens, model.inner == model.columns - 1, config.nothing_known, config.label_known)
        draw = torch.randn(len(tokens), config.code, device=tokens.device)
        told, cost = model.bound(tokens, known, draw)
        weight = torch.full((), config.code_weight, device=tokens.device)
        if config.kl_warm_up > 0:
            weight = weight * (batch["progress"] / config.kl_warm_up).clamp(max=1.0)
        return {"loss": (told + weight * cost).mean(), "told": told.mean(), "code": cost.mean()}


def known_of(tokens: Tensor, label: Tensor, nothing: float, label_alone: float) -> Tensor:
    """bool (B, C): what is known of each row, drawn at random; `label` (C,) marks the label's column."""
    rows, device = len(tokens), tokens.device
    kind = torch.rand(rows, 1, device=device)
    some = torch.rand(tokens.shape, device=device) < torch.rand(rows, 1, device=device)
    return (kind >= nothing) & torch.where(kind < nothing + label_alone, label, some)


def _net(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.SiLU(), nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.SiLU(),
        nn.LayerNorm(hidden), nn.Linear(hidden, outputs),
    )  # fmt: skip


class VaeDrawer(Drawer):
    """A code for each row, then all columns from it."""

    def __init__(self, model: TableVae, made: Sequence[Tensor]) -> None:
        super().__init__(made)
        self.model, self.noise_width = model, 1 + model.config.code
        self.heads = model.drawing_heads(self.sizes)

    def begin(self, tokens: Tensor, known: Tensor, noise: Tensor | None) -> Tensor:
        """(N, hidden): a code drawn among those that go with what is known, and what follows from it."""
        if noise is None:
            raise ValueError("a row of table_vae needs its noise")
        model = self.model
        some = model.embed(tokens[:, model.inner]) * known[:, model.inner, None]
        shares, means, log_spreads = model.expect(some)
        upto = shares.exp().cumsum(1)
        at = torch.special.ndtr(noise[:, :1]) * upto[:, -1:]
        part = (upto < at).sum(1).clamp(max=shares.shape[1] - 1)
        rows = torch.arange(len(part))
        code = means[rows, part] + log_spreads[rows, part].exp() * noise[:, 1:]
        return model.hidden(code, some)

    def logits(self, column: int, tokens: Tensor, known: Tensor, block: Tensor) -> Tensor:
        """(N, tokens)"""
        heads, bias = self.heads[column]
        return torch.addmm(bias, block, heads)

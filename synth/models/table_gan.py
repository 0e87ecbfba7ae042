"""A generative adversarial network of tables, in the manner of CTGAN (Xu et al. 2019).

A critic with gradient penalty looks at several rows at once (Lin et al. 2018), numbers are told by a mode and a place
within it, and rows to learn from are sampled so that rare categories are learnt too. What is known of a row goes into
the generator and stays in the row that the critic sees, so any columns may be given. Beside the critic, made batches
are held to the real ones' means and products of columns (Park et al. 2018). Nothing is normalised across rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase
from synth.models.columns import Shape
from synth.models.critics import without_gradients
from synth.models.drawing import Drawer
from synth.models.losses import critic_loss, generator_loss, gradient_penalty

MOST_MODES = 16  # of a column of numbers with more tokens: neighbours in rank share a mode
PLACE_SPREAD = 0.5  # of a token's room within its mode: how far from the place that was told tokens are still drawn


@dataclass(frozen=True)
class Config:
    """Sizes and training."""

    hidden: int = 256
    noise: int = 64
    rows_together: int = 4  # that the critic looks at as one
    nothing_known: float = 0.5  # share of the rows of a batch of which nothing is known
    label_known: float = 0.2  # and of those of which the label is; of the others one column or a random subset
    softness: float = 0.2  # of the categories that are shown to the critic (Jang et al. 2017)
    gradient_penalty: float = 10.0
    moments: float = 20.0  # weight of the means and products of columns
    bins: int = 0  # of a column of numbers; 0: by the number of rows
    max_steps: int = 3500
    batch_size: int = 512
    learning_rate: float = 1e-3
    critic_learning_rate: float = 1e-3
    decay: float = 0.5
    average_decay: float = 0.998
    neighbours: int = 0  # each column looks at all others


PRESETS = {"standard": Config(), "fast": Config(hidden=128, max_steps=1500)}


def build(config: Config, shape: Shape) -> TableGan:
    """Make an untrained network."""
    return TableGan(config, shape)


class Modes:
    """One column: its tokens in modes, and where each stands within its own."""

    def __init__(self, count: Tensor, position: Tensor) -> None:
        tokens = len(count)
        ordered = ~position.isnan()
        self.has_place = int(ordered.sum()) > MOST_MODES
        self.mode, self.place, self.room = torch.arange(tokens), torch.zeros(tokens), torch.ones(tokens)
        if not self.has_place:
            self.modes = tokens
            return
        share = count / count.sum().clamp_min(1.0)
        group = torch.zeros(tokens, dtype=torch.int64)
        heavy, filled, current = 1.0 / MOST_MODES, 0.0, 0
        for token in range(tokens):
            alone = not bool(ordered[token]) or float(share[token]) > heavy / 2
            if token and (alone or filled >= heavy):
                current, filled = current + 1, 0.0
            group[token] = current
            filled = heavy if alone else filled + float(share[token])
        self.mode, self.modes = group, current + 1
        for mode in range(self.modes):
            members = torch.nonzero(group == mode)[:, 0]
            self.place[members] = (torch.arange(len(members)) + 0.5) * 2 / len(members) - 1
            self.room[members] = 2 / len(members)


class TableGan(nn.Module):
    """Generator and critic, and how tokens are shown to them."""

    mode: Tensor
    place: Tensor
    room: Tensor
    starts: Tensor
    column: Tensor
    placed: Tensor
    counts: Tensor

    balanced = False

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.average_decay = config, config.average_decay
        told = [Modes(count, position) for count, position in zip(shape.counts, shape.positions, strict=True)]
        self.columns, self.sizes = len(told), [len(each.mode) for each in told]
        self.widths = [each.modes for each in told]
        widths = torch.tensor([0, *self.widths]).cumsum(0)
        for name, value in {
            "starts": torch.tensor([0, *self.sizes[:-1]]).cumsum(0),  # of a column's tokens among those of all
            "mode": torch.cat([each.mode + widths[at] for at, each in enumerate(told)]),  # among the modes of all
            "place": torch.cat([each.place for each in told]),
            "room": torch.cat([each.room for each in told]),
            "column": torch.repeat_interleave(torch.arange(self.columns), torch.tensor(self.widths)),  # of each mode
            "placed": torch.tensor([at for at, each in enumerate(told) if each.has_place], dtype=torch.int64),
            "counts": torch.cat(list(shape.counts)).float(),
        }.items():
            self.register_buffer(name, value, persistent=False)
        self.modes = int(widths[-1])
        self.row = self.modes + len(self.placed)  # numbers that a row is shown as
        self.generator = Generator(self.row + self.columns, config.noise, config.hidden, self.row)
        self.critic = Critic((self.row + self.columns) * config.rows_together, config.hidden)
        start = torch.zeros(self.modes).index_add_(0, self.mode, self.counts)
        with torch.no_grad():
            self.generator.last.bias[: self.modes] = torch.log(start + 0.1) - torch.log(start + 0.1).mean()

    def shown(self, tokens: Tensor) -> Tensor:
        """(B, row) of tokens (B, C): marks of modes, then places."""
        flat = tokens + self.starts
        marks = torch.zeros(len(tokens), self.modes, device=tokens.device).scatter_(1, self.mode[flat], 1.0)
        return torch.cat([marks, self.place[flat[:, self.placed]]], 1)

    def spread_out(self, known: Tensor) -> Tensor:
        """bool (B, row) of known (B, C): what belongs to a known column."""
        return torch.cat([known[:, self.column], known[:, self.placed]], 1)

    def told(self, noise: Tensor, shown: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of modes (B, modes) and places (B, P) for rows of which some is known."""
        some = shown * self.spread_out(known)
        told = self.generator(torch.cat([noise, some, known.to(some.dtype)], 1))
        return told[:, : self.modes], torch.tanh(told[:, self.modes :])

    def made(self, shown: Tensor, known: Tensor) -> Tensor:
        """(B, row): made rows as the critic sees them; what is known of them is kept."""
        noise = torch.randn(len(shown), self.config.noise, device=shown.device)
        logits, places = self.told(noise, shown, known)
        draw = -torch.log(-torch.log(torch.rand_like(logits).clamp(1e-9, 1 - 1e-7)))
        soft = [torch.softmax(each / self.config.softness, 1) for each in (logits + draw).split(self.widths, 1)]
        return torch.where(self.spread_out(known), shown, torch.cat([*soft, places], 1))

    def phases(self) -> list[Phase]:
        """Critic, then generator."""
        config, betas = self.config, (0.5, 0.9)
        return [
            Phase(
                "critic",
                CriticStep(self),
                config.critic_learning_rate,
                betas,
                decay=config.decay,
                mixed_precision=False,
            ),
            Phase(
                "generator",
                GeneratorStep(self),
                config.learning_rate,
                betas,
                1e-6,
                decay=config.decay,
                mixed_precision=False,
            ),
        ]

    def learnt(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Rows of a batch as they are shown (B, row) and what is known of them (B, C).

        Of rows of which one column is known, rare categories are as frequent as the logarithm of their count.
        """
        tokens, config = batch["tokens"], self.config
        device, rows = tokens.device, len(tokens)
        kind = torch.rand(rows, 1, device=device)
        one = torch.randint(self.columns, (rows, 1), device=device)
        share = self.counts[tokens + self.starts]
        weight = (torch.log1p(share) / share.clamp_min(1.0)).T  # (C, B)
        again = torch.multinomial(weight[one[:, 0]], 1) if rows else one
        place = torch.arange(self.columns, device=device)
        alone, label = place == one, place == self.columns - 1
        some = torch.rand(tokens.shape, device=device) < torch.rand(rows, 1, device=device)
        asks_one = kind >= (1 + config.nothing_known + config.label_known) / 2
        known = torch.where(kind < config.nothing_known + config.label_known, label, torch.where(asks_one, alone, some))
        tokens = torch.where(asks_one, tokens[again[:, 0]], tokens)
        return self.shown(tokens), known & (kind >= config.nothing_known)

    def drawer(self, made: Sequence[Tensor]) -> GanDrawer:
        """Ready for drawing; `made` says of each column which tokens may be made, bool (tokens,)."""
        return GanDrawer(self, made)


class Generator(nn.Module):
    """Noise and what is known (B, inputs + noise) to what a row is told by (B, outputs)."""

    def __init__(self, inputs: int, noise: int, hidden: int, outputs: int) -> None:
        super().__init__()
        width = inputs + noise
        self.first, self.norm = nn.Linear(width, hidden), nn.LayerNorm(hidden)
        self.second, self.next_norm = nn.Linear(width + hidden, hidden), nn.LayerNorm(hidden)
        self.last = nn.Linear(width + 2 * hidden, outputs)

    def forward(self, given: Tensor) -> Tensor:
        one = torch.cat([given, functional.relu(self.norm(self.first(given)))], 1)
        two = torch.cat([one, functional.relu(self.next_norm(self.second(one)))], 1)
        return self.last(two)


class Critic(nn.Module):
    """Several rows as one (B, inputs) to a score (B,)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(inputs, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, rows: Tensor) -> Tensor:
        return self.net(rows)[:, 0]


class CriticStep(nn.Module):
    """The critic's loss; the generator is reached outside the module tree."""

    def __init__(self, model: TableGan) -> None:
        super().__init__()
        self.critic, self.others = model.critic, (model,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        model, config = self.others[0], self.others[0].config
        shown, known = model.learnt(batch)
        with torch.no_grad():
            fake = model.made(shown, known)
        real, fake = (together(each, known, config.rows_together) for each in (shown, fake))
        real_score, fake_score = self.critic(torch.cat([real, fake])).chunk(2)
        penalty = gradient_penalty(self.critic, real, fake)
        told = {"real_score": real_score.mean(), "fake_score": fake_score.mean(), "penalty": penalty}
        return {"loss": critic_loss("wgan_gp", real_score, fake_score) + config.gradient_penalty * penalty} | told


class GeneratorStep(nn.Module):
    """The generator's loss; the critic is reached outside the module tree, its gradients off."""

    def __init__(self, model: TableGan) -> None:
        super().__init__()
        self.generator, self.others = model.generator, (model,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        model, config = self.others[0], self.others[0].config
        shown, known = model.learnt(batch)
        fake = model.made(shown, known)
        with without_gradients(model.critic):
            score = model.critic(together(fake, known, config.rows_together))
        told = {"adversarial": generator_loss("wgan_gp", score), "moments": _apart(fake, shown)}
        return {"loss": told["adversarial"] + config.moments * told["moments"]} | told


def together(rows: Tensor, known: Tensor, count: int) -> Tensor:
    """(B // count, count * width): rows side by side, with what is known of each."""
    whole = torch.cat([rows, known.to(rows.dtype)], 1)
    count = min(count, len(whole))
    kept = len(whole) - len(whole) % count
    return whole[:kept].reshape(kept // count, -1)


def _apart(fake: Tensor, real: Tensor) -> Tensor:
    """How far the means and the mean products of columns are from the real rows' of the same batch."""
    means = (fake.mean(0) - real.mean(0)).square().sum()
    products = (fake.T @ fake - real.T @ real) / len(fake)
    return means + products.square().sum()


class GanDrawer(Drawer):
    """All columns of a row from its noise; tokens are drawn, from their mode and the place within it."""

    def __init__(self, model: TableGan, made: Sequence[Tensor]) -> None:
        super().__init__(made)
        self.model, self.noise_width = model, model.config.noise
        self.placed = model.placed.tolist()
        ends = model.starts.tolist()
        self.parts = [slice(start, start + size) for start, size in zip(ends, model.sizes, strict=True)]

    def begin(self, tokens: Tensor, known: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits of modes (N, modes) and places (N, P)."""
        if noise is None:
            raise ValueError("a row of table_gan needs its noise")
        return self.model.told(noise, self.model.shown(tokens), known)

    def logits(self, column: int, tokens: Tensor, known: Tensor, block: tuple[Tensor, Tensor]) -> Tensor:
        """(N, tokens)"""
        model, here = self.model, self.parts[column]
        modes, places = block
        logits = modes[:, model.mode[here]]
        if column not in self.placed:
            return logits
        place = places[:, self.placed.index(column), None]
        near = -0.5 * ((place - model.place[here]) / (PLACE_SPREAD * model.room[here])).square()
        near = near.clamp_min(-30.0)
        first = int(model.mode[here].min())
        total = torch.zeros(len(near), model.widths[column]).index_add_(1, model.mode[here] - first, near.exp())
        return logits + near - total.log()[:, model.mode[here] - first]

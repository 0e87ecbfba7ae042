"""A generative adversarial network of time series (Goodfellow et al. 2014), along time in both nets.

The critic compares: it scores each made window against a real one of the same label around the same known values
(Jolicoeur-Martineau 2019), and its slope at both is held flat (Mescheder et al. 2018; Huang et al. 2024), which keeps
the two nets from circling each other. It sees values and their differences from step to step, how rows of a label
differ within its batch, and a little noise on all, or it would tell made values by how real ones were rounded.

The generator writes a window from a few steps upwards, then adds the grain: noise of each step's own. What is known is
told to both nets and stands in the window that the critic sees; windows around it are drawn towards the real ones, as
the critic alone teaches slowly what goes with what. Nothing is normalised across rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase
from synth.models.critics import deviations, without_gradients
from synth.models.losses import diversity_loss
from synth.models.series_masks import drawn_known, parted
from synth.models.temporal import KERNEL, Reader, Writer
from synth.models.windows import Shape

MIN_LENGTH = 4
BOLD = 2.0  # the size of what an untaught generator makes, against that of its last layer's input


@dataclass(frozen=True)
class Config:
    """Architecture, losses, and the training that they want."""

    noise: int = 32  # numbers for a whole window
    grain: int = 4  # numbers for each step
    hidden: int = 192
    channels: int = 32  # of the generator along time, at half a window's steps
    critic_channels: int = 32
    features: int = 128  # that the critic scores by
    nothing_known: float = 0.5  # share of the rows of a batch of which nothing is known
    blur: float = 0.03  # deviation of the noise on what the critic sees
    slope: float = 0.3  # weight of the critic's squared slope
    slope_share: float = 0.25  # of the rows of a batch, by which that is told
    diversity: float = 1.0  # weight of the diversity term
    nearness: float = 1.0  # weight of how far windows around known values are from the real ones (Isola et al. 2017)
    max_steps: int = 3000
    batch_size: int = 128
    learning_rate: float = 7e-4
    critic_learning_rate: float = 7e-4
    beta1: float = 0.0
    beta2: float = 0.99
    decay: float = 0.4
    average_decay: float = 0.998


PRESETS = {"standard": Config(), "fast": Config(hidden=96, channels=16, critic_channels=16, max_steps=1200)}


def build(config: Config, shape: Shape) -> SeriesGan:
    """Make an untrained network. Raises ValueError for windows that are too short."""
    if shape.length < MIN_LENGTH:
        raise ValueError(f"series_gan needs windows of at least {MIN_LENGTH} steps")
    return SeriesGan(config, shape)


class Generator(nn.Module):
    """From noise, label and what is known to windows."""

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        hidden, channels = config.hidden, config.channels
        self.shape, self.widths = shape, (config.noise, config.grain * shape.length)
        self.label = nn.Embedding(shape.labels, hidden)
        self.known = Reader(2 * shape.channels, shape.length, channels, hidden)
        self.noise = nn.Linear(config.noise, hidden)
        self.inner = nn.Sequential(
            nn.SiLU(), nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.writer = Writer(hidden, channels, shape.length, channels)
        seen = channels + config.grain + 2 * shape.channels
        self.fine = nn.Conv1d(seen, channels, KERNEL, 1, KERNEL // 2)
        self.end = nn.Conv1d(channels, shape.channels, KERNEL, 1, KERNEL // 2)
        nn.init.normal_(self.end.weight, std=BOLD * (channels * KERNEL) ** -0.5)

    def forward(self, noise: Tensor, label: Tensor, told: Tensor, there: Tensor) -> Tensor:
        """(N, T, C) of noise (N, noise width), labels (N,), known values (N, T, C) and where they are."""
        coarse, grain = noise.split(self.widths, 1)
        known = torch.cat([told, there.to(told.dtype)], 2).transpose(1, 2)
        hidden = self.inner(self.noise(coarse) + self.label(label) + self.known(known))
        course = self.writer(hidden)
        fine = self.fine(torch.cat([course, grain.view(len(noise), -1, self.shape.length), known], 1))
        made = self.end(functional.silu(course + fine)).transpose(1, 2)
        return torch.where(there, told, made)


class Critic(nn.Module):
    """From a window, its label and where values were known to a score (Miyato, Koyama 2018)."""

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        features = config.features
        self.reader = Reader(3 * shape.channels, shape.length, config.critic_channels, features)
        self.inner = nn.Linear(features, features)
        self.score = nn.Linear(2 * features, 1)
        self.embed = nn.Embedding(shape.labels, 2 * features)
        nn.init.normal_(self.embed.weight, std=(2 * features) ** -0.5)

    def forward(self, series: Tensor, label: Tensor, there: Tensor) -> Tensor:
        """Scores (N,); rows of one label are compared within the batch (Karras et al. 2018)."""
        moves = functional.pad(series.diff(dim=1), (0, 0, 1, 0))
        rows = torch.cat([series, moves, there.to(series.dtype)], 2).transpose(1, 2)
        features = functional.leaky_relu(self.inner(functional.silu(self.reader(rows))), 0.2)
        seen = torch.cat([features, deviations(features, label, self.embed.num_embeddings)], 1)
        return self.score(seen)[:, 0] + (self.embed(label) * seen).sum(1)


class SeriesGan(nn.Module):
    """Generator and critic."""

    balanced = True

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape, self.average_decay = config, shape, config.average_decay
        self.noise_width = config.noise + config.grain * shape.length
        self.generator = Generator(config, shape)
        self.critic = Critic(config, shape)

    def phases(self) -> list[Phase]:
        """Critic, then generator."""
        config = self.config
        betas = (config.beta1, config.beta2)
        critic = CriticStep(self.critic, self.generator, config)
        generator = GeneratorStep(self.generator, self.critic, config)
        rates = (config.critic_learning_rate, config.learning_rate)
        return [
            Phase("critic", critic, rates[0], betas, decay=config.decay, mixed_precision=False),
            Phase("generator", generator, rates[1], betas, decay=config.decay, mixed_precision=False),
        ]

    @torch.no_grad()
    def sample(self, noise: Tensor, label: Tensor, temperature: float = 1.0, known: Tensor | None = None) -> Tensor:
        """Make windows (N, T, C) from standard normal (N, noise_width); known values stay as they are."""
        like = noise.new_zeros(len(noise), self.shape.length, self.shape.channels)
        return self.generator(temperature * noise, label, *parted(known, like))


class CriticStep(nn.Module):
    """The critic's loss; the generator is reached outside the module tree."""

    def __init__(self, critic: Critic, generator: Generator, config: Config) -> None:
        super().__init__()
        self.critic, self.config = critic, config
        self.others = (generator,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        config, label, real = self.config, batch["label"], batch["series"]
        told, there = _question(real, config)
        with torch.no_grad():
            made = _made(self.others[0], told, there, label, config)
        real, made = _blurred(real, config), _blurred(made, config)
        gap = self.critic(real, label, there) - self.critic(made, label, there)
        some = max(2, round(config.slope_share * len(real)))
        slope = sum(self._slope(rows[:some], label[:some], there[:some]) for rows in (real, made))
        return {"loss": functional.softplus(-gap).mean() + config.slope / 2 * slope, "gap": gap.mean(), "slope": slope}

    def _slope(self, rows: Tensor, label: Tensor, there: Tensor) -> Tensor:
        """Mean square of the slope of rows' scores."""
        rows = rows.detach().requires_grad_(True)
        with torch.enable_grad():
            score = self.critic(rows, label, there).sum()
            slope = torch.autograd.grad(score, rows, create_graph=True)[0]
        return slope.square().sum((1, 2)).mean()


class GeneratorStep(nn.Module):
    """The generator's loss; the critic is reached outside the module tree, its gradients off."""

    def __init__(self, generator: Generator, critic: Critic, config: Config) -> None:
        super().__init__()
        self.generator, self.config = generator, config
        self.others = (critic,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        config, label, real = self.config, batch["label"], batch["series"]
        told, there = _question(real, config)
        made = _made(self.generator, told, there, label, config)
        critic = self.others[0]
        with without_gradients(critic):
            gap = critic(_blurred(made, config), label, there) - critic(_blurred(real, config), label, there)
        told_all = {"adversarial": functional.softplus(-gap).mean()}
        loss = told_all["adversarial"]
        if config.diversity:
            told_all["diversity"] = diversity_loss(made, real, label, critic.embed.num_embeddings)
            loss = loss + config.diversity * told_all["diversity"]
        if config.nearness:
            asked = there.flatten(1).any(1)[:, None, None] & ~there
            told_all["apart"] = ((made - real).square() * asked).sum() / asked.sum().clamp_min(1)
            loss = loss + config.nearness * told_all["apart"]
        return {"loss": loss} | told_all


def _question(series: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """What is known of windows (N, T, C), 0 elsewhere, and where it is."""
    there = drawn_known(series, config.nothing_known)
    return torch.where(there, series, torch.zeros_like(series)), there


def _made(generator: nn.Module, told: Tensor, there: Tensor, label: Tensor, config: Config) -> Tensor:
    """Windows from noise of the global CPU generator."""
    width = config.noise + config.grain * told.shape[1]
    return generator(torch.randn(len(label), width).to(label.device), label, told, there)


def _blurred(series: Tensor, config: Config) -> Tensor:
    """Windows with a little noise."""
    return series + config.blur * torch.randn(series.shape).to(series.device)

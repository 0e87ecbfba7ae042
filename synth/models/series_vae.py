"""A variational autoencoder of time series (Kingma, Welling 2014), whose decoder writes trend, season and the rest.

A code tells a window's course as a sum of polynomials, of waves and of what a net along time writes (in the manner of
Desai et al. 2021), and how far values stray from it at each step. How they stray is part of the model, or windows were
too smooth: each deviation leans on those of the steps before and of the channels before it, and its size is the
decoder's to say. Training begins half way to what least squares find.

Codes come from a mixture of normal distributions (Tomczak, Welling 2018) that depends on the label and on what is
known of a window; what is known also takes part in the decoder and in the deviations that later ones lean on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase, cosine_phase
from synth.models.series_masks import drawn_known, parted
from synth.models.temporal import Reader, Writer, polynomials, waves
from synth.models.windows import Shape

LOG_2PI = math.log(2 * math.pi)
MOST_LAGS = 8
MIN_LENGTH = 4
SMALL = 0.1  # of a net's last weights, at the start
RIDGE = 1e-3  # of the deviations' variance, in least squares
LEANING = 0.5  # of what these find, at the start: courses that are not learnt yet would add up with all of it
LEAST_LOG_SCALE = -5.0  # of a deviation's size: values that repeat exactly would lead to minus infinity


@dataclass(frozen=True)
class Config:
    """Sizes and training."""

    code: int = 32
    components: int = 32  # of the mixture that codes come from
    hidden: int = 256
    channels: int = 32  # of nets along time, at half a window's steps
    degrees: int = 4  # of the trend's polynomials
    waves: int = 6  # of the season, at most
    lags: int = 4  # steps before, that a deviation leans on
    nothing_known: float = 0.5  # share of the rows of a batch of which nothing is known
    code_weight: float = 0.7  # of the code's cost: the less it costs, the more of a window the code tells
    free_nats: float = 0.2  # of each number of a code: it costs no less
    kl_warm_up: float = 0.3  # share of the steps over which the code's cost rises to its full weight
    max_steps: int = 4000
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warm_up_steps: int = 100
    average_decay: float = 0.998


PRESETS = {"standard": Config(), "fast": Config(code=16, hidden=128, max_steps=1500)}


def build(config: Config, shape: Shape) -> SeriesVae:
    """Make an untrained model. Raises ValueError for windows that are too short."""
    if shape.length < MIN_LENGTH:
        raise ValueError(f"series_vae needs windows of at least {MIN_LENGTH} steps")
    return SeriesVae(config, shape)


class Decoder(nn.Module):
    """Course and log size of the deviations (N, T, C), of what is told (N, width)."""

    basis: Tensor  # (B, T): polynomials, then waves
    mean: Tensor  # (T, C): of the train windows
    usual: Tensor  # (T, C): log size of the deviations, were the mean the course

    def __init__(self, config: Config, shape: Shape, width: int) -> None:
        super().__init__()
        count = min(config.waves, (shape.length - 1) // 2)
        basis = torch.cat([polynomials(shape.length, config.degrees), waves(shape.length, count)])
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("mean", torch.zeros(shape.length, shape.channels))
        self.register_buffer("usual", torch.zeros(shape.length, shape.channels))
        self.channels = shape.channels
        self.inner = _net(width, config.hidden, config.hidden)
        self.shares = nn.Linear(config.hidden, shape.channels * len(basis))
        self.rest = Writer(config.hidden, 2 * shape.channels, shape.length, config.channels)
        with torch.no_grad():
            self.shares.weight.mul_(SMALL)
            self.rest.end.weight.mul_(SMALL)

    def forward(self, told: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.silu(self.inner(told))
        smooth = self.shares(hidden).view(len(told), self.channels, -1) @ self.basis
        rest, log_scale = self.rest(hidden).chunk(2, 1)
        log_scale = self.usual + log_scale.transpose(1, 2)
        log_scale = LEAST_LOG_SCALE + functional.softplus(log_scale - LEAST_LOG_SCALE)
        return self.mean + (smooth + rest).transpose(1, 2), log_scale


class SeriesVae(nn.Module):
    """Two readers, of whole windows and of what is known; the mixture of codes; the decoder; how deviations go on."""

    balanced = False

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape, self.average_decay = config, shape, config.average_decay
        self.lags = min(config.lags, MOST_LAGS, shape.length - 1)
        self.noise_width = 1 + config.code + shape.width
        hidden, code = config.hidden, config.code
        self.label = nn.Embedding(shape.labels, hidden)
        self.reader = Reader(shape.channels, shape.length, config.channels, hidden)
        self.known = Reader(2 * shape.channels, shape.length, config.channels, hidden)
        self.whole = _net(hidden, hidden, 2 * code)
        self.some = _net(hidden, hidden, config.components + 2 * code)
        self.means = nn.Parameter(torch.randn(config.components, code) * 0.7)
        self.log_spreads = nn.Parameter(torch.zeros(config.components, code))
        self.decoder = Decoder(config, shape, hidden + code)
        self.before = nn.Parameter(torch.zeros(self.lags, shape.channels, shape.channels))  # [lag, from, to]
        self.beside = nn.Parameter(torch.zeros(shape.channels, shape.channels))  # [to, from]: below the diagonal
        with torch.no_grad():
            self.whole[-1].weight.mul_(SMALL)  # type: ignore[union-attr, operator]
            self.some[-1].weight.mul_(SMALL)  # type: ignore[union-attr, operator]

    @torch.no_grad()
    def measure(self, series: Tensor) -> None:
        """Begin with the mean of all train windows (N, T, C), and with how deviations from it lean on each other."""
        rows = series.double()
        apart = rows - rows.mean(0)
        channels, steps = self.shape.channels, range(self.lags, self.shape.length)
        later = torch.stack([apart[:, at] for at in steps]).flatten(0, 1)  # (M, C)
        lags = torch.arange(1, self.lags + 1)
        sooner = torch.stack([apart[:, at - lags].flatten(1) for at in steps]).flatten(0, 1)  # (M, lags C)
        products = sooner.T @ sooner
        ridge = RIDGE * products.trace() / len(products) + 1e-6
        leaning = torch.linalg.solve(products + ridge * torch.eye(len(products)), sooner.T @ later)
        leaning = LEANING * leaning
        self.before.copy_(leaning.view(self.lags, channels, channels))
        fresh = later - sooner @ leaning
        together = fresh.T @ fresh
        together = together + (RIDGE * together.trace() / channels + 1e-6) * torch.eye(channels)
        factor = torch.linalg.cholesky(together)
        factor = factor / factor.diagonal()
        self.beside.copy_(LEANING * (torch.eye(channels) - torch.linalg.inv(factor)))
        self.decoder.mean.copy_(rows.mean(0))
        stray = self.strayed(apart.float())
        self.decoder.usual.copy_(stray.square().mean(0).sqrt().log().clamp_min(LEAST_LOG_SCALE))

    def asked(self, label: Tensor, told: Tensor, there: Tensor) -> Tensor:
        """(N, hidden) of labels (N,), known values (N, T, C) and where they are."""
        rows = torch.cat([told, there.to(told.dtype)], 2).transpose(1, 2)
        return functional.silu(self.known(rows) + self.label(label))

    def guess(self, series: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log spread (N, code) of a whole window's code."""
        seen = functional.silu(self.reader(series.transpose(1, 2)))
        mean, log_spread = self.whole(seen + asked).chunk(2, 1)
        return mean, log_spread.clamp(-6, 3)

    def expect(self, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log shares (N, K), means and log spreads (N, K, code) of the codes that go with what is asked."""
        code = self.config.code
        shares, shift, widen = self.some(asked).split([self.config.components, code, code], 1)
        log_spreads = (self.log_spreads + widen[:, None]).clamp(-6, 3)
        return shares.log_softmax(1), self.means + shift[:, None], log_spreads

    def strayed(self, apart: Tensor) -> Tensor:
        """(N, T, C): what is left of deviations (N, T, C) after those before and beside them are taken into account."""
        padded = functional.pad(apart, (0, 0, self.lags, 0))
        length = self.shape.length
        for lag in range(self.lags):
            apart = apart - padded[:, self.lags - 1 - lag :][:, :length] @ self.before[lag]
        return apart - apart @ self.beside.tril(-1).T

    def phases(self) -> list[Phase]:
        """One."""
        return [cosine_phase("bound", Bound(self), self.config, mixed_precision=False)]

    @torch.no_grad()
    def sample(self, noise: Tensor, label: Tensor, temperature: float = 1.0, known: Tensor | None = None) -> Tensor:
        """Make windows (N, T, C) from standard normal (N, noise_width); known values stay as they are."""
        config, shape = self.config, (len(noise), self.shape.length, self.shape.channels)
        uniform = torch.special.ndtr(noise[:, :1])
        draw, stray = (temperature * noise[:, 1:]).split([config.code, self.shape.width], 1)
        told, there = parted(known, stray.view(shape))
        asked = self.asked(label, told, there)
        shares, means, log_spreads = self.expect(asked)
        reached = shares.exp().cumsum(1)
        part = (reached <= uniform * reached[:, -1:]).sum(1).clamp(max=config.components - 1)
        rows = torch.arange(len(part), device=part.device)
        code = means[rows, part] + log_spreads[rows, part].exp() * draw
        course, log_scale = self.decoder(torch.cat([code, asked], 1))
        stray = stray.view(shape) * log_scale.exp()
        apart = self._going_on(stray, told - course, there)
        return torch.where(there, told, course + apart)

    def _going_on(self, stray: Tensor, given: Tensor, there: Tensor) -> Tensor:
        """Deviations (N, T, C), step by step, each with its own part `stray`; those of known values are given."""
        beside, steps = self.beside.tril(-1), list[Tensor]()
        for at in range(self.shape.length):
            drift = torch.zeros_like(stray[:, at])
            for lag in range(min(self.lags, at)):
                drift = drift + steps[at - 1 - lag] @ self.before[lag]
            fresh = torch.zeros_like(drift)  # deviations less their drift, channel by channel
            for channel in range(self.shape.channels):
                own = stray[:, at, channel] + (fresh * beside[channel]).sum(1)
                fixed = given[:, at, channel] - drift[:, channel]
                fresh[:, channel] = torch.where(there[:, at, channel], fixed, own)
            steps.append(drift + fresh)
        return torch.stack(steps, 1)


class Bound(nn.Module):
    """The one phase: of each window something else is known."""

    def __init__(self, model: SeriesVae) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean nats of a value, the code's share among them."""
        model, config, series = self.model, self.model.config, batch["series"]
        there = drawn_known(series, config.nothing_known)
        asked = model.asked(batch["label"], torch.where(there, series, torch.zeros_like(series)), there)
        mean, log_spread = model.guess(series, asked)
        draw = torch.randn(mean.shape).to(mean.device)
        code = mean + log_spread.exp() * draw
        course, log_scale = model.decoder(torch.cat([code, asked], 1))
        stray = model.strayed(series - course) * (-log_scale).exp()
        told = ((0.5 * (stray.square() + LOG_2PI) + log_scale) * ~there).sum((1, 2))
        shares, means, log_spreads = model.expect(asked)
        drawn = -0.5 * (draw.square() + 2 * log_spread + LOG_2PI).sum(1)
        gap = (code[:, None] - means) * (-log_spreads).exp()
        expected = (shares - 0.5 * (gap.square() + 2 * log_spreads + LOG_2PI).sum(2)).logsumexp(1)
        cost = drawn - expected
        weight = config.code_weight * (batch["progress"] / config.kl_warm_up).clamp(max=1) if config.kl_warm_up else 1.0
        paid = cost.mean().clamp_min(config.free_nats * config.code)
        loss = (told.mean() + weight * paid) / model.shape.width
        return {"loss": loss, "told": told.mean() / model.shape.width, "code": cost.mean()}


def _net(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.SiLU(), nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.SiLU(),
        nn.LayerNorm(hidden), nn.Linear(hidden, outputs),
    )  # fmt: skip

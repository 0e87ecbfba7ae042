"""A generator of time series by flow matching (Lipman et al. 2023; Liu, Gong, Liu 2023) on principal components.

Noise is carried to windows along a velocity that is learnt: at each moment what is on its way is half noise, half
window, and a net tells where it goes. Windows are told by their principal components, each divided by the root of its
deviation: large ones matter more, small ones are not lost. What a Gaussian with these deviations would need is known
in closed form and added to the net's answer, in the manner of Karras et al. (2022): the net learns only how windows
differ from a Gaussian. What lies outside the components is drawn as noise of its own deviation.

Values that are known are part of the net's question, and at each moment stand in its guess of the finished window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase, cosine_phase
from synth.models.series_masks import drawn_known, parted
from synth.models.windows import Shape

EXACT_WIDTH = 1024  # values of a window up to which all components are worked out
MOST_ROWS = 4096  # that components of wider windows are found from
LEAST_SPREAD = 1e-3  # of a component, against the largest
FREQUENCIES = 16  # by which the net is told the moment
MIN_LENGTH = 2


@dataclass(frozen=True)
class Config:
    """Sizes, training, and how windows are drawn."""

    components: int = 256  # at most
    width: int = 384
    blocks: int = 3
    dropout: float = 0.0
    nothing_known: float = 0.5  # share of the rows of a batch of which nothing is known
    moments: int = 16  # steps of the solver
    max_steps: int = 4000
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warm_up_steps: int = 100
    average_decay: float = 0.998


PRESETS = {"standard": Config(), "fast": Config(width=192, blocks=2, max_steps=1500, moments=10)}


def build(config: Config, shape: Shape) -> SeriesFlow:
    """Make an untrained model. Raises ValueError for windows that are too short."""
    if shape.length < MIN_LENGTH:
        raise ValueError(f"series_flow needs windows of at least {MIN_LENGTH} steps")
    return SeriesFlow(config, shape)


class Block(nn.Module):
    """Two layers whose input is scaled and shifted by what the row is asked for, added to what came in."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.asked = nn.Linear(width, 2 * width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = dropout
        nn.init.zeros_(self.asked.weight)
        nn.init.zeros_(self.asked.bias)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor, asked: Tensor) -> Tensor:
        """(N, W) of (N, W) and what is asked (N, W)."""
        scale, shift = self.asked(asked).chunk(2, 1)
        inner = functional.silu(self.wide(self.norm(x) * (1 + scale) + shift))
        return x + self.narrow(functional.dropout(inner, self.dropout, self.training))


class Net(nn.Module):
    """From what is on its way, the moment, the label and what is known to how it goes on."""

    rates: Tensor

    def __init__(self, config: Config, components: int, values: int, labels: int) -> None:
        super().__init__()
        width = config.width
        self.start = nn.Linear(components, width)
        self.known = nn.Linear(2 * values, width)
        self.label = nn.Embedding(labels, width)
        self.moment = nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, config.dropout) for _ in range(config.blocks))
        self.end = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, components))
        rates = torch.arange(1, FREQUENCIES + 1).float() * math.pi / 2
        self.register_buffer("rates", rates, persistent=False)
        nn.init.normal_(self.label.weight, std=0.5)
        nn.init.zeros_(self.end[1].weight)  # type: ignore[arg-type]

    def forward(self, state: Tensor, moment: Tensor, label: Tensor, known: Tensor, there: Tensor) -> Tensor:
        """(N, K) of state (N, K), moment (N, 1), label (N,), known values (N, T C) and where they are."""
        turns = moment * self.rates
        asked = self.moment(torch.cat([turns.cos(), turns.sin()], 1)) + self.label(label)
        told = self.known(torch.cat([known, there.to(known.dtype)], 1))
        x = self.start(state) + told
        asked = functional.silu(asked + told)
        for block in self.blocks:
            x = block(x, asked)
        return self.end(x)


class SeriesFlow(nn.Module):
    """The net, and the components that it works on; before `measure` these are the values themselves."""

    mean: Tensor  # (T C,)
    basis: Tensor  # (T C, K)
    spread: Tensor  # (K,): deviation of what the net sees of each component
    rest: Tensor  # (T C,): deviation of what components leave out

    balanced = False

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape, self.average_decay = config, shape, config.average_decay
        self.values = shape.length * shape.channels
        self.components = min(config.components, self.values)
        self.noise_width = self.components + self.values
        self.net = Net(config, self.components, self.values, shape.labels)
        self.register_buffer("mean", torch.zeros(self.values))
        self.register_buffer("basis", torch.eye(self.values)[:, : self.components].clone())
        self.register_buffer("spread", torch.ones(self.components))
        self.register_buffer("rest", torch.zeros(self.values))

    @torch.no_grad()
    def measure(self, series: Tensor) -> None:
        """Find the components of all train windows (N, T, C), once before the first step."""
        rows = series.flatten(1).double()
        mean = rows.mean(0)
        rows = rows - mean
        if self.values <= EXACT_WIDTH:
            basis = torch.linalg.eigh(rows.T @ rows / len(rows))[1].flip(1)[:, : self.components]
        else:
            some = rows[:MOST_ROWS]
            basis = torch.svd_lowrank(some, min(self.components, *some.shape), niter=4)[2]
        found = rows @ basis
        width = basis.shape[1]
        deviation = found.square().mean(0).sqrt()
        self.mean.copy_(mean)
        self.basis.zero_()[:, :width].copy_(basis)
        self.spread.zero_()[:width].copy_(deviation.sqrt())
        self.spread.clamp_(min=(LEAST_SPREAD * float(deviation.max().clamp_min(1e-6))) ** 0.5)
        self.rest.copy_((rows - found @ basis.T).square().mean(0).sqrt())

    def seen(self, series: Tensor) -> Tensor:
        """(N, K): windows (N, T C) as the net sees them."""
        return (series - self.mean) @ self.basis / self.spread

    def shown(self, state: Tensor) -> Tensor:
        """(N, T C): the windows that components (N, K) stand for."""
        return (state * self.spread) @ self.basis.T + self.mean

    def velocity(self, state: Tensor, moment: Tensor, label: Tensor, known: Tensor, there: Tensor) -> Tensor:
        """(N, K): where what is on its way (N, K) goes at moments (N, 1): a Gaussian's answer, and the net's."""
        left = 1 - moment
        size = moment.square() * self.spread.square() + left.square()  # of the state's variance
        scale = size.rsqrt()
        straight = state * (moment * self.spread.square() - left) / size
        return straight + self.spread * scale * self.net(state * scale, moment, label, known, there)

    def phases(self) -> list[Phase]:
        """One."""
        return [cosine_phase("velocity", Velocity(self), self.config, betas=(0.9, 0.99), mixed_precision=False)]

    @torch.no_grad()
    def sample(self, noise: Tensor, label: Tensor, temperature: float = 1.0, known: Tensor | None = None) -> Tensor:
        """Make windows (N, T, C) from standard normal (N, noise_width); known values stay as they are."""
        shape = (len(noise), self.shape.length, self.shape.channels)
        noise = temperature * noise
        told, there = parted(known, noise[:, self.components :].view(shape))
        told, there = told.flatten(1), there.flatten(1)
        state, steps = noise[:, : self.components], self.config.moments
        for step in range(steps):
            now, half = _moment(step / steps, state), _moment((step + 0.5) / steps, state)
            then = _moment((step + 1) / steps, state)
            middle = state + (half - now) * self._led(state, now, label, told, there)
            state = state + (then - now) * self._led(middle, half, label, told, there)
        window = self.shown(state) + self.rest * noise[:, self.components :]
        return torch.where(there, told, window).view(shape)

    def _led(self, state: Tensor, moment: Tensor, label: Tensor, told: Tensor, there: Tensor) -> Tensor:
        """The velocity towards a window in which known values stand."""
        velocity = self.velocity(state, moment, label, told, there)
        window = self.shown(state + (1 - moment) * velocity)
        gap = torch.where(there, told - window, torch.zeros_like(window))
        return velocity + (gap @ self.basis / self.spread) / (1 - moment)


class Velocity(nn.Module):
    """The one phase: windows and noise, mixed at a moment of each row's own."""

    def __init__(self, model: SeriesFlow) -> None:
        super().__init__()
        self.net, self.others = model.net, (model,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean squared error of the velocity."""
        model, series = self.others[0], batch["series"]
        target = model.seen(series.flatten(1))
        known = drawn_known(series, model.config.nothing_known).flatten(1)
        told = torch.where(known, series.flatten(1), torch.zeros_like(target[:, :1]))
        rows = len(series)
        moment = ((torch.rand(1) + torch.arange(rows) / rows) % 1)[torch.randperm(rows), None].to(series.device)
        noise = torch.randn(target.shape).to(series.device)
        velocity = model.velocity(torch.lerp(noise, target, moment), moment, batch["label"], told, known)
        return {"loss": (velocity - (target - noise)).square().mean()}


def _moment(share: float, state: Tensor) -> Tensor:
    """(N, 1): the moment after so large a share of the solver's steps."""
    return state.new_full((len(state), 1), share)

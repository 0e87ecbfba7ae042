"""What both loops of a training share: settings, rows, states, the team of workers, and how seeds are made."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.utils.deterministic
from torch import Tensor, nn

from synth.encode import from_tensor, scaled
from synth.fit.watch import Watch
from synth.models import SumsFitted, Trained

GRID_ROWS, GRID_COLUMNS = 8, 10
MIN_ROWS_TO_HOLD_OUT = 5  # of a label
MAX_HELD_OUT = 200  # rows of a label: more do not judge better
MAX_WATCHED = 10_240  # rows that a check may look at

Build = Callable[[int], Trained | SumsFitted]
Wrap = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True)
class Settings:
    """How long, with what, and how closely watched."""

    max_steps: int = 1
    batch_size: int = 64  # over all workers
    seed: int = 0
    held_out: float = 0.1  # share of each label's rows that judge quality and are not trained on
    quality_every: int = 0  # steps between checks; 0: twelve checks in all
    patience: int = 6  # checks without a better one before training stops
    restarts: int = 1  # after collapses
    threads: int = 1
    device: str = "cpu"

    @property
    def check_every(self) -> int:
        """Steps between two checks."""
        return self.quality_every or max(1, math.ceil(self.max_steps / 12))


@dataclass(frozen=True)
class Rows:
    """Train rows, in an order that says nothing of them: uint8 (N, C, H, W) and int64 (N,)."""

    images: Tensor
    labels: Tensor

    def take(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Images scaled to [-1, 1], and labels."""
        return scaled(self.images[places]), self.labels[places]


@dataclass
class State:
    """A half-finished training: tensors, and JSON."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]


@dataclass(frozen=True)
class Event:
    """What a training tells after each step (or round): `record` and `grid` only where it was checked."""

    step: int
    total: int
    state: Callable[[], State]
    record: dict[str, Any] | None = None
    grid: np.ndarray | None = None  # uint8[H, W, C]: a column a label


@dataclass
class Fitted:
    """A finished training: the model holds the weights that are to be kept."""

    model: Any
    history: list[dict[str, Any]]
    notes: list[str]
    facts: dict[str, Any]


Report = Callable[[Event], None]


@contextlib.contextmanager
def exactly(threads: int) -> Iterator[None]:
    """Deterministic algorithms and a fixed number of threads, for the time of the context."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a slow debugging aid
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.set_rng_state(before[2])
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


class Team:
    """The workers of this training: one, or those of torch.distributed."""

    def __init__(self) -> None:
        live = dist.is_available() and dist.is_initialized()
        self.rank, self.size = (dist.get_rank(), dist.get_world_size()) if live else (0, 1)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum of all workers' tensors, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def told(self, values: list[float], device: str) -> list[float]:
        """The first worker's values, for all: nobody decides alone."""
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=device)
        dist.broadcast(tensor, 0)
        return tensor.tolist()


def mixed(*parts: int) -> int:
    """One 63-bit seed of several numbers."""
    return int(
        np.random.SeedSequence([part & 0xFFFFFFFFFFFFFFFF for part in parts]).generate_state(1, np.uint64)[0] >> 1
    )


def seeded(build: Build, settings: Settings, attempt: int) -> Any:
    """The model of an attempt, with the weights that its seed draws."""
    torch.manual_seed(mixed(settings.seed, 1, attempt))
    model = build(attempt)
    return model.to(settings.device) if isinstance(model, nn.Module) else model


def hold_out(labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Places of the rows to train on, and of those to check by: the last of each label.

    Labels of few rows are trained on and checked by all that they have.
    """
    train, held = [], []
    for kind in labels.unique():
        places = torch.nonzero(labels == kind)[:, 0]
        if share <= 0 or len(places) < MIN_ROWS_TO_HOLD_OUT:
            train.append(places)
            held.append(places)
            continue
        cut = len(places) - min(MAX_HELD_OUT, max(1, int(share * len(places))))
        train.append(places[:cut])
        held.append(places[cut:])
    return torch.cat(train).sort().values, torch.cat(held).sort().values


def watch_of(rows: Rows, settings: Settings, noise_width: int) -> Watch:
    """The watch over a training on these rows: always the same noise, the same held-out rows."""
    train, held = hold_out(rows.labels, settings.held_out)
    train = train[:MAX_WATCHED]
    missing = set(rows.labels.unique().tolist()) - set(rows.labels[train].unique().tolist())
    more = [torch.nonzero(rows.labels == kind)[:1, 0] for kind in sorted(missing)]
    return Watch(rows.take(torch.cat([train, *more])), rows.take(held), noise_width, mixed(settings.seed, 2))


@torch.no_grad()
def made_by(model: Any, watch: Watch) -> Tensor:
    """Rows that the model makes of the watch's noise, (N, C, H, W)."""
    parts = zip(watch.noise.split(256), watch.condition.split(256), strict=True)
    return torch.cat([model.sample(noise, condition) for noise, condition in parts])


def grid(images: Tensor, labels: Tensor) -> np.ndarray:
    """uint8[H, W, C]: a few rows of the first labels, a column each."""
    kinds = labels.unique()[:GRID_COLUMNS]
    rows = min([GRID_ROWS, *[int((labels == kind).sum()) for kind in kinds]])
    columns = [np.concatenate(list(from_tensor(images[labels == kind][:rows]))) for kind in kinds]
    return np.concatenate(columns, axis=1)

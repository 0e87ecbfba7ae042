"""What both loops of a training share: settings, rows, states, the team of workers, and how seeds are made."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
import torch.utils.deterministic
from torch import Tensor, nn

from synth.fit.watch import Watch
from synth.models import Batch, SumsFitted, Trained

MIN_ROWS_TO_HOLD_OUT = 5  # of a label

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


class Rows(Protocol):
    """Train rows of some modality, in an order that says nothing of them."""

    @property
    def labels(self) -> Tensor:
        """int64 (N,): what rows are held out and batches balanced by; all 0 where there are none."""

    @property
    def most_held_out(self) -> int:
        """How many rows of a label are held out at most."""

    def take(self, places: Tensor) -> Batch:
        """Some of the rows as a batch, their places as `index` in it."""

    def to(self, device: str) -> Rows:
        """The same rows on a device."""

    def watch(self, settings: Settings, model: Any) -> Watch:
        """Make the watch over a training of this model on these rows."""


@dataclass
class State:
    """A half-finished training: tensors, and JSON."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]


@dataclass(frozen=True)
class Event:
    """What a training tells after each step (or round): `record` and `picture` only where it was checked."""

    step: int
    total: int
    state: Callable[[], State]
    record: dict[str, Any] | None = None
    picture: np.ndarray | None = None  # uint8[H, W, C] of rows that were made, where the modality has pictures


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


def hold_out(rows: Rows, share: float) -> tuple[Tensor, Tensor]:
    """Places of the rows to train on, and of those to check by: the last of each label.

    Labels of few rows are trained on and checked by all that they have.
    """
    train, held = [], []
    for kind in rows.labels.unique():
        places = torch.nonzero(rows.labels == kind)[:, 0]
        if share <= 0 or len(places) < MIN_ROWS_TO_HOLD_OUT:
            train.append(places)
            held.append(places)
            continue
        cut = len(places) - min(rows.most_held_out, max(1, int(share * len(places))))
        train.append(places[:cut])
        held.append(places[cut:])
    return torch.cat(train).sort().values, torch.cat(held).sort().values

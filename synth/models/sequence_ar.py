"""A generator of users' sequences that goes event by event: when, then which item, then how it is rated, each given the
user's attributes and the events before. A small recurrent net (Cho et al. 2014) whose items have the same vectors going
in and coming out, beside the mean of all the user's items so far, which keeps taste over hundreds of events.

How many events a user has is drawn before the first, and the net is told how many are left: no net of this size learns
a length of its own. It works in runs of CHUNK events, as it was trained: what lies before a run is known by the mean,
by what a user has already (where train users have no item twice, made ones have none), and by the last event.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase, cosine_phase

CHUNK = 64  # events that the net goes through from its first state
BLOCK = 32  # users at a time, where there is no gradient
COUNTS = 24  # steps of how many events were, and are left: two for each doubling
SPREAD = 0.05  # standard deviation of vectors at the start


@dataclass(frozen=True)
class Config:
    """Sizes, training, and how sequences are drawn."""

    width: int = 64
    dropout: float = 0.3
    items: int = 5000  # most frequent ones that are learnt; a made user has no others
    epochs: float = 28.0
    least_steps: int = 200  # of a training by epochs
    max_steps: int = 0  # 0: by epochs
    batch_size: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 0.05
    warm_up_steps: int = 20
    average_decay: float = 0.98
    longest_copy: int = 6  # items that a made user may have in a row as a train user has them


PRESETS = {"standard": Config(), "fast": Config(width=32, epochs=12.0, least_steps=100)}


@dataclass(frozen=True)
class Shape:
    """What a model must know of behaviour."""

    counts: Tensor  # float64 (items,): how often train users have each item
    ratings: int
    gaps: int  # steps of the time since the event before
    conditions: tuple[int, ...]  # values of each attribute, and of what else is drawn before the first event
    repeats: bool  # whether a user may have an item twice


def build(config: Config, shape: Shape) -> SequenceAr:
    """Make an untrained model. Raises ValueError where there are too few items."""
    if len(shape.counts) < 2:
        raise ValueError(f"there are {len(shape.counts)} items to learn, and it takes two")
    return SequenceAr(config, shape)


class Memory:
    """Where B users stand: the net's state, their last event, the sum of their items' vectors, and what they have."""

    def __init__(self, model: SequenceAr, condition: Tensor, lengths: Tensor) -> None:
        """Begin users of these conditions (B, K) with so many events (B,)."""
        users, width = len(condition), model.config.width
        self.condition, self.lengths, self.at = model.conditioned(condition), lengths, 0
        self.state = torch.zeros(1, users, width)
        self.last = tuple(torch.full((users,), none) for none in model.nothing)
        self.sum = torch.zeros(users, width)
        self.has = torch.zeros(users, model.items, dtype=torch.bool)


class SequenceAr(nn.Module):
    """The net. Codes one beyond the last stand for no event."""

    balanced = False

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape, self.average_decay = config, shape, config.average_decay
        self.items, width = len(shape.counts), config.width
        self.nothing = (self.items, shape.ratings, shape.gaps)
        self.item = nn.Embedding(self.items + 1, width)
        self.rating = nn.Embedding(shape.ratings + 1, width)
        self.gap = nn.Embedding(shape.gaps + 1, width)
        self.conditions = nn.ModuleList(nn.Embedding(values, width) for values in shape.conditions)
        self.before, self.left = nn.Embedding(COUNTS, width), nn.Embedding(COUNTS, width)
        self.taste = nn.Linear(width, width)
        self.net = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.to_gap = nn.Linear(width, shape.gaps)
        self.gap_told = nn.Embedding(shape.gaps + 1, width)
        self.to_item = nn.Linear(2 * width, width)
        self.to_rating = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, shape.ratings))
        known = shape.counts + 0.5
        self.bias = nn.Parameter(torch.log(known / known.sum()).float())
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=SPREAD)

    def conditioned(self, condition: Tensor) -> Tensor:
        """(B, W) of (B, K)."""
        return torch.stack([each(condition[:, place]) for place, each in enumerate(self.conditions)]).sum(0)

    def begun(self, condition: Tensor, last: tuple[Tensor, ...], mean: Tensor, before: Tensor, left: Tensor) -> Tensor:
        """What the net is given at a place, (..., W): condition, the last event, the mean of all, and the counts."""
        item, rating, gap = last
        counted = self.before(steps_of(before)) + self.left(steps_of(left))
        x = condition + self.item(item) + self.rating(rating) + self.gap(gap) + counted + self.taste(mean)
        return self._dropped(x)

    def queried(self, out: Tensor, mean: Tensor, gap: Tensor) -> Tensor:
        """(..., W): what an item is asked to be like, once its time is known."""
        return out + self.gap_told(gap) + self.to_item(torch.cat([out, mean], -1))

    def item_logits(self, query: Tensor, has: Tensor) -> Tensor:
        """(..., items) of queries; what a user has is not drawn again, where train users have nothing twice."""
        logits = functional.linear(query, self.item.weight[: self.items], self.bias)
        return logits if self.shape.repeats else logits.masked_fill(has, -torch.inf)

    def rating_logits(self, out: Tensor, item: Tensor) -> Tensor:
        """(..., ratings), once the item is known."""
        told: Tensor = self.to_rating(torch.cat([out, self.item(item)], -1))
        return told

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.config.dropout, self.training)

    def surprise(self, batch: Batch, start: Tensor) -> tuple[Tensor, Tensor]:
        """(nats, which events count), both (B, CHUNK), of the run that begins at `start` (B,)."""
        places = start[:, None] + torch.arange(CHUNK, device=start.device)
        counts = places < batch["length"][:, None]
        codes, last = self._codes(batch, places, counts), self._codes(batch, places - 1, counts & (places > 0))
        has, mean = self._known(batch["items"], start, places, last[0])
        left = (batch["length"][:, None] - places).clamp(min=0)
        x = self.begun(self.conditioned(batch["condition"])[:, None], last, mean, places, left)
        out = self._dropped(self.norm(self.net(x)[0]))
        items, ratings, gaps = codes
        nats = _nats(self.item_logits(self.queried(out, mean, gaps), has), items, counts)
        nats = nats + _nats(self.rating_logits(out, items), ratings, counts)
        return nats + _nats(self.to_gap(out), gaps, counts & (places > 0)), counts

    def _codes(self, batch: Batch, places: Tensor, there: Tensor) -> tuple[Tensor, ...]:
        """Items, ratings and gaps, (B, CHUNK) each; the first event of all has no gap."""
        seen = (there, there, there & (places > 0))
        told = zip(("items", "ratings", "gaps"), seen, self.nothing, strict=True)
        return tuple(self._at(batch[name], places, some, none) for name, some, none in told)

    def _at(self, codes: Tensor, places: Tensor, there: Tensor, none: int) -> Tensor:
        """(B, CHUNK) of (B, L): the codes at these places, `none` where there is no event."""
        found = codes.gather(1, places.clamp(0, codes.shape[1] - 1))
        return torch.where(there, found, none)

    def _known(self, items: Tensor, start: Tensor, places: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """(what users have already, (B, CHUNK, items); the mean of its vectors, (B, CHUNK, W)) before each event."""
        users = len(items)
        earlier = torch.arange(items.shape[1], device=items.device) < start[:, None] - 1  # `last` tells of start - 1
        counted = torch.zeros(users, self.items + 1, device=items.device)
        counted = counted.scatter_add(1, torch.where(earlier, items, self.items), torch.ones_like(items).float())
        counted[:, self.items] = 0
        seen = torch.zeros(users, CHUNK, self.items + 1, device=items.device).scatter(2, last[:, :, None], 1.0)
        has = (counted[:, None] + seen.cumsum(1))[:, :, : self.items] > 0
        vectors = torch.where((last < self.items)[:, :, None], self.item(last), 0.0)
        sums = (counted @ self.item.weight)[:, None] + vectors.cumsum(1)
        return has, sums / places.clamp(min=1)[:, :, None]

    @torch.no_grad()
    def next(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """(out, mean), (B, W) each: what the next event is drawn by."""
        if memory.at % CHUNK == 0:
            memory.state = torch.zeros_like(memory.state)
        before = torch.full_like(memory.lengths, memory.at)
        mean = memory.sum / max(memory.at, 1)
        x = self.begun(memory.condition, memory.last, mean, before, (memory.lengths - memory.at).clamp(min=0))
        told, memory.state = self.net(x[:, None], memory.state)
        return self.norm(told[:, 0]), mean

    @torch.no_grad()
    def remember(self, memory: Memory, item: Tensor, rating: Tensor, gap: Tensor) -> None:
        """Note what was drawn, codes (B,) each; whoever has all their events already draws on, and is not read."""
        memory.last = (item, rating, gap)
        memory.sum = memory.sum + self.item(item)
        memory.has = memory.has.scatter(1, item[:, None], True)
        memory.at += 1

    def phases(self) -> list[Phase]:
        """One."""
        return [cosine_phase("likelihood", Likelihood(self), self.config, betas=(0.9, 0.98))]

    @torch.no_grad()
    def held_out(self, batch: Batch) -> float:
        """Nats by which an event of these users surprises."""
        nats, events = 0.0, 0
        for at in range(0, len(batch["length"]), BLOCK):
            part = {name: each[at : at + BLOCK] for name, each in batch.items()}
            for start in range(0, int(part["length"].max()), CHUNK):
                told, counts = self.surprise(part, torch.full_like(part["length"], start))
                nats, events = nats + float(told.double().sum()), events + int(counts.sum())
        return nats / max(events, 1)


class Likelihood(nn.Module):
    """The one phase: a run of each user, drawn anew each time."""

    def __init__(self, model: SequenceAr) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean negative log likelihood of an event, in nats."""
        length = batch["length"]
        runs = (length + CHUNK - 1) // CHUNK
        start = (torch.rand(len(length), device=length.device) * runs).long() * CHUNK
        nats, counts = self.model.surprise(batch, start)
        return {"loss": nats.sum() / counts.sum().clamp(min=1)}


def steps_of(counts: Tensor) -> Tensor:
    """Which of COUNTS steps whole numbers stand on: two for each doubling."""
    return (2 * torch.log2(counts.float() + 1)).long().clamp(0, COUNTS - 1)


def _nats(logits: Tensor, codes: Tensor, counts: Tensor) -> Tensor:
    """(B, T) of (B, T, K): the surprise of the codes where they count, else 0."""
    safe = torch.where(counts, codes, 0)
    told = functional.cross_entropy(logits.flatten(0, 1), safe.flatten(), reduction="none").view(codes.shape)
    return torch.where(counts, told, 0.0)

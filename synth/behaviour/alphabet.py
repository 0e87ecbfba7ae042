"""What a generator of behaviour writes with: the items, the steps of ratings, of times and of lengths, and what users'
attributes may be. Measured on train users; stored with the checkpoint as JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.behaviour.bins import Bins
from udfs.behaviour.values import Events

Codes = NDArray[np.int64]
RATINGS, GAPS, LENGTHS, STARTS, NUMBERS = 24, 16, 24, 8, 8  # steps at most
REPEATS = 0.002  # share of events whose item the user has already: below, it is an accident of the source


@dataclass(frozen=True)
class Trait:
    """What an attribute may be: one of these words, or a number of these steps; the code behind the last is missing."""

    name: str
    kind: str  # integer, number or category
    words: tuple[str, ...] = ()
    bins: Bins | None = None

    def __len__(self) -> int:
        return (len(self.words) if self.bins is None else len(self.bins)) + 1

    @classmethod
    def of(cls, name: str, kind: str, values: Sequence[Any]) -> Trait:
        """What train users have."""
        there = [value for value in values if value is not None]
        if kind == "category":
            return cls(name, kind, tuple(sorted(set(there))))
        return cls(name, kind, bins=Bins.of(np.array(there or [0.0], np.float64), NUMBERS))

    def codes(self, values: Sequence[Any]) -> Codes:
        """int64[N]; a word that is not known is as good as missing."""
        missing = len(self) - 1
        if self.bins is None:
            places = {word: place for place, word in enumerate(self.words)}
            return np.array([places.get(value, missing) for value in values], np.int64)
        numbers = np.array([0.0 if value is None else value for value in values], np.float64)
        return np.where([value is None for value in values], missing, self.bins.codes(numbers)).astype(np.int64)

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        bins = None if self.bins is None else self.bins.as_dict()
        return {"name": self.name, "kind": self.kind, "words": list(self.words), "bins": bins}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Trait:
        """From plain JSON."""
        bins = None if told["bins"] is None else Bins.from_dict(told["bins"])
        return cls(told["name"], told["kind"], tuple(told["words"]), bins)


@dataclass(frozen=True)
class Alphabet:
    """Items in the order of their names, and steps."""

    items: tuple[str, ...]
    ratings: Bins
    gaps: Bins
    lengths: Bins
    starts: Bins
    traits: tuple[Trait, ...]
    repeats: bool

    @classmethod
    def of(
        cls, users: Sequence[Events], attributes: Mapping[str, tuple[str, Sequence[Any]]], most_items: int
    ) -> Alphabet:
        """What these users have; `attributes` are (kind, values) by name."""
        counted = Counter(item for user in users for item in user.items)
        kept = sorted(counted, key=lambda item: (-counted[item], item))[:most_items]
        known = [only(user, set(kept)) for user in users]
        known = [user for user in known if len(user)]
        twice = sum(len(user) - len(set(user.items)) for user in known)
        events = sum(map(len, known))
        later = np.concatenate([np.zeros(0), *[np.diff(user.times) for user in known]]).astype(np.float64)
        return cls(
            tuple(sorted(kept)),
            Bins.of(np.concatenate([user.ratings for user in known]), RATINGS),
            _gaps(later),
            Bins.of(np.array([len(user) for user in known], np.float64), LENGTHS),
            Bins.of(np.array([user.times[0] for user in known], np.float64), STARTS),
            tuple(Trait.of(name, kind, values) for name, (kind, values) in attributes.items()),
            twice > REPEATS * events,
        )

    @cached_property
    def places(self) -> dict[str, int]:
        """The code of each item."""
        return {item: place for place, item in enumerate(self.items)}

    @property
    def conditions(self) -> tuple[int, ...]:
        """Values of each attribute, of the time of the first event, and of the length."""
        return (*(len(trait) for trait in self.traits), len(self.starts), len(self.lengths))

    def known(self, user: Events) -> Events:
        """The user's events with items that are known."""
        return only(user, self.places)

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        steps = {name: getattr(self, name).as_dict() for name in ("ratings", "gaps", "lengths", "starts")}
        traits = [trait.as_dict() for trait in self.traits]
        return {"items": list(self.items), **steps, "traits": traits, "repeats": self.repeats}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Alphabet:
        """From plain JSON."""
        steps = {name: Bins.from_dict(told[name]) for name in ("ratings", "gaps", "lengths", "starts")}
        traits = tuple(map(Trait.from_dict, told["traits"]))
        return cls(items=tuple(told["items"]), traits=traits, repeats=told["repeats"], **steps)


def only(user: Events, known: Any) -> Events:
    """The user's events whose items are among `known`."""
    there = [place for place, item in enumerate(user.items) if item in known]
    return user if len(there) == len(user) else user.take(np.array(there, np.int64))


def _gaps(later: NDArray[np.float64]) -> Bins:
    """Steps of the seconds between events: none is one of its own."""
    some = later[later > 0]
    if not len(some):
        return Bins((0.0,), (0.0,))
    steps = Bins.of(some, GAPS)
    return Bins((0.0, *steps.lows), (0.0, *steps.highs))

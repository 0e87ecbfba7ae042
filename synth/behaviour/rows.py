"""What recommenders learn from, and what they are asked: the item that a user took last, given all before it.

Items are words of 64 bits, hashes of their names, so that sets of rows read apart know the same items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
Items = NDArray[np.uint64]
TOP = 10  # places that count as a hit


@dataclass(frozen=True)
class Asked:
    """One question: the items that a user had, and the first new one that they took after these."""

    history: Items
    target: np.uint64


@dataclass(frozen=True)
class Rows:
    """N users: their items, ratings and times in order; `groups` says which rows stem from one parent, `real` marks
    those that were collected; `traits` are users' attributes by name.
    """

    items: tuple[Items, ...]
    ratings: tuple[Numbers, ...]
    times: tuple[Codes, ...]
    groups: Codes
    real: NDArray[np.bool_]
    traits: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def labels(self) -> Codes:
        """int64[N]: 0, as users have no label."""
        return np.zeros(len(self), np.int64)

    @property
    def payload(self) -> tuple[Asked, ...]:
        """What recommenders are asked, once for each user."""
        return tuple(map(question, self.items))

    def take(self, places: Codes | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        chosen = np.arange(len(self))[places].tolist()
        parts = [tuple(each[place] for place in chosen) for each in (self.items, self.ratings, self.times)]
        traits = {name: values[chosen] for name, values in self.traits.items()}
        return Rows(parts[0], parts[1], parts[2], self.groups[chosen], self.real[chosen], traits)

    def group_codes(self) -> Codes:
        """int64[N]: equal where rows stem from one parent."""
        return self.groups

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]: the rows that were collected."""
        return self.real


class Judge(Protocol):
    """A recommender; its catalogue rises."""

    @property
    def catalogue(self) -> Items:
        """All items that it can recommend."""

    def scores(self, histories: Sequence[Items]) -> NDArray[np.float32]:
        """(N, catalogue): how much each item is recommended to users who had these."""


def nobody() -> Rows:
    """No rows."""
    return Rows((), (), (), np.zeros(0, np.int64), np.zeros(0, bool))


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several sets one after the other."""
    wide = [tuple(each for part in parts for each in getattr(part, name)) for name in ("items", "ratings", "times")]
    groups, real = (np.concatenate([getattr(part, name) for part in parts]) for name in ("groups", "real"))
    traits = {name: np.concatenate([part.traits[name] for part in parts]) for name in parts[0].traits}
    return Rows(wide[0], wide[1], wide[2], groups, real, traits)


def question(items: Items) -> Asked:
    """Leave the last item out that the user had not had before, and all behind it."""
    _, first = np.unique(items, return_index=True)
    last = int(first.max(initial=0))
    return Asked(items[:last], items[last])


def catalogue_of(rows: Rows, most: int) -> Items:
    """The most frequent items of these users, rising; ties by the item."""
    words, counts = np.unique(np.concatenate([np.zeros(0, np.uint64), *rows.items]), return_counts=True)
    return np.sort(words[np.lexsort((words, -counts))[:most]])


def places_in(catalogue: Items, items: Items) -> Codes:
    """int64: the places of those items that a catalogue has, in their order."""
    if not len(catalogue):
        return np.zeros(0, np.int64)
    found = np.minimum(np.searchsorted(catalogue, items), len(catalogue) - 1)
    return found[catalogue[found] == items]


def ranks(judge: Judge, asked: Sequence[Asked], block: int = 256) -> Numbers:
    """float64[N]: on which place the item is that was taken, among all that the user had not had; equal scores share
    their places. Infinite where the recommender does not know the item.
    """
    found = np.full(len(asked), np.inf)
    for at in range(0, len(asked), block):
        part = asked[at : at + block]
        told = judge.scores([each.history for each in part])
        for row, each in enumerate(part):
            place = places_in(judge.catalogue, np.array([each.target], np.uint64))
            if len(place):
                scores = np.delete(told[row], np.append(np.unique(places_in(judge.catalogue, each.history)), place))
                own = told[row, place[0]]
                found[at + row] = 1 + (scores > own).sum() + (scores == own).sum() / 2
    return found


def hits(places: Numbers) -> Numbers:
    """1 where the item was among the first TOP, else 0: their mean is the hit rate."""
    return (places <= TOP).astype(np.float64)


def gains(places: Numbers) -> Numbers:
    """What NDCG@TOP gives for each place, of one right item: 1 on the first, less behind, 0 beyond TOP."""
    return np.where(places <= TOP, 1 / np.log2(1 + np.maximum(places, 1)), 0.0)

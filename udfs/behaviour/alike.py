"""Steps that put items where train rows have others that they often meet. An item that is known of no other stays."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from udfs.behaviour.values import Events, Near, Sequences
from udfs.options import Probability, Within
from udfs.rng import RowRandom

REVISION = 1
Among = Annotated[int, Within(1, 20)]  # of the items that meet an item most


def substitute(random: RowRandom, sequences: Sequences, *, p: Probability = 0.1, among: Among = 10) -> Sequences:
    """Each item gives way, with probability `p`, to one of the `among` that meet it most and that the user has not."""
    lengths = sequences.lengths()
    fires, picks = random.ragged(lengths), random.ragged(lengths)

    def changed(row: int, events: Events) -> Events:
        items, has = list(events.items), set(events.items)
        for place in np.flatnonzero(fires[row] < p).tolist():
            other = _other(sequences.near, items[place], has, picks[row][place], among)
            if other is not None:
                has.add(other)
                items[place] = other
        return Events(tuple(items), events.ratings, events.times)

    return sequences.changed(changed)


def insert(random: RowRandom, sequences: Sequences, *, p: Probability = 0.05, among: Among = 10) -> Sequences:
    """After each event one more comes, with probability `p`: an item that meets its own, rated alike, at its time."""
    lengths = sequences.lengths()
    fires, picks = random.ragged(lengths), random.ragged(lengths)

    def longer(row: int, events: Events) -> Events:
        items, places, has = list[str](), list[int](), set(events.items)
        for place, item in enumerate(events.items):
            items.append(item)
            places.append(place)
            if fires[row][place] < p:
                other = _other(sequences.near, item, has, picks[row][place], among)
                if other is not None:
                    has.add(other)
                    items.append(other)
                    places.append(place)
        told = np.array(places, np.int64)
        return Events(tuple(items), events.ratings[told], events.times[told])

    return sequences.changed(longer)


def _other(near: Near, item: str, has: set[str], pick: float, among: int) -> str | None:
    """One of the items that meet this one most and that are not among those that the user has."""
    known = [other for other in near.get(item, ())[:among] if other not in has]
    return known[int(pick * len(known))] if known else None

"""Steps that leave events out or give them another order; no event is made up."""

from __future__ import annotations

import numpy as np

from udfs.behaviour.values import Events, Sequences
from udfs.options import Probability, ShareSpan
from udfs.rng import RowRandom

REVISION = 1
LEAST = 3  # events that a step leaves of a sequence that had as many


def crop(random: RowRandom, sequences: Sequences, *, share: ShareSpan = (0.6, 0.9)) -> Sequences:
    """A run of events that is a share of the sequence, drawn from `share`, from a place drawn too."""
    shares, starts = random.uniform(*share), random.uniform()

    def cut(row: int, events: Events) -> Events:
        kept = min(len(events), max(LEAST, round(shares[row] * len(events))))
        start = int(starts[row] * (len(events) - kept + 1))
        return events.take(np.arange(start, start + kept))

    return sequences.changed(cut)


def item_dropout(random: RowRandom, sequences: Sequences, *, p: Probability = 0.1) -> Sequences:
    """Each event is left out with probability `p`."""
    draws = random.ragged(sequences.lengths())

    def thin(row: int, events: Events) -> Events:
        order = np.argsort(-draws[row], kind="stable")[: min(LEAST, len(events))]
        kept = draws[row] >= p
        kept[order] = True
        return events.take(np.flatnonzero(kept))

    return sequences.changed(thin)


def reorder(random: RowRandom, sequences: Sequences, *, span: int = 4, p: Probability = 0.5) -> Sequences:
    """Events change places within runs of `span`, each run with probability `p`; the times stay where they were."""
    lengths = sequences.lengths()
    keys = random.ragged(lengths)
    fires = random.ragged([-(-length // max(span, 1)) for length in lengths])

    def shuffled(row: int, events: Events) -> Events:
        runs = np.arange(len(events)) // max(span, 1)
        key = np.where(fires[row][runs] < p, keys[row], np.arange(len(events)) / max(len(events), 1))
        moved = events.take(np.lexsort((key, runs)))
        return Events(moved.items, moved.ratings, events.times)

    return sequences.changed(shuffled)

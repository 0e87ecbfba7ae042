"""Rules that refuse users: what no person does, or what says nothing of one."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from udfs.behaviour.values import Reasons, Sequences
from udfs.options import Share, Within

REVISION = 1


def reject_one_rating(sequences: Sequences, *, min_events: Annotated[int, Within(2)] = 20) -> Reasons:
    """`one_rating` where a user of `min_events` or more rates everything alike: nothing is told of taste."""
    reasons: Reasons = [None] * len(sequences)
    for row, events in sequences.there():
        if len(events) >= min_events and len(np.unique(events.ratings)) == 1:
            reasons[row] = "one_rating"
    return reasons


def reject_bursts(
    sequences: Sequences, *, seconds: Annotated[int, Within(1)] = 10, max_events: Annotated[int, Within(1)] = 100
) -> Reasons:
    """`burst` where more than `max_events` lie within so many seconds: a machine, or an import."""
    reasons: Reasons = [None] * len(sequences)
    for row, events in sequences.there():
        if len(events) > max_events and (events.times[max_events:] - events.times[:-max_events] < seconds).any():
            reasons[row] = "burst"
    return reasons


def reject_repeats(sequences: Sequences, *, max_share: Share = 0.5) -> Reasons:
    """`repeats` where one item makes up more than `max_share` of a user's events."""
    reasons: Reasons = [None] * len(sequences)
    for row, events in sequences.there():
        _, counts = np.unique(np.array(events.items), return_counts=True)
        if counts.max(initial=0) > max_share * len(events):
            reasons[row] = "repeats"
    return reasons

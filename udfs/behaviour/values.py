"""What steps of behaviour take and give.

Sequences are N users' events in the order of their times, null where a row has none: items, ratings and whole seconds
of one length each. Steps give new sequences of as many users; times never fall. Beside them goes what train rows tell
of items: with which others each meets most, the most like it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Reasons: TypeAlias = list[str | None]
Places = NDArray[np.int64]
Near = Mapping[str, Sequence[str]]  # an item -> those that it meets most


@dataclass(frozen=True)
class Events:
    """One user's events."""

    items: tuple[str, ...]
    ratings: NDArray[np.float64]
    times: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.items)

    def take(self, places: Places) -> Events:
        """Some of the events, in the order of `places`."""
        return Events(tuple(self.items[place] for place in places.tolist()), self.ratings[places], self.times[places])


@dataclass(frozen=True)
class Sequences:
    """Users' events, and what meets what."""

    users: list[Events | None]
    near: Near = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.users)

    def lengths(self) -> list[int]:
        """How many events each user has."""
        return [0 if each is None else len(each) for each in self.users]

    def there(self) -> Iterator[tuple[int, Events]]:
        """The users that have events, with their places."""
        return ((row, each) for row, each in enumerate(self.users) if each is not None)

    def changed(self, change: Callable[[int, Events], Events]) -> Sequences:
        """The same users with other events."""
        return replace(self, users=[None if each is None else change(row, each) for row, each in enumerate(self.users)])


def as_written(rating: float) -> str:
    """The fewest digits that say this rating and no other as rows hold it, in float32."""
    return np.format_float_positional(np.float32(rating), trim="-")

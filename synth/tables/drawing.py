"""One block of rows while it is drawn: what the limits, and what is known already, leave of each column's tokens."""

from __future__ import annotations

import numpy as np
import torch

from synth.tables import limits
from synth.tables.column import Floats, Tokens
from synth.tables.limits import Limits


class Drawing:
    """The state of a block of N rows; columns by their drawing place."""

    def __init__(
        self,
        held: Limits,
        positions: Floats,
        given: Tokens | None = None,
        known: Floats | None = None,
        is_filled: bool = True,
    ) -> None:
        """Take the limits, where values lie within bins (N, C), the tokens that are given (N, C; -1 where none), and of
        rows that are to be completed the whole matrix (N, D), NaN where a value is wanted: none is then left missing
        where the row `is_filled`.
        """
        self.limits, self.positions, self.is_filled = held, positions, is_filled
        self.given = [] if given is None else np.flatnonzero((given >= 0).all(0)).tolist()
        self.known = None if known is None else known[:, list(held.tokens.places)]
        self.told = {} if known is None else _told(held, known)
        self.values = np.full(positions.shape, np.nan) if self.known is None else self.known.copy()
        self.there = ~np.isnan(self.values)
        self.drawn: set[int] = set()

    @property
    def first(self) -> list[int]:
        """Columns that must be drawn before the others, which then follow from them."""
        return sorted({*self.limits.first, *self.told, *self.given})

    @property
    def is_limited(self) -> bool:
        """Whether any column may not take all of its tokens."""
        return self.known is not None or bool(self.limits.spans) or bool(self.limits.relations)

    def narrow(self, place: int, tokens: torch.Tensor) -> torch.Tensor | None:
        """Log weights of a column's tokens beside what has been drawn (N, C)."""
        for other in self.limits.beside(place):
            if self._is_before(other, place):
                self.settled(other, tokens[:, other].numpy())
        found = self.limits.weights(place, self.values, self.there, self.known is not None)
        if self.known is not None:
            found = np.ones((1, self.limits.tokens.columns[place].size)) if found is None else found.copy()
            if self.is_filled:
                found[:, -1] = 0.0
            found = found * self.told[place] if place in self.told else found
        seen = self.limits.tokens.columns[place].count > 0
        return None if found is None else limits.log_weights(found * seen)

    def _values_of(self, place: int, tokens: Tokens) -> Floats:
        """(N,): a column's values, at their positions within bins and held by the limits."""
        column, at = self.limits.tokens.columns[place], self.positions[:, place]
        if self.limits.touches(place):
            bounds = self.limits.within(place, self.values, self.there, self.known is not None)
            values = limits.placed(column, self.limits.spans.get(place), bounds, tokens, at)
        else:
            values = column.decode(tokens, at)
        return values if self.known is None else np.where(np.isnan(self.known[:, place]), values, self.known[:, place])

    def _is_before(self, other: int, place: int) -> bool:
        """Whether a column is drawn before another."""
        first = self.first
        return (other not in first, other) < (place not in first, place)

    def settled(self, place: int, tokens: Tokens) -> Floats:
        """(N,): the values of a column that has been drawn, or was given; those that come after are held to them."""
        if place not in self.drawn:
            self.values[:, place] = self._values_of(place, tokens)
            self.there[:, place] = True
            self.drawn.add(place)
        return self.values[:, place]


def _told(held: Limits, known: Floats) -> dict[int, Floats]:
    """Of columns with holes, (N, tokens): the tokens that go with the columns that follow from them, where these are
    there.
    """
    found: dict[int, Floats] = {}
    for each in held.tokens.derived:
        values = known[:, each.place]
        if each.source < 0 or not (np.isnan(known[:, each.source]) & ~np.isnan(values)).any():
            continue
        place = held.tokens.places.index(each.source)
        goes = (each.table[None] == values[:, None]) | np.isnan(values)[:, None]
        found[place] = goes.astype(np.float64) * found.get(place, 1.0)
    return found

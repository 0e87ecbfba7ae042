"""The order in which training rows are seen: a function of seed and place, so that a place is all a resumed
training needs.

Slot g of the endless order is batch g // size, position g % size. Balanced: slot g shows label g % labels, and each
label's rows come in permutations of their own, so that every batch holds every label as often as its size allows.
Otherwise the rows come in permutations of all. Workers take neighbouring parts of a batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


class Order:
    """Which rows the batch at a place holds."""

    def __init__(self, labels: Places, seed: int, balanced: bool) -> None:
        """Plan an order over rows with these labels (int64[N], at least one row)."""
        kinds = np.unique(labels) if balanced else np.zeros(1, np.int64)
        self._members = [np.flatnonzero(labels == kind) if balanced else np.arange(len(labels)) for kind in kinds]
        self._seed = seed
        self._shuffled: dict[int, tuple[int, Places]] = {}

    def batch(self, place: int, size: int, rank: int = 0, workers: int = 1) -> Places:
        """int64[size / workers]: the rows that worker `rank` takes of the batch at `place`."""
        share = size // workers
        slots = place * size + rank * share + np.arange(share)
        kinds, turns = slots % len(self._members), slots // len(self._members)
        rows = np.empty(share, np.int64)
        for kind in range(len(self._members)):
            mine = kinds == kind
            if mine.any():
                rows[mine] = self._turns(kind, turns[mine])
        return rows

    def _turns(self, kind: int, turns: Places) -> Places:
        """The rows of one label at its own turns (rising)."""
        count = len(self._members[kind])
        epochs = turns // count
        rows = np.empty(len(turns), np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            mine = epochs == epoch
            rows[mine] = self._permutation(kind, epoch)[turns[mine] % count]
        return rows

    def _permutation(self, kind: int, epoch: int) -> Places:
        """The label's rows in their order of this epoch; the last one made is kept."""
        cached = self._shuffled.get(kind)
        if cached is None or cached[0] != epoch:
            random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self._seed, kind, epoch])))
            cached = (epoch, random.permutation(self._members[kind]))
            self._shuffled[kind] = cached
        return cached[1]

"""The same to all: the items that most users had. What every recommender must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.behaviour.judges.vectors import MOST_ITEMS, had
from synth.behaviour.rows import Items, Judge, Rows, catalogue_of
from synth.judges import Effort


@dataclass(frozen=True)
class Popularity:
    """How many users had each item of the catalogue."""

    catalogue: Items
    users: NDArray[np.float32]

    def scores(self, histories: Sequence[Items]) -> NDArray[np.float32]:
        """(N, catalogue): the same for each."""
        return np.repeat(self.users[None], len(histories), axis=0)


def fit_popularity(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Count."""
    catalogue = catalogue_of(rows, MOST_ITEMS)
    return Popularity(catalogue, np.asarray(had(rows.items, catalogue).sum(0), np.float32).reshape(-1))

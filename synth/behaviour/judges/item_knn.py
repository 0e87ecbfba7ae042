"""Items that the same users had, as neighbours of one another (Sarwar et al. 2001; Deshpande and Karypis 2004).

A user is recommended what lies near to the items that they had, the latest counting most. How many neighbours count,
how soon items are forgotten and how much popular items are held back is chosen on the training rows themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.behaviour.judges.vectors import MOST_ITEMS, had
from synth.behaviour.rows import Asked, Items, Judge, Rows, catalogue_of, gains, question, ranks
from synth.judges import Effort
from synth.judges.folds import folds, tuning_rows

Numbers = NDArray[np.float32]
FOLDS = 3
TUNING_ROWS = 2000
NEIGHBOURS = (30, 200)
HALF_LIVES = (5.0, 30.0, np.inf)  # items
HELD_BACK = (0.5, 0.8)  # the power of an item's users that its meetings are divided by; 0.5: the cosine
SHRUNK = 5.0  # meetings that are taken off, softly: few are chance
Way = tuple[int, float, float]  # neighbours, power, half-life
UNTUNED: Way = (200, 0.5, 30.0)  # where there is nobody to ask


@dataclass(frozen=True)
class ItemKnn:
    """How near items lie to one another, (catalogue, catalogue): from the one that was had to the one recommended."""

    catalogue: Items
    near: Numbers
    half_life: float

    def scores(self, histories: Sequence[Items]) -> Numbers:
        """(N, catalogue)."""
        return np.asarray(had(histories, self.catalogue, self.half_life) @ self.near, np.float32)


def fit_item_knn(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Choose the way on a part of the rows, then count on all."""
    told: dict[Way, float] = {}
    for learned, asked in _parts(rows.take(tuning_rows(rows, TUNING_ROWS)), seed):
        catalogue, met = _meetings(learned)
        for neighbours, power in itertools.product(NEIGHBOURS, HELD_BACK):
            near = _near(met, neighbours, power)
            for half_life in HALF_LIVES:
                found = float(gains(ranks(ItemKnn(catalogue, near, half_life), asked)).sum())
                told[neighbours, power, half_life] = told.get((neighbours, power, half_life), 0.0) + found
    neighbours, power, half_life = max(told, key=lambda way: told[way]) if told else UNTUNED
    catalogue, met = _meetings(rows)
    return ItemKnn(catalogue, _near(met, neighbours, power), half_life)


def _parts(rows: Rows, seed: int) -> list[tuple[Rows, list[Asked]]]:
    """(what is learnt from, what is asked) of each fold: collected users if there are any."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    parts = []
    for each in range(FOLDS):
        learned, held = rows.take(fold != each), np.flatnonzero((fold == each) & askable)
        if len(learned) and len(held):
            parts.append((learned, [question(rows.items[row]) for row in held.tolist()]))
    return parts


def _meetings(rows: Rows) -> tuple[Items, Numbers]:
    """(catalogue, how many users had both of two items; on the diagonal those who had the one)."""
    catalogue = catalogue_of(rows, MOST_ITEMS)
    users = had(rows.items, catalogue)
    return catalogue, (users.T @ users).toarray().astype(np.float32)


def _near(met: Numbers, neighbours: int, power: float) -> Numbers:
    """How near items lie to one another, each to so many others at most."""
    users = np.maximum(met.diagonal(), 1)
    near = met / (users[:, None] ** (1 - power) * users[None, :] ** power) * (met / (met + np.float32(SHRUNK)))
    np.fill_diagonal(near, 0)
    if neighbours < len(near):
        least = -np.partition(-near, neighbours - 1, axis=1)[:, neighbours - 1 : neighbours]
        near = np.where(near >= least, near, 0)
    return near.astype(np.float32)

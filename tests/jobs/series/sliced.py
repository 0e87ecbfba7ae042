"""Windows that are slices of one long pattern a class, made up for tests in which slices of slices must help."""

from __future__ import annotations

import numpy as np

from tests.jobs.series.made import STEPS, Window

LABELS = ("up", "down")
NOISE = 0.15


def sliced(count: int, first: int = 0) -> list[tuple[Window, str]]:
    """(window, label): the pattern of one label quickens, that of the other slows down; each slice is another part."""
    made = []
    for number in range(first, first + count):
        random, label = np.random.default_rng(number), LABELS[number % 2]
        share = random.uniform(0.5, 1)
        at = random.uniform(0, 1 - share) + share * np.linspace(0, 1, STEPS)
        turns = 2 * at + 1.5 * at**2 if label == "up" else 3.5 * at - 1.5 * at**2
        values = np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=1)
        values += NOISE * random.normal(size=values.shape)
        made.append(([float(value) for value in values.astype(np.float32).ravel().round(4)], label))
    return made

"""Judges' probabilities brought to other shares of the labels (Saerens et al. 2002).

So a plan that balances labels is not said to do harm for shifting them, which anybody can undo.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
LEAST_SHARE = 1e-6


def shares(labels: NDArray[np.int64], classes: int) -> Numbers:
    """float64[classes]."""
    return np.bincount(labels, minlength=classes) / max(len(labels), 1)


def shifted(said: Numbers, learned: Numbers, wanted: Numbers) -> Numbers:
    """Probabilities as if the label's shares had been those wanted."""
    weighed = said * (wanted / np.maximum(learned, LEAST_SHARE))
    total = weighed.sum(1, keepdims=True)
    return np.where(total > 0, weighed / np.maximum(total, LEAST_SHARE**2), said)

"""Options that are one number or a span."""

from __future__ import annotations

import numpy as np

from udfs.image.values import Floats
from udfs.options import Amount
from udfs.rng import RowRandom


def drawn(random: RowRandom, amount: Amount) -> Floats:
    """(N,): the amount itself, or a draw of each row's own where it is a span."""
    if isinstance(amount, int | float):
        return np.full(len(random), float(amount))
    return random.uniform(*amount)

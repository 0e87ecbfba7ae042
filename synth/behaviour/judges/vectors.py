"""Who had which item, as sparse rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from synth.behaviour.rows import Items, places_in

MOST_ITEMS = 5000  # of a catalogue: the most frequent ones


def had(users: Sequence[Items], catalogue: Items, half_life: float = np.inf) -> csr_matrix:
    """(N, catalogue) float32: 1 where a user had an item, halved for each `half_life` items that came after it."""
    places, weights, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)], [0]
    for items in users:
        known = places_in(catalogue, items)
        latest, back = np.unique(known[::-1], return_index=True)  # how many known items came after the last time
        places.append(latest)
        weights.append((0.5 ** (back / half_life)).astype(np.float32))
        ends.append(ends[-1] + len(latest))
    return csr_matrix((np.concatenate(weights), np.concatenate(places), np.array(ends)), (len(users), len(catalogue)))

"""Near copies without comparing all pairs: the same pairs as by comparing all, each once."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.tabular.near import close_pairs


@pytest.mark.parametrize("most", [1, 2, 3])
def test_bands_find_every_close_pair_once(most):
    random = np.random.default_rng(most)
    cells = random.integers(0, 4, (200, 9))
    cells[100:] = cells[:100]
    cells[100:][random.random((100, 9)) < 0.15] = 9
    found = []
    for band in range(most + 1):
        columns = list(range(band, 9, most + 1))
        _, block = np.unique(cells[:, columns], axis=0, return_inverse=True)
        for value in np.unique(block.reshape(-1)):
            rows = np.flatnonzero(block.reshape(-1) == value)
            found += [(int(rows[a]), int(rows[b]), apart) for a, b, apart in close_pairs(cells[rows], band, most)]
    apart = (cells[:, None] != cells[None]).sum(2)
    wanted = [(a, b, int(apart[a, b])) for a in range(200) for b in range(a + 1, 200) if apart[a, b] <= most]
    assert len(wanted) > 20
    assert sorted(found) == wanted

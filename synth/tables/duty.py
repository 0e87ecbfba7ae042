"""What the workers of score and evaluate do with tables: train one judge on some rows of some pools, and ask it.

Ray hands over the pools by reference; nothing here knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from synth.arms import Pool
from synth.duty import Duty
from synth.tables import judges
from synth.tables.rows import Judge, Numbers, Rows, joined
from udfs.table.form import Matrix

LEAST_SHARE = 1e-6


def rows_of(duty: Duty, pools: Mapping[str, Pool[Rows]]) -> Rows:
    """The rows that the judge learns from."""
    parts = [pools[name].rows if some is None else pools[name].rows.take(some) for name, some in duty.places.items()]
    return joined([part for part in parts if len(part)] or parts[:1])


def trained(duty: Duty, names: tuple[str, ...], *pools: Pool[Rows]) -> Judge:
    """Train the judge on pools of these names."""
    return judges.fit(duty.kind, rows_of(duty, dict(zip(names, pools, strict=True))), duty.effort, duty.seed)


def asked(duty: Duty, cells: Matrix, names: tuple[str, ...], *pools: Pool[Rows]) -> Numbers:
    """(N, width): what the judge, once trained, says of these cells."""
    return trained(duty, names, *pools).predict(cells)


def asked_evenly(duty: Duty, cells: Matrix, names: tuple[str, ...], *pools: Pool[Rows]) -> NDArray[np.float32]:
    """The same, its probabilities brought to the label's shares among the collected rows (Saerens et al. 2002).

    So a plan that balances labels is not said to do harm for shifting them, which anybody can undo.
    """
    rows = rows_of(duty, dict(zip(names, pools, strict=True)))
    said = judges.fit(duty.kind, rows, duty.effort, duty.seed).predict(cells)
    if not rows.question.classes or not rows.real_mask().any():
        return said.astype(np.float32)
    return _shifted(said, _shares(rows), _shares(rows.take(rows.real_mask()))).astype(np.float32)


def _shares(rows: Rows) -> Numbers:
    """float64[classes]."""
    return np.bincount(rows.labels, minlength=rows.question.width) / len(rows)


def _shifted(said: Numbers, learned: Numbers, wanted: Numbers) -> Numbers:
    """Probabilities as if the label's shares had been those wanted."""
    weighed = said * (wanted / np.maximum(learned, LEAST_SHARE))
    total = weighed.sum(1, keepdims=True)
    return np.where(total > 0, weighed / np.maximum(total, LEAST_SHARE**2), said)

"""What the workers of score and evaluate do with tables: train one judge on some rows of some pools, and ask it.

Ray hands over the pools by reference; nothing here knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from synth.arms import Pool
from synth.duty import Duty
from synth.priors import shares, shifted
from synth.tables import judges
from synth.tables.rows import Judge, Numbers, Rows, joined
from udfs.table.form import Matrix


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
    """The same, its probabilities brought to the label's shares among the collected rows."""
    rows = rows_of(duty, dict(zip(names, pools, strict=True)))
    said = judges.fit(duty.kind, rows, duty.effort, duty.seed).predict(cells)
    if not rows.question.classes or not rows.real_mask().any():
        return said.astype(np.float32)
    real = rows.take(rows.real_mask())
    width = rows.question.width
    return shifted(said, shares(rows.labels, width), shares(real.labels, width)).astype(np.float32)

"""What the workers of score and evaluate do with series: train one judge on some rows of some pools, and ask it.

Ray hands over the pools by reference; nothing here knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from synth.arms import Pool
from synth.duty import Duty
from synth.priors import shares, shifted
from synth.series import judges
from synth.series.rows import Judge, Numbers, Rows, Windows, joined


def rows_of(duty: Duty, pools: Mapping[str, Pool[Rows]]) -> Rows:
    """The rows that the judge learns from."""
    parts = [pools[name].rows if some is None else pools[name].rows.take(some) for name, some in duty.places.items()]
    return joined([part for part in parts if len(part)] or parts[:1])


def trained(duty: Duty, names: tuple[str, ...], *pools: Pool[Rows]) -> Judge:
    """Train the judge on pools of these names."""
    return judges.fit(duty.kind, rows_of(duty, dict(zip(names, pools, strict=True))), duty.effort, duty.seed)


def asked(duty: Duty, windows: Windows, names: tuple[str, ...], *pools: Pool[Rows]) -> Numbers:
    """(N, classes): what the judge, once trained, says of these windows."""
    return trained(duty, names, *pools).predict(windows)


def asked_evenly(duty: Duty, windows: Windows, names: tuple[str, ...], *pools: Pool[Rows]) -> NDArray[np.float32]:
    """The same, its probabilities brought to the label's shares among the collected rows."""
    rows = rows_of(duty, dict(zip(names, pools, strict=True)))
    said = judges.fit(duty.kind, rows, duty.effort, duty.seed).predict(windows)
    if not rows.real_mask().any():
        return said.astype(np.float32)
    real = rows.take(rows.real_mask())
    return shifted(said, shares(rows.labels, duty.classes), shares(real.labels, duty.classes)).astype(np.float32)

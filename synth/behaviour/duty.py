"""What the workers of score and evaluate do: train one recommender on some rows of some pools, and ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.arms import Pool
from synth.behaviour import judges
from synth.behaviour.rows import Asked, Rows, gains, hits, joined, ranks
from synth.decide import Losses
from synth.duty import Duty


def asked(duty: Duty, questions: Sequence[Asked], names: tuple[str, ...], *pools: Pool[Rows]) -> NDArray[np.float32]:
    """float32[N]: on which place the recommender, once trained, has the item that each user took."""
    rows = rows_of(duty, dict(zip(names, pools, strict=True)))
    return ranks(judges.fit(duty.kind, rows, duty.effort, duty.seed), questions).astype(np.float32)


def rows_of(duty: Duty, pools: Mapping[str, Pool[Rows]]) -> Rows:
    """The rows that the recommender learns from."""
    parts = [pools[name].rows if some is None else pools[name].rows.take(some) for name, some in duty.places.items()]
    return joined([part for part in parts if len(part)] or parts[:1])


def losses(said: Mapping[str, Sequence[NDArray[np.float32]]], rows: Any) -> Losses:
    """What is lost on each user, by judge: no hit among the first places, and what is missing to the best gain."""
    places = {judge: [each.astype(np.float64) for each in seeds] for judge, seeds in said.items()}
    wrong = {judge: np.stack([1 - hits(each) for each in seeds]) for judge, seeds in places.items()}
    missing = {judge: np.stack([1 - gains(each) for each in seeds]) for judge, seeds in places.items()}
    return Losses(wrong, missing)

"""What the workers of score and evaluate do: train one judge on some rows of some pools, and ask it.

Torch only; Ray hands over the pools by reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf import Config
from synth import judges
from synth.arms import Places, Pool
from synth.judges import Effort, Images, Judge, Rows, joined


@dataclass(frozen=True)
class Duty:
    """One judge to train: its kind, seed and effort, and what it learns from: places of pools (None: all of one)."""

    kind: str
    seed: int
    effort: Effort
    classes: int
    places: Mapping[str, Places | None]


def effort_of(config: Config, share: float = 1.0) -> Effort:
    """The recipe's effort, or a share of its steps."""
    told = config.recipe.evaluate
    return Effort(max(1, round(told.steps * share)), told.batch_size, config.runtime.judge.threads)


def trained(duty: Duty, names: tuple[str, ...], *pools: Pool) -> Judge:
    """Train the judge on pools of these names."""
    return judges.fit(
        duty.kind, rows_of(duty, dict(zip(names, pools, strict=True))), duty.classes, duty.effort, duty.seed
    )


def answered(duty: Duty, images: Images, names: tuple[str, ...], *pools: Pool) -> NDArray[np.float32]:
    """(N, classes): what the judge, once trained, says of these images."""
    return trained(duty, names, *pools).predict_proba(images).astype(np.float32)


def rows_of(duty: Duty, pools: Mapping[str, Pool]) -> Rows:
    """The rows that the judge learns from."""
    parts = [pools[name].rows if some is None else pools[name].rows.take(some) for name, some in duty.places.items()]
    return joined([part for part in parts if len(part)], duty.classes)

"""What the workers of score and evaluate do: train one judge on some rows of some pools, and ask it.

Ray hands over the pools by reference; nothing here knows of it. `package` is the modality's.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.schema import Recipe
from synth.arms import Pool
from synth.duty import Duty
from synth.priors import shares, shifted
from synth.ways import PACKAGES

Numbers = NDArray[np.float64]


def package_of(recipe: Recipe) -> str:
    """The package of a recipe's modality."""
    return PACKAGES[recipe.modality]


def part_of(package: str, part: str) -> ModuleType:
    """A module of the modality's package."""
    return importlib.import_module(f"{package}.{part}")


def rows_of(package: str, duty: Duty, pools: Mapping[str, Pool[Any]]) -> Any:
    """The rows that the judge learns from."""
    parts = [pools[name].rows if some is None else pools[name].rows.take(some) for name, some in duty.places.items()]
    return part_of(package, "rows").joined([part for part in parts if len(part)] or parts[:1])


def trained(package: str, duty: Duty, names: tuple[str, ...], *pools: Pool[Any]) -> Any:
    """Train the judge on pools of these names."""
    return _fitted(package, duty, rows_of(package, duty, dict(zip(names, pools, strict=True))))


def _fitted(package: str, duty: Duty, rows: Any) -> Any:
    return part_of(package, "judges").fit(duty.kind, rows, duty.effort, duty.seed)


def asked(package: str, duty: Duty, payload: Any, names: tuple[str, ...], *pools: Pool[Any]) -> Numbers:
    """(N, classes): what the judge, once trained, says of rows of this payload."""
    said: Numbers = trained(package, duty, names, *pools).predict(payload)
    return said


def asked_evenly(
    package: str, duty: Duty, payload: Any, names: tuple[str, ...], *pools: Pool[Any]
) -> NDArray[np.float32]:
    """The same, its probabilities brought to the label's shares among the collected rows; without classes as it is."""
    rows = rows_of(package, duty, dict(zip(names, pools, strict=True)))
    said = _fitted(package, duty, rows).predict(payload)
    if not duty.classes or not rows.real_mask().any():
        return said.astype(np.float32)
    real = rows.take(rows.real_mask())
    return shifted(said, shares(rows.labels, duty.classes), shares(real.labels, duty.classes)).astype(np.float32)

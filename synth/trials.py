"""Which judges evaluate trains, whatever the modality, and what their errors on test rows come to.

The arms: `real` (the rows that came with their labels), `labelled` (with those that judges labelled), `augmented`
(with the accepted augmented rows), `all` (with the accepted generated rows as well) and `synthetic` (generated rows
alone). Beside them the learning curve of real rows, from which the headline is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf import Config
from synth.arms import Places, Pool
from synth.duty import Duty, effort_of
from synth.worth import Numbers, curve_sizes, drawn, gain, headline, nested

ARMS = {
    "real": ("given",),
    "labelled": ("given", "labelled"),
    "augmented": ("given", "labelled", "augmented"),
    "all": ("given", "labelled", "augmented", "synthetic"),
    "synthetic": ("synthetic",),
}
NEEDS = {"labelled": "labelled", "augmented": "augmented", "all": "synthetic", "synthetic": "synthetic"}
REAL = ("given", "labelled")


@dataclass(frozen=True)
class Task:
    """One judge: of which kind, for which arm or point of the curve, from which seed."""

    kind: str
    arm: str
    seed: int


def arms_of(pools: Mapping[str, Pool]) -> list[str]:
    """The arms that there are rows for."""
    return [arm for arm in ARMS if arm == "real" or len(pools.get(NEEDS[arm], ()))]


def duties(config: Config, pools: Mapping[str, Pool], arms: Sequence[str], bound: int) -> dict[Task, Duty]:
    """Every judge that is to be trained, of the recipe's kinds and seeds; at most `bound` rows an arm."""
    told, classes, effort = config.recipe.evaluate, len(config.recipe.labels), effort_of(config)
    places = {arm: arm_places(pools, arm, bound) for arm in arms}
    found: dict[Task, Duty] = {}
    for kind in told.judges:
        for seed in range(told.seeds):
            for arm in arms:
                found[Task(kind, arm, seed)] = Duty(kind, config.recipe.seed + seed, effort, classes, places[arm])
            for size in sizes(config, pools):
                if size != len(pools["given"]):
                    some = _curve_places(pools, size, seed)
                    found[Task(kind, point(size), seed)] = Duty(kind, config.recipe.seed + seed, effort, classes, some)
    return found


def arm_places(pools: Mapping[str, Pool], arm: str, bound: int) -> dict[str, Places | None]:
    """The arm's rows: within the bound all real ones, and an equal share of each kind of made ones."""
    names = [name for name in ARMS[arm] if len(pools.get(name, ()))]
    made = [name for name in names if name not in REAL]
    left = max(bound - sum(len(pools[name]) for name in names if name in REAL), bound // 2)
    share = min(1.0, left / max(sum(len(pools[name]) for name in made), 1))
    return {name: np.arange(round(share * len(pools[name]))) if name in made and share < 1 else None for name in names}


def sizes(config: Config, pools: Mapping[str, Pool]) -> list[int]:
    """Numbers of real rows that the learning curve is measured at."""
    train, reserve = len(pools["given"]), len(pools["reserve"])
    return curve_sizes(train, reserve, config.recipe.evaluate.curve_points, len(config.recipe.labels))


def _curve_places(pools: Mapping[str, Pool], size: int, seed: int) -> dict[str, Places | None]:
    """A nested set of real rows: train rows first, then the reserve."""
    train = len(pools["given"])
    labels = np.concatenate([pools["given"].rows.labels, pools["reserve"].rows.labels])
    places = nested(labels, train, size, seed)
    more = places[places >= train] - train
    return {"given": places[places < train], **({"reserve": more} if len(more) else {})}


def point(size: int) -> str:
    """The name of a point of the learning curve."""
    return f"curve.{size}"


def answers_of(
    config: Config, pools: Mapping[str, Pool], arms: Sequence[str], kind: str, said: Mapping[Task, Any]
) -> dict[str, list[Any]]:
    """What judges of this kind said, by arm and point of the curve, one answer a seed."""
    found = {
        arm: [said[Task(kind, arm, seed)] for seed in range(config.recipe.evaluate.seeds)]
        for arm in (*arms, *map(point, sizes(config, pools)))
        if Task(kind, arm, 0) in said
    }
    return found | {point(len(pools["given"])): found["real"]}


def compared(
    config: Config, pools: Mapping[str, Pool], arms: Sequence[str], kind: str, errors: Mapping[str, Numbers]
) -> dict[str, Any]:
    """The `gain` of each arm over real rows, the learning `curve` and, where there is a grown set, its `headline`.

    `errors` is float64[seeds, rows] of each arm and point: what each test row adds to the mean that is the error.
    """
    overlapping = config.recipe.modality == "series"  # windows of one stretch of time tell much the same
    found = drawn(errors, config.recipe.seed, pools["test"].rows.group_codes() if overlapping else None)
    at = sizes(config, pools)
    told: dict[str, Any] = {
        "gain": {arm: gain(found, arm) for arm in arms if arm != "real"},
        "curve": {"rows": at, "error": [errors[point(size)].mean(1).tolist() for size in at]},
    }
    grown = grown_arm(config, arms)
    if grown and len(at) > 1:
        told["headline"] = headline(found, at, grown, kind, len(pools["given"]))
    return told


def grown_arm(config: Config, arms: Sequence[str]) -> str | None:
    """The arm that is the published dataset."""
    wanted = ["synthetic"] if config.recipe.publish == "synthetic_only" else ["all", "augmented", "labelled"]
    return next((arm for arm in wanted if arm in arms), None)


def rows_in(pools: Mapping[str, Pool], arm: str) -> int:
    """How many rows an arm has, those that a bound left out included."""
    return sum(pools[name].total for name in ARMS[arm] if name in pools)

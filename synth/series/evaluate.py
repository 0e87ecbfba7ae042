"""Evaluate for series: what made windows are worth to judges, how like the real ones they are, what they give away.

Worth is that of all labelled rows: trained on made windows alone and tested on real ones is the arm `synthetic`. Each
measure of likeness stands beside its ceiling, other real windows in the place of made ones. The recurrent nets of
published tables (synth/series/timegan_protocol.py) train for minutes and see less than gradient boosting does: they are
run by the benchmark alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from conf import Config
from conf.runs import Place
from synth.arms import Pool
from synth.labelled import evaluate as labelled
from synth.series.likeness import privacy_of, quality_of
from synth.series.looks import looks
from synth.series.rows import Rows
from synth.series.two_sample import told_apart
from synth.spread import shared, spread

MOST_TOLD = 10_000  # windows of a set that boosting looks at
CEILING = "ceiling"
Pools = dict[str, Pool[Rows]]


def measured(config: Config, place: Place) -> tuple[dict[str, Any], Pools, int]:
    """(evaluate.json, the rows, how many judges were trained)."""
    told, pools, judges = labelled.measured(config, place)
    made = _made(config, place, pools)
    return told | _likenesses(config, pools, made), pools, judges


def _made(config: Config, place: Place, pools: Pools) -> Pools:
    """The accepted windows of each generator."""
    found = {}
    for each in config.recipe.generate:
        done = place.inputs.get(f"sample.{each.name}")
        if done is not None:
            maker, synthetic = done.outputs["maker"], pools["synthetic"]
            own = [at for at, row in enumerate(synthetic.ids) if row.startswith(maker)]
            found[each.name] = synthetic.take(np.array(own, np.int64))
    return found


def _likenesses(config: Config, pools: Pools, made: Pools) -> dict[str, Any]:
    """All measures, and what the report draws, as tasks."""
    refs = {name: shared(pools[name]) for name in ("given", "val", "test", "augmented")}
    jobs: dict[tuple[str, str], tuple[Any, ...]] = {}
    for name, pool in {CEILING: pools["test"], **made}.items():
        ceiling = name == CEILING
        ours, others = (refs["test"], refs["val"]) if ceiling else (shared(pool), refs["test"])
        jobs["quality", name] = (quality, ours, refs["given"], others)
        jobs["privacy", name] = (privacy, ours, refs["given"], others)
        stands = refs["val"] if ceiling else ours
        jobs["two_sample", name] = (apart, stands, refs["given"], refs["test"], config.recipe.seed)
    form = config.recipe.series
    assert form is not None
    drawn = {name: shared(pool) for name, pool in made.items()}
    sets = (refs["given"], refs["test"], refs["augmented"], *drawn.values())
    names = ("train", "test", "augmented", *drawn)
    jobs["series", ""] = (seen, names, list(form.channels), config.recipe.seed, *sets)
    keys, found = list(jobs), dict[str, dict[str, Any]]()
    for number, answer in spread(called, list(jobs.values()), config):
        if answer is not None:
            found.setdefault(keys[number][0], {})[keys[number][1]] = answer
    series = found.pop("series", {}).get("", {})
    return {kind: dict(sorted(told.items(), key=_ceiling_first)) for kind, told in found.items()} | {"series": series}


def _ceiling_first(pair: tuple[str, Any]) -> tuple[bool, str]:
    return pair[0] != CEILING, pair[0]


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """One task of any kind."""
    return function(*arguments)


def quality(made: Pool[Rows], train: Pool[Rows], test: Pool[Rows]) -> dict[str, Any] | None:
    """A worker's `quality_of`."""
    return quality_of(made.rows.windows, train.rows.windows, test.rows.windows)


def privacy(made: Pool[Rows], train: Pool[Rows], held_out: Pool[Rows]) -> dict[str, Any] | None:
    """A worker's `privacy_of`."""
    return privacy_of(made.rows.windows, train.rows.windows, held_out.rows.windows)


def apart(made: Pool[Rows], train: Pool[Rows], test: Pool[Rows], seed: int) -> dict[str, float] | None:
    """A worker's `told_apart`."""
    ours, known, unseen = (pool.rows.windows[:MOST_TOLD] for pool in (made, train, test))
    return told_apart(ours, known, unseen, seed, made.rows.group_codes()[:MOST_TOLD])


def seen(names: tuple[str, ...], channels: list[str], seed: int, *pools: Pool[Rows]) -> dict[str, Any]:
    """A worker's `looks`."""
    sets: Mapping[str, Any] = {name: pool.rows.windows for name, pool in zip(names, pools, strict=True)}
    return looks(dict(sets), channels, seed)

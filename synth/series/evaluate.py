"""Evaluate for series: what the made rows are worth to judges on real test rows.

The arms and the learning curve are those of synth/trials.py, the measures those of any classes (synth/tables/metrics).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conf import Config, runs
from conf.progress import progress
from conf.runs import Place
from synth.arms import Pool, parents_of
from synth.duty import Duty
from synth.encode import list_files
from synth.series.duty import asked
from synth.series.pools import read_pool, real_pool, row_bound
from synth.series.rows import Rows
from synth.spread import shared, spread
from synth.tables.told import answers_told
from synth.trials import Task, arms_of, duties

Pools = dict[str, Pool[Rows]]


def measured(config: Config, place: Place) -> tuple[dict[str, Any], Pools, int]:
    """(evaluate.json, the rows, how many judges were trained)."""
    pools = _pools(config, place)
    arms = arms_of(pools)
    wanted = duties(config, pools, arms, row_bound(config))
    return answers_told(config, pools, arms, _answers(config, pools, wanted)), pools, len(wanted)


def _pools(config: Config, place: Place) -> Pools:
    """All rows that are needed, by what they are."""
    real = runs.real_in(place).folder
    accepted = f"{place.inputs['gate'].folder}/accepted" if "gate" in place.inputs else ""
    given = real_pool(real, "train", config)
    files = list_files(accepted) if accepted else []
    made = {origin: read_pool(files, config, parents_of(given), origin=origin) for origin in ("augmented", "synthetic")}
    return {"given": given, **made, **{split: real_pool(real, split, config) for split in ("val", "test", "reserve")}}


def _answers(config: Config, pools: Pools, wanted: Mapping[Task, Duty]) -> dict[Task, Any]:
    """Train all judges as tasks, and ask each the test rows, once."""
    refs = {name: shared(pool) for name, pool in pools.items()}
    windows = shared(pools["test"].rows.windows)
    tasks = list(wanted)
    jobs = []
    for task in tasks:
        names = tuple(wanted[task].places)
        jobs.append((wanted[task], windows, names, *(refs[name] for name in names)))
    said: dict[Task, Any] = {}
    with progress("evaluate", len(jobs), "judges") as bar:
        for number, answer in spread(asked, jobs, config):
            said[tasks[number]] = answer
            bar.advance()
    return said

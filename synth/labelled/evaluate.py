"""Evaluate for labelled rows: what the made rows are worth to judges on real test rows.

The arms and the learning curve are those of synth/trials.py, the measures those of synth/labelled/measures.py.
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
from synth.labelled.duty import asked, package_of
from synth.labelled.measures import measures_of
from synth.spread import shared, spread
from synth.tables.told import answers_told
from synth.trials import Task, arms_of, duties
from synth.ways import way_of

Pools = dict[str, Pool[Any]]


def measured(config: Config, place: Place) -> tuple[dict[str, Any], Pools, int]:
    """(evaluate.json, the rows, how many judges were trained)."""
    pools = _pools(config, place)
    arms = arms_of(pools)
    wanted = duties(config, pools, arms, way_of(config.recipe, "pools").row_bound(config))
    said = _answers(config, pools, wanted)
    return answers_told(config, pools, arms, said, measures_of(config.recipe)), pools, len(wanted)


def _pools(config: Config, place: Place) -> Pools:
    """All rows that are needed, by what they are."""
    real, part = runs.real_in(place).folder, way_of(config.recipe, "pools")
    accepted = f"{place.inputs['gate'].folder}/accepted" if "gate" in place.inputs else ""
    given = part.real_pool(real, "train", config)
    files = list_files(accepted) if accepted else []
    made = {
        origin: part.read_pool(files, config, parents_of(given), origin=origin) for origin in ("augmented", "synthetic")
    }
    return {
        "given": given,
        **made,
        **{split: part.real_pool(real, split, config) for split in ("val", "test", "reserve")},
    }


def _answers(config: Config, pools: Pools, wanted: Mapping[Task, Duty]) -> dict[Task, Any]:
    """Train all judges as tasks, and ask each the test rows, once."""
    refs = {name: shared(pool) for name, pool in pools.items()}
    payload, package = shared(pools["test"].rows.payload), package_of(config.recipe)
    tasks = list(wanted)
    jobs = []
    for task in tasks:
        names = tuple(wanted[task].places)
        jobs.append((package, wanted[task], payload, names, *(refs[name] for name in names)))
    said: dict[Task, Any] = {}
    with progress("evaluate", len(jobs), "judges") as bar:
        for number, answer in spread(asked, jobs, config):
            said[tasks[number]] = answer
            bar.advance()
    return said

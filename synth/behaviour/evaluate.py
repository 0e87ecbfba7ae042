"""Evaluate for behaviour: what made users are worth to recommenders, asked for the last new item of real test users.

The arms and the learning curve are those of synth/trials.py. A test user is nobody that a recommender has learnt from:
it is told what they had before, and ranks all other items. The error is what is missing to a perfect NDCG@10; hit rates
stand beside it, and what the most popular items reach without any learning of taste.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from conf import Config, runs
from conf.progress import progress
from conf.runs import Place
from synth.arms import Pool, parents_of
from synth.behaviour.duty import asked
from synth.behaviour.likeness import likeness
from synth.behaviour.pools import read_pool, real_pool, row_bound
from synth.behaviour.rows import TOP, Rows, gains, hits
from synth.behaviour.verdicts import closeness
from synth.duty import Duty, effort_of
from synth.encode import list_files
from synth.spread import shared, spread
from synth.trials import Task, answers_of, arms_of, compared, duties, rows_in
from udfs.records import MAKER_HEX

ERROR = f"1 - NDCG@{TOP}"
FLOOR = Task("popularity", "real", 0)  # what needs no learning
Pools = dict[str, Pool[Rows]]


def measured(config: Config, place: Place) -> tuple[dict[str, Any], Pools, int]:
    """(evaluate.json, the rows, how many recommenders were trained)."""
    pools = _pools(config, place)
    arms = arms_of(pools)
    wanted = duties(config, pools, arms, row_bound(config))
    floor = Duty(FLOOR.kind, config.recipe.seed, effort_of(config), 0, {"given": None})
    said = _answers(config, pools, {**wanted, FLOOR: floor})
    return _told(config, pools, arms, said) | _looks(config, place, pools), pools, len(wanted)


def _pools(config: Config, place: Place) -> Pools:
    """All rows that are needed, by what they are."""
    real = runs.real_in(place).folder
    accepted = f"{place.inputs['gate'].folder}/accepted" if "gate" in place.inputs else ""
    given = real_pool(real, "train", config)
    files, parents = list_files(accepted) if accepted else [], parents_of(given)
    made = {origin: read_pool(files, config, parents, origin=origin) for origin in ("augmented", "synthetic")}
    others = {split: real_pool(real, split, config) for split in ("val", "test", "reserve")}
    return {"given": given, **made, **others}


def _answers(config: Config, pools: Pools, wanted: Mapping[Task, Duty]) -> dict[Task, Any]:
    """Train all recommenders as tasks, and ask each of the test users, once."""
    refs, questions = {name: shared(pool) for name, pool in pools.items()}, shared(pools["test"].rows.payload)
    tasks = list(wanted)
    jobs = []
    for task in tasks:
        names = tuple(wanted[task].places)
        jobs.append((wanted[task], questions, names, *(refs[name] for name in names)))
    said: dict[Task, Any] = {}
    with progress("evaluate", len(jobs), "judges") as bar:
        for number, answer in spread(asked, jobs, config):
            said[tasks[number]] = answer.astype(np.float64)
            bar.advance()
    return said


def _told(config: Config, pools: Pools, arms: Sequence[str], said: Mapping[Task, Any]) -> dict[str, Any]:
    """Judges, gains, curves and headline."""
    told: dict[str, Any] = {"judges": {}, "gain": {}, "curve": {}, "headlines": {}, "error": ERROR}
    for kind in config.recipe.evaluate.judges if len(pools["test"]) else []:
        answers = answers_of(config, pools, arms, kind, said)
        errors = {arm: np.stack([1 - gains(each) for each in seeds]) for arm, seeds in answers.items()}
        told["judges"][kind] = {
            arm: {
                "rows": rows_in(pools, arm),
                "error": errors[arm].mean(1).tolist(),
                "hit_rate": [float(hits(each).mean()) for each in answers[arm]],
                "ndcg": [float(gains(each).mean()) for each in answers[arm]],
            }
            for arm in arms
        }
        found = compared(config, pools, arms, kind, errors)
        told["gain"][kind], told["curve"][kind] = found["gain"], found["curve"]
        if "headline" in found:
            told["headlines"][kind] = found["headline"]
    told["headline"] = next(iter(told["headlines"].values()), None)
    floor = said[FLOOR]
    if len(floor):
        told["floor"] = {"hit_rate": float(hits(floor).mean()), "ndcg": float(gains(floor).mean())}
    return told


def _looks(config: Config, place: Place, pools: Pools) -> dict[str, Any]:
    """Quality and privacy of each generator's users, and of augmented ones; the ceiling is what train users reach."""
    train, val, test = (pools[name].rows for name in ("given", "val", "test"))
    told: dict[str, dict[str, Any]] = {"quality": {}, "privacy": {}}
    made = {"ceiling": val, "augmented": pools["augmented"].rows}
    for generator in config.recipe.generate:
        done = place.inputs.get(f"sample.{generator.name}")
        maker = done.outputs["maker"] if done else ""
        ids = pools["synthetic"].ids
        own = np.array([at for at, row in enumerate(ids) if row[:MAKER_HEX] == maker], np.int64)
        made[generator.name] = pools["synthetic"].rows.take(own)
        near = closeness(made[generator.name], train, val)
        if near is not None:
            told["privacy"][generator.name] = near
    for name, rows in made.items():
        found = likeness(rows, test, train)
        if found is not None:
            told["quality"][name] = found
    return told


__all__ = ["measured"]

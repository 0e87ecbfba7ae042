"""Evaluate for tables: what the made rows are worth to judges, how like the real ones they are, what they give away.

The arms `real` (trained on real rows, tested on real ones), `synthetic` (trained on made rows alone) and `all` (on
both) are asked the test rows by every judge. Each measure stands beside its ceiling: real train rows against real test
rows. Two-sample tests look at MOST_TOLD rows a side at most, of the lowest hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conf import Config, runs
from conf.progress import progress
from conf.runs import Place
from synth.arms import Pool, parents_of
from synth.duty import Duty, effort_of
from synth.encode import list_files
from synth.judges import Effort
from synth.spread import shared, spread
from synth.tables import looks
from synth.tables.duty import asked
from synth.tables.likeness import made_by, privacy_of, quality_of
from synth.tables.metrics import focus_of, lopsided
from synth.tables.pools import form_of, read_pool, real_pool, row_bound, statistics_of
from synth.tables.remedies import LOPSIDED, Trial, compare_remedies
from synth.tables.rows import Rows
from synth.tables.told import answers_told
from synth.tables.two_sample import KINDS, two_sample
from synth.trials import Task, arms_of, duties
from udfs.table.form import TableForm
from udfs.table.statistics import Statistics

MOST_TOLD = 10_000
Pools = dict[str, Pool[Rows]]
SLOW = ("mlp", "boosting", "logistic")


def pools_of(config: Config, place: Place, form: TableForm) -> Pools:
    """All rows that are needed, by what they are."""
    real = runs.real_in(place).folder
    accepted = f"{place.inputs['gate'].folder}/accepted" if "gate" in place.inputs else ""
    given = real_pool(real, "train", config, form)
    files = list_files(accepted) if accepted else []
    made = {
        origin: read_pool(files, config, form, parents_of(given), origin=origin)
        for origin in ("augmented", "synthetic")
    }
    others = {split: real_pool(real, split, config, form) for split in ("val", "test", "reserve")}
    return {"given": given, **made, **others}


def measured(config: Config, place: Place) -> tuple[dict[str, Any], Pools, int]:
    """(evaluate.json, the rows, how many judges were trained)."""
    form = form_of(config, place.inputs["normalize"])
    pools = pools_of(config, place, form)
    arms = arms_of(pools)
    wanted = duties(config, pools, arms, row_bound(config, form))
    said, found = _all_answers(config, place, form, pools, wanted)
    told = answers_told(config, pools, arms, said) | found
    return told | _seen(form, pools, _generators(config, place, pools)), pools, len(wanted)


def _all_answers(
    config: Config, place: Place, form: TableForm, pools: Pools, wanted: Mapping[Task, Duty]
) -> tuple[dict[Task, Any], dict[str, Any]]:
    """Every judge's answers to the test rows, and all measures of likeness: tasks side by side, the long ones first."""
    refs = {name: shared(pool) for name, pool in pools.items()}
    cells = shared(pools["test"].rows.cells)
    jobs = _remedies(config, form, pools, refs)
    for task in sorted(wanted, key=lambda task: SLOW.index(task.kind)):
        names = tuple(wanted[task].places)
        jobs[task] = (asked, wanted[task], cells, names, *(refs[name] for name in names))
    jobs |= _likenesses(config, place, form, pools, refs)
    keys, said, found = list(jobs), {}, dict[str, Any]()
    with progress("evaluate", len(jobs), "judges") as bar:
        for number, answer in spread(called, list(jobs.values()), config):
            key = keys[number]
            if isinstance(key, Task):
                said[key] = answer
            elif answer is not None:
                found.setdefault(key[0], {})[key[1]] = answer
            bar.advance()
    remedies = found.pop("lopsided", {}).get("", None)
    ordered = {kind: {name: told[name] for name in sorted(told, key=_ceiling_first)} for kind, told in found.items()}
    return said, ordered | {"lopsided": remedies}


def _ceiling_first(name: str) -> tuple[bool, str]:
    return name != "ceiling", name


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """One task of any kind."""
    return function(*arguments)


def _generators(config: Config, place: Place, pools: Pools) -> dict[str, Pool[Rows]]:
    """The accepted rows of each generator."""
    found = {}
    for each in config.recipe.generate:
        done = place.inputs.get(f"sample.{each.name}")
        if done is not None:
            found[each.name] = made_by(pools["synthetic"], done.outputs["maker"])
    return found


def _likenesses(
    config: Config, place: Place, form: TableForm, pools: Pools, refs: Mapping[str, Any]
) -> dict[Any, tuple[Any, ...]]:
    """Measures of each generator's rows, and of test rows in their place for the ceiling."""
    effort, seed = effort_of(config), config.recipe.seed
    statistics = statistics_of(place.inputs["normalize"])
    jobs: dict[Any, tuple[Any, ...]] = {}
    for name, pool in {"ceiling": pools["test"], **_generators(config, place, pools)}.items():
        made = refs["test"] if name == "ceiling" else shared(pool)
        others = refs["val"] if name == "ceiling" else refs["test"]
        jobs["quality", name] = (quality, made, refs["given"], others, form)
        jobs["privacy", name] = (privacy, made, refs["given"], others, form, statistics)
        for kind in KINDS:
            jobs["two_sample", f"{name}|train|{kind}"] = (told_apart, kind, made, refs["given"], form, effort, seed)
            if name != "ceiling":
                jobs["two_sample", f"{name}|test|{kind}"] = (told_apart, kind, made, refs["test"], form, effort, seed)
    return jobs


def quality(made: Pool[Rows], train: Pool[Rows], test: Pool[Rows], form: TableForm) -> dict[str, Any] | None:
    """A worker's `quality_of`."""
    return quality_of(made.rows, train.rows, test.rows, form)


def privacy(
    made: Pool[Rows], train: Pool[Rows], held_out: Pool[Rows], form: TableForm, statistics: Statistics
) -> dict[str, Any] | None:
    """A worker's `privacy_of`."""
    return privacy_of(made.rows, train.rows, held_out.rows, form, statistics)


def told_apart(
    kind: str, made: Pool[Rows], real: Pool[Rows], form: TableForm, effort: Effort, seed: int
) -> dict[str, float] | None:
    """A worker's `two_sample`."""
    return two_sample(kind, made.rows, real.rows, form, effort, MOST_TOLD, seed)


def _remedies(config: Config, form: TableForm, pools: Pools, refs: Mapping[str, Any]) -> dict[Any, tuple[Any, ...]]:
    """Where a class is rare: which remedy helps it."""
    rows = pools["given"].rows
    if not rows.question.classes or not lopsided(rows.labels, LOPSIDED) or not len(pools["val"]):
        return {}
    _, rare = focus_of(rows.question.classes, None, rows.labels)
    names = ("given", "synthetic", "val", "test")
    pack = (remedied, rare, form, effort_of(config), config.recipe.seed, *(refs[name] for name in names))
    return {("lopsided", ""): pack}


def remedied(
    rare: int,
    form: TableForm,
    effort: Effort,
    seed: int,
    train: Pool[Rows],
    made: Pool[Rows],
    val: Pool[Rows],
    test: Pool[Rows],
) -> dict[str, Any]:
    """A worker's `compare_remedies`."""
    trial = Trial(train.rows, made.rows if len(made) else None, rare, form, effort)
    return compare_remedies(trial, val.rows, test.rows, seed)


def _seen(form: TableForm, pools: Pools, generators: Mapping[str, Pool[Rows]]) -> dict[str, Any]:
    """What the report draws: columns, associations, rows on a plane."""
    sets = {"train": pools["given"].rows.matrix, "test": pools["test"].rows.matrix}
    sets |= {name: pool.rows.matrix for name, pool in generators.items() if len(pool)}
    if len(pools["augmented"]):
        sets["augmented"] = pools["augmented"].rows.matrix
    real = looks.associations(form, sets["train"])
    off = {name: (looks.associations(form, matrix) - real).round(3).tolist() for name, matrix in sets.items()}
    return {
        "columns": looks.histograms(form, sets),
        "associations": {"columns": looks.names(form), "train": real.round(3).tolist(), "difference": off},
        "projection": looks.projection(form, sets),
    }

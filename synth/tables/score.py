"""Score for tables: verdicts on every staged row, and whether rows like them are of use.

One task and one file of verdicts for each staged file; then judges with and without the rows that passed are compared
on val (synth/usefulness.py), their losses wrong answers and Brier scores, or squared errors where the label is a
number. Of the real rows train and val are all that is read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf import Config, runs
from conf.progress import Bar
from conf.runs import Place
from synth.arms import Pool, cut_at, parents_of
from synth.decide import Losses
from synth.decide import losses as of_classes
from synth.duty import Duty
from synth.encode import list_files, read_rows
from synth.spread import gathered, shared, spread
from synth.tables.duty import asked_evenly
from synth.tables.likelihood import likelihood_of
from synth.tables.metrics import variance
from synth.tables.pools import form_of, merged, real_pool, row_bound, to_pool
from synth.tables.rows import Rows
from synth.tables.verdicts import FLAGS, Bench, bench, judge_rows, least_likelihood, passing
from synth.usefulness import AUGMENT, TRAIN, Ask, Said, usefulness
from udfs import records

PART_ROWS = 20_000  # judged at a time
Passed = dict[str, Pool[Rows]]  # of each stage that made rows, by its key: those that passed one by one


def judged(config: Config, place: Place, bar: Bar) -> tuple[dict[str, Any], dict[str, Any]]:
    """(counts, usefulness.json): verdicts on all staged rows are written, and rows that passed are tried."""
    form = form_of(config, place.inputs["normalize"])
    real = runs.real_in(place).folder
    train, val = (real_pool(real, split, config, form) for split in ("train", "val"))
    against = bench(train, val, form, config)
    counts, passed = _verdicts(config, place, against)
    ask = _asking(config, {TRAIN: train, **passed}, val, bar)
    return counts, usefulness(config, val, passed, ask, losses_of)


def losses_of(said: Said, rows: Rows) -> Losses:
    """By judge: wrong answers and Brier scores; of numbers squared errors, as shares of the labels' variance."""
    if rows.question.classes:
        return of_classes(said, rows.labels)
    targets = rows.targets
    squared = {
        judge: np.stack([(each[:, 0] - targets) ** 2 for each in seeds]) / variance(targets)
        for judge, seeds in said.items()
    }
    return Losses(squared, squared)


def _asking(config: Config, pools: Mapping[str, Pool[Rows]], val: Pool[Rows], bar: Bar) -> Ask:
    """Train judges as tasks; the pools are handed over once."""
    refs = {name: shared(pool) for name, pool in pools.items()}
    cells = shared(val.rows.cells)

    def ask(duties: Sequence[Duty]) -> list[Any]:
        jobs = [(duty, cells, tuple(duty.places), *(refs[name] for name in duty.places)) for duty in duties]
        answers: dict[int, Any] = {}
        for number, answer in spread(asked_evenly, jobs, config):
            answers[number] = answer
            bar.advance()
        return [answers[number] for number in range(len(jobs))]

    return ask


def _verdicts(config: Config, place: Place, against: Bench) -> tuple[dict[str, Any], Passed]:
    """Write the verdicts on all staged files; returns counts and the rows that passed, within the judges' bound."""
    keys = [key for key in place.inputs if key == AUGMENT or key.startswith("sample.")]
    files = {key: list_files(f"{place.inputs[key].folder}/rows") for key in keys}
    folder, reference = f"{place.folder}/verdicts", shared(against)
    told = [(key, f"{key}-{number:05d}.parquet", file) for key in keys for number, file in enumerate(files[key])]
    runs.clear(folder, {name for _, name, _ in told})
    bound = row_bound(config, against.form)
    cuts = {key: cut_at(bound / max(place.inputs[key].counts.get("staged") or 1, 1)) for key in keys}
    models = {key: _model(place, key) for key in keys}
    least = dict(zip(keys, gathered(least_of, [(models[key], reference, config) for key in keys], config), strict=True))
    jobs = [(file, folder, name, reference, models[key], least[key], config, cuts[key]) for key, name, file in told]
    answers = gathered(judge_file, jobs, config)
    counts: dict[str, Any] = {"rows": 0}
    for each, _ in answers:
        for name, number in each.items():
            counts[name] = counts.get(name, 0) + number
    counts["hash_sum"] = counts.get("hash_sum", 0) % runs.HASH_MODULUS
    by_key = {key: [pool for (own, _, _), (_, pool) in zip(told, answers, strict=True) if own == key] for key in keys}
    return counts, {key: merged(pools, against.form) for key, pools in by_key.items()}


def _model(place: Place, key: str) -> str | None:
    """The checkpoint that made a stage's rows; None for augmented ones."""
    trained = place.inputs.get(f"train.{key.partition('.')[2]}")
    return None if trained is None else f"{trained.folder}/checkpoint"


def least_of(model: str | None, against: Bench, config: Config) -> float:
    """The log-likelihood below which a row of this model is unlikely."""
    likelihood = None if model is None else likelihood_of(model, config.runtime.judge.threads)
    share = config.recipe.gate.min_likelihood_quantile
    return -np.inf if likelihood is None else least_likelihood(likelihood, against.train.rows.matrix, share)


def judge_file(
    file: str, folder: str, name: str, against: Bench, model: str | None, least: float, config: Config, cut: str | None
) -> tuple[dict[str, int], Pool[Rows]]:
    """Judge a staged file's rows and write their verdicts; returns counts and, below `cut`, the rows that passed."""
    likelihood = None if model is None else likelihood_of(model, config.runtime.judge.threads)
    table = read_rows([file])
    slices = [table.slice(at, PART_ROWS) for at in range(0, max(table.num_rows, 1), PART_ROWS)]
    told = pa.concat_tables([judge_rows(each, against, likelihood, least) for each in slices])
    sink = io.BytesIO()
    pq.write_table(told, sink, compression="zstd")
    runs.write_bytes(folder, name, sink.getvalue())
    passed = to_pool(table.filter(passing(told, config.recipe.gate)), against.form, parents_of(against.train))
    counts = {flag: int(pc.sum(told.column(flag)).as_py() or 0) for flag in FLAGS}
    hashes = sum(int(each, 16) for each in records.row_hashes(told).to_pylist()) % runs.HASH_MODULUS
    return {"rows": told.num_rows, "passed": len(passed), "hash_sum": hashes, **counts}, passed.take(passed.below(cut))

"""Score for labelled rows: verdicts on every staged row, and whether rows like them are of use.

First a judge for each fold of the train rows, which has not seen that fold's children, says of every staged row whether
it looks like its label; one task and one file of verdicts for each staged file. Then judges with and without the rows
that passed are compared on val (synth/usefulness.py). Of the real rows train and val are all that is read.
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
from synth.duty import Duty, effort_of
from synth.encode import list_files, read_rows
from synth.judges.folds import folds
from synth.labelled.duty import asked_evenly, package_of, trained
from synth.labelled.measures import losses_for
from synth.labelled.verdicts import passing
from synth.spread import gathered, shared, spread
from synth.usefulness import AUGMENT, TRAIN, Ask, usefulness
from synth.ways import way_of
from udfs import records

FOLDS = 3
NOT_ASKED = "rows have no label that one could disagree with"
FLAGS = ("is_copy", "is_far", "is_unreadable")
PART_ROWS = 5_000  # judged at a time
Passed = dict[str, Pool[Any]]  # of each stage that made rows, by its key: those that passed one by one


def judged(config: Config, place: Place, bar: Bar) -> tuple[dict[str, Any], dict[str, Any]]:
    """(counts, usefulness.json): verdicts on all staged rows are written, and rows that passed are tried."""
    real, pools = runs.real_in(place).folder, way_of(config.recipe, "pools")
    train, val = (pools.real_pool(real, split, config) for split in ("train", "val"))
    counts, passed = staged_verdicts(config, place, _bench(config, train, val, bar))
    if not config.recipe.labels:
        counts["agreement"] = NOT_ASKED
    ask = _asking(config, {TRAIN: train, **passed}, val, bar)
    return counts, usefulness(config, val, passed, ask, losses_for(config.recipe))


def _asking(config: Config, pools: Mapping[str, Pool[Any]], val: Pool[Any], bar: Bar) -> Ask:
    """Train judges as tasks; the pools are handed over once."""
    refs = {name: shared(pool) for name, pool in pools.items()}
    payload, package = shared(val.rows.payload), package_of(config.recipe)

    def ask(duties: Sequence[Duty]) -> list[Any]:
        told = [(package, duty, payload, tuple(duty.places)) for duty in duties]
        jobs = [(*each, *(refs[name] for name in each[3])) for each in told]
        answers: dict[int, Any] = {}
        for number, answer in spread(asked_evenly, jobs, config):
            answers[number] = answer
            bar.advance()
        return [answers[number] for number in range(len(jobs))]

    return ask


def _bench(config: Config, train: Pool[Any], val: Pool[Any], bar: Bar) -> Any:
    """Train a judge for each fold, on the other folds' rows; none where there is no label to judge."""
    groups = train.rows.group_codes()
    fold = folds(train.rows.labels, groups, FOLDS, config.recipe.seed)
    fold_of = dict(zip(groups.tolist(), fold.tolist(), strict=True))
    reference, effort, package = shared(train), effort_of(config), package_of(config.recipe)
    verdicts = way_of(config.recipe, "verdicts")
    jobs = []
    for each in range(min(FOLDS, len(fold_of)) if config.recipe.labels else 0):
        places = {TRAIN: np.flatnonzero(fold != each)}
        duty = Duty(verdicts.JUDGE, config.recipe.seed + each, effort, len(config.recipe.labels), places)
        jobs.append((package, duty, (TRAIN,), reference))
    judges: dict[int, Any] = {}
    for number, judge in spread(trained, jobs, config):
        judges[number] = judge
        bar.advance()
    return verdicts.bench([judges[number] for number in sorted(judges)], fold_of, train, val, config)


def staged_verdicts(config: Config, place: Place, against: Any) -> tuple[dict[str, Any], Passed]:
    """Write the verdicts on all staged files; returns counts and the rows that passed, within the judges' bound."""
    keys = [key for key in place.inputs if key == AUGMENT or key.startswith("sample.")]
    files = {key: list_files(f"{place.inputs[key].folder}/rows") for key in keys}
    folder, reference = f"{place.folder}/verdicts", shared(against)
    told = [(key, f"{key}-{number:05d}.parquet", file) for key in keys for number, file in enumerate(files[key])]
    runs.clear(folder, {name for _, name, _ in told})
    pools = way_of(config.recipe, "pools")
    bound = pools.row_bound(config)
    cuts = {key: cut_at(bound / max(place.inputs[key].counts.get("staged") or 1, 1)) for key in keys}
    jobs = [(file, folder, name, reference, config, cuts[key]) for key, name, file in told]
    answers = gathered(judge_file, jobs, config)
    counts: dict[str, Any] = {"rows": 0}
    for each, _ in answers:
        for name, number in each.items():
            counts[name] = counts.get(name, 0) + number
    counts["hash_sum"] = counts.get("hash_sum", 0) % runs.HASH_MODULUS
    by_key = {key: [pool for (own, _, _), (_, pool) in zip(told, answers, strict=True) if own == key] for key in keys}
    return counts, {key: pools.merged(some, config) for key, some in by_key.items()}


def judge_file(
    file: str, folder: str, name: str, against: Any, config: Config, cut: str | None
) -> tuple[dict[str, int], Pool[Any]]:
    """Judge a staged file's rows and write their verdicts; returns counts and, below `cut`, the rows that passed."""
    pools, verdicts = way_of(config.recipe, "pools"), way_of(config.recipe, "verdicts")
    table, parents = read_rows([file]), parents_of(against.train)
    told, passed, size = [], [], min(PART_ROWS, pools.row_bound(config))
    for at in range(0, max(table.num_rows, 1), size):
        pool = pools.to_pool(table.slice(at, size), config, parents)
        judged = verdicts.judge_rows(pool, against)
        told.append(judged)
        synthetic = np.full(len(pool), "sample." in name)
        good = passing(judged.slice(0, len(pool)), synthetic, config.recipe.gate)
        passed.append(pool.take(np.flatnonzero(good)))
    whole = pa.concat_tables(told)
    whole = whole.take(pc.sort_indices(whole.column("row_id")))
    sink = io.BytesIO()
    pq.write_table(whole, sink, compression="zstd")
    runs.write_bytes(folder, name, sink.getvalue())
    counts = {flag: int(pc.sum(whole.column(flag)).as_py() or 0) for flag in FLAGS}
    hashes = sum(int(each, 16) for each in records.row_hashes(whole).to_pylist()) % runs.HASH_MODULUS
    kept = pools.merged(passed, config)
    told_counts = {"rows": whole.num_rows, "passed": len(kept), "hash_sum": hashes, **counts}
    return told_counts, kept.take(kept.below(cut))

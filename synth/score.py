"""RAY entry: verdicts on every staged row, and whether rows like them are of use.

First a judge for each fold of the train rows, which has not seen that fold's children, says of every staged row whether
it looks like its label, and how near it lies to real ones: one task and one file of verdicts for each staged file. Then
judges with and without the rows that passed are compared on val (synth/usefulness.py). Of the real rows train and val
are all that is read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf import Config, runs
from conf.progress import Bar, progress
from conf.runs import Place, StageResult
from synth.arms import Pool, cut_at, merged, parents_of, read_pool, real_pool, row_bound
from synth.behaviour import score as behaviour
from synth.cluster import Cluster
from synth.duty import Duty, answered, effort_of, trained
from synth.encode import list_files, read_rows
from synth.judges import CnnJudge
from synth.judges.folds import folds
from synth.labelled import score as labelled
from synth.spread import gathered, shared, spread
from synth.tables import score as tables
from synth.usefulness import AUGMENT, STEPS_SHARE, TRAIN, Ask, usefulness
from synth.verdicts import Bench, bench, judge_all
from udfs import records

FOLDS = 3
FLAGS = ("is_copy", "is_far", "is_unreadable")


def run(cluster: Cluster, config: Config) -> StageResult:
    """Judge all staged rows, one by one and as a whole."""
    place = runs.locate(config, "score")
    own: dict[str, Any] = {"image": _judged, "table": tables.judged, "behaviour": behaviour.judged}
    judged = own.get(config.recipe.modality, labelled.judged)
    with progress("score", None, "judges") as bar:
        counts, found = judged(config, place, bar)
    if AUGMENT in place.inputs and not place.inputs[AUGMENT].counts["staged"]:  # none was chosen: nothing to judge
        found["augmented"] = None
    runs.write_json(place.folder, "usefulness.json", found)
    digest = runs.digest(counts["rows"], counts.pop("hash_sum"))
    counts["usefulness"] = {name: entry["verdict"] for name, entry in _entries(found)}
    return StageResult(counts, {"verdicts": digest, "usefulness": runs.digest_of(found)}, notes=_notes(config, found))


def _judged(config: Config, place: Place, bar: Bar) -> tuple[dict[str, Any], dict[str, Any]]:
    """(counts, usefulness.json) for images."""
    real = runs.real_in(place).folder
    train, val = real_pool(real, "train", config), real_pool(real, "val", config)
    counts, passed = _verdicts(config, place, train, val, bar)
    return counts, usefulness(config, val, passed, _asking(config, {TRAIN: train, **passed}, val, bar))


def _entries(found: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [*([("augmented", found["augmented"])] if found["augmented"] else []), *found["generated"].items()]


def _notes(config: Config, found: Mapping[str, Any]) -> list[str]:
    """What a person should know: rows that do harm, rows that could not be judged."""
    refused = config.recipe.gate.usefulness == "not_worse"
    said = []
    for name, entry in _entries(found):
        if entry["verdict"] == "worse":
            said.append(f"{name}: judges are worse with these rows{', so they are refused' if refused else ''}")
        elif entry["verdict"] == "not_judged":
            said.append(f"{name}: usefulness could not be judged: {entry['why']}")
        elif entry["share"] < 1 and refused:
            said.append(f"{name}: {entry['share']:.0%} of the rows are of more use than all of them")
    return said


def _asking(config: Config, pools: Mapping[str, Pool], val: Pool, bar: Bar) -> Ask:
    """Train judges as tasks; the pools are handed over once."""
    refs = {name: shared(pool) for name, pool in pools.items()}
    images = shared(val.rows.images)

    def ask(duties: Sequence[Duty]) -> list[Any]:
        jobs = [(duty, images, tuple(duty.places), *(refs[name] for name in duty.places)) for duty in duties]
        answers: dict[int, Any] = {}
        for number, answer in spread(answered, jobs, config):
            answers[number] = answer
            bar.advance()
        return [answers[number] for number in range(len(jobs))]

    return ask


Passed = dict[str, Pool]  # of each stage that made rows, by its key: those that passed one by one


def _verdicts(config: Config, place: Place, train: Pool, val: Pool, bar: Bar) -> tuple[dict[str, Any], Passed]:
    """Write the verdicts on all staged files; returns counts and the rows that passed, within the judges' bound."""
    keys = [key for key in place.inputs if key == AUGMENT or key.startswith("sample.")]
    files = {key: list_files(f"{place.inputs[key].folder}/rows") for key in keys}
    against = shared(_bench(config, train, val, read_pool(files.get(AUGMENT, []), config, parents_of(train)), bar))
    folder = f"{place.folder}/verdicts"
    told = [(key, f"{key}-{number:05d}.parquet", file) for key in keys for number, file in enumerate(files[key])]
    runs.clear(folder, {name for _, name, _ in told})
    cuts = {key: cut_at(row_bound(config) / max(place.inputs[key].counts.get("staged") or 1, 1)) for key in keys}
    jobs = [(file, folder, name, against, config, cuts[key]) for key, name, file in told]
    answers = gathered(judge_file, jobs, config)
    counts: dict[str, Any] = {}
    for each, _ in answers:
        for name, number in each.items():
            counts[name] = counts.get(name, 0) + number
    counts["hash_sum"] = counts.get("hash_sum", 0) % runs.HASH_MODULUS
    by_key = {key: [pool for (own, _, _), (_, pool) in zip(told, answers, strict=True) if own == key] for key in keys}
    return {"rows": 0, **counts}, {key: merged(pools, config) for key, pools in by_key.items()}


def _bench(config: Config, train: Pool, val: Pool, augmented: Pool, bar: Bar) -> Bench:
    """Train a net for each fold, on the other folds' rows and their children."""
    groups = train.rows.group_codes()
    fold = folds(train.rows.labels, groups, FOLDS, config.recipe.seed)
    fold_of = dict(zip(groups.tolist(), fold.tolist(), strict=True))
    children = np.array([fold_of.get(group, -1) for group in augmented.rows.group_codes().tolist()], np.int64)
    pools = {TRAIN: train, AUGMENT: augmented}
    refs = [shared(pool) for pool in pools.values()]
    jobs = []
    for each in range(min(FOLDS, len(fold_of))):
        places = {TRAIN: np.flatnonzero(fold != each), AUGMENT: np.flatnonzero(children != each)}
        effort = effort_of(config, STEPS_SHARE)
        jobs.append(
            (Duty("cnn", config.recipe.seed + each, effort, len(config.recipe.labels), places), tuple(pools), *refs)
        )
    nets: dict[int, CnnJudge] = {}
    for number, net in spread(trained, jobs, config):
        nets[number] = net
        bar.advance()
    return bench([nets[number] for number in sorted(nets)], fold_of, train, val, config)


def judge_file(
    file: str, folder: str, name: str, against: Bench, config: Config, cut: str | None
) -> tuple[dict[str, int], Pool]:
    """Judge a staged file's rows and write their verdicts; returns counts and, below `cut`, the rows that passed."""
    told, passed = judge_all(read_rows([file]), against, config)
    sink = io.BytesIO()
    pq.write_table(told, sink, compression="zstd")
    runs.write_bytes(folder, name, sink.getvalue())
    counts = {flag: int(pc.sum(told.column(flag)).as_py() or 0) for flag in FLAGS}
    hashes = sum(int(each, 16) for each in records.row_hashes(told).to_pylist()) % runs.HASH_MODULUS
    return {"rows": told.num_rows, "passed": len(passed), "hash_sum": hashes, **counts}, passed.take(passed.below(cut))


if __name__ == "__main__":
    from conf.door import main
    from synth import score as this  # by its name: Ray's workers import what is sent to them from there
    from synth.cluster import start

    main("score", start, this.run)

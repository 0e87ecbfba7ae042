"""RAY entry: which steps augment runs, where the recipe has them chosen: by cross-validation on the train rows alone.

Each trial (a candidate, a repeat, a fold that is left out) is a task of its own and a file of its own, so that a run
that was stopped goes on where it was. What is decided lies in `choice.json`, which augment reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf import Config, runs
from conf.errors import StageError
from conf.progress import Bar, progress
from conf.runs import CHOICE, Place, StageResult
from conf.schema import Augment
from conf.schema.together import LEAST_PER_FOLD
from synth.arms import lowest
from synth.choice import FINALISTS, decided, heard
from synth.cluster import Cluster
from synth.decide import Codes, Losses
from synth.encode import list_files
from synth.held_out import Measured, Setting, Trial, tried
from synth.spread import shared, spread
from udfs import records

TRIALS = "trials"


def run(cluster: Cluster, config: Config) -> StageResult:
    """Try every candidate and choose one, or none."""
    place = runs.locate(config, "choose")
    augment = config.recipe.augment
    assert augment is not None
    measured = (
        runs.read_json(place.inputs["normalize"].folder, "statistics.json") if "normalize" in place.inputs else None
    )
    train, total = _train(config, place, augment.max_rows)
    groups = _groups(config, augment, Setting(config, measured), train)
    if runs.done_at(place.folder):  # asked to do it again
        runs.clear(f"{place.folder}/{TRIALS}", set())
    with progress("choose", planned(augment), "trials") as bar:
        found = heard(augment, lambda names, repeats: _hear(config, place, train, measured, names, repeats, bar))
    overlapping = config.recipe.modality == "series"  # windows of one stretch of time tell much the same
    told = decided(augment, found, config.recipe.seed, groups if overlapping else None)
    told |= {"rows": train.num_rows, "of": total, "folds": augment.folds, "repeats": augment.repeats}
    runs.write_json(place.folder, CHOICE, told)
    counts = {"rows": train.num_rows, "trials": planned(augment), "chosen": told["chosen"]}
    return StageResult(counts, {"choice": runs.digest_of(told["plan"])}, notes=_notes(told))


def planned(augment: Augment) -> int:
    """How many trials there are: all candidates once, the finalists and none in every repeat."""
    everyone = len(augment.candidates) + 1
    last = min(len(augment.candidates), FINALISTS) + 1
    return augment.folds * (everyone + last * (augment.repeats - 1))


def _train(config: Config, place: Place, bound: int) -> tuple[pa.Table, int]:
    """(the `bound` train rows of the lowest hashes in their order, how many there are)."""
    files = list_files(f"{runs.real_in(place).folder}/rows/row_split=train")
    names = [name for name in records.row_schema(config.recipe).names if name != "row_split"]
    rows, total = lowest(files, names, bound)
    if rows is None:
        raise StageError("choose: there are no train rows: raise split.train.")
    return rows, total


def _groups(config: Config, augment: Augment, setting: Setting, train: pa.Table) -> Codes:
    """Each row's group. Raises StageError where there are too few to leave some out, or a row cannot be read."""
    pool = setting.pool(train, {})
    if pool.unreadable:  # real rows have been cleaned
        raise StageError(f"choose: row {pool.unreadable[0]} cannot be read, or has no label. Run clean again.")
    groups: Codes = pool.rows.group_codes()
    there, least = len(np.unique(groups)), LEAST_PER_FOLD * augment.folds
    if there < least:
        raise StageError(
            f"choose: {augment.folds} folds need {least} train rows that are no near copies of each other, and there"
            f" are {there}: raise split.train, lower augment.folds, or name the steps under augment.steps"
            f" ({config.origin})."
        )
    return groups


def _hear(
    config: Config, place: Place, train: pa.Table, measured: Measured, names: Sequence[str], repeats: range, bar: Bar
) -> dict[str, Losses]:
    """The losses of these candidates in these repeats; trials that are there already are not made again."""
    augment = config.recipe.augment
    assert augment is not None
    folds = range(augment.folds)
    trials = [Trial(name, repeat, fold) for repeat in repeats for fold in folds for name in names]
    folder = f"{place.folder}/{TRIALS}"
    found = {each: told for each in trials if (told := runs.read_json(folder, _file(each))) is not None}
    bar.advance(len(found))
    todo = [each for each in trials if each not in found]
    rows = shared(train)
    for number, told in spread(told_trial, [(each, config, rows, measured) for each in todo], config):
        runs.write_json(folder, _file(todo[number]), told)
        found[todo[number]] = told
        bar.advance()
    return {name: joined(found, name, repeats, folds, train.num_rows) for name in names}


def _file(trial: Trial) -> str:
    return f"{trial.candidate}-{trial.repeat:02d}-{trial.fold:02d}.json"


def told_trial(trial: Trial, config: Config, train: pa.Table, measured: Measured) -> dict[str, Any]:
    """What a trial came to, as plain JSON."""
    places, found = tried(trial, config, train, measured)
    parts = {"wrong": found.wrong, "brier": found.brier}
    return {
        "places": places.tolist(),
        **{part: {judge: each[0].tolist() for judge, each in values.items()} for part, values in parts.items()},
    }


def joined(found: Mapping[Trial, Mapping[str, Any]], name: str, repeats: range, folds: range, rows: int) -> Losses:
    """The losses of one candidate: every row once in each repeat."""
    judges = sorted(found[Trial(name, repeats[0], 0)]["wrong"])  # in one order, whether read again or just told
    parts: dict[str, dict[str, NDArray[np.float64]]] = {}
    for part in ("wrong", "brier"):
        parts[part] = {judge: np.zeros((len(repeats), rows)) for judge in judges}
        for at, repeat in enumerate(repeats):
            for told in (found[Trial(name, repeat, fold)] for fold in folds):
                for judge in judges:
                    parts[part][judge][at, told["places"]] = told[part][judge]
    return Losses(parts["wrong"], parts["brier"])


def _notes(told: Mapping[str, Any]) -> list[str]:
    """What a person should know."""
    part = [f"chosen on {told['rows']:,} of {told['of']:,} train rows"] if told["rows"] < told["of"] else []
    return [told["why"], *part]


if __name__ == "__main__":
    from conf.door import main
    from synth import choose as this  # by its name: Ray's workers import what is sent to them from there
    from synth.cluster import start

    main("choose", start, this.run)

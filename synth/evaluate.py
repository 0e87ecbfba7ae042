"""RAY entry: judges trained on real rows, with the made rows, and on made rows alone, scored once on test.

The arms and the learning curve are those of synth/trials.py. Every judge takes the same number of steps, and its last
one counts. Beside them: how like real rows the generated ones are, and what they give away. Tables and series have
measures of their own (synth/tables/evaluate.py, synth/series/evaluate.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf import Config, runs
from conf.progress import Bar, progress
from conf.runs import Place, StageResult
from synth.arms import Pool, parents_of, read_pool, real_pool, row_bound
from synth.behaviour import evaluate as behaviour
from synth.cluster import Cluster
from synth.duty import Duty, effort_of, trained
from synth.encode import list_files
from synth.judges import CnnJudge, Images
from synth.labelled import evaluate as labelled
from synth.likeness import closeness, likeness, reconstruction
from synth.sampler import maker_of
from synth.series import evaluate as series
from synth.spread import shared, spread
from synth.tables import evaluate as tables
from synth.trials import Task, answers_of, arm_places, arms_of, compared, duties, rows_in
from udfs.records import MAKER_HEX

Said = NDArray[np.float32]  # (test rows, labels)


def run(cluster: Cluster, config: Config) -> StageResult:
    """Measure what the grown dataset is worth."""
    place = runs.locate(config, "evaluate")
    own: dict[str, Any] = {
        "image": _measured,
        "table": tables.measured,
        "series": series.measured,
        "behaviour": behaviour.measured,
    }
    measured = own.get(config.recipe.modality, labelled.measured)
    told, pools, judges = measured(config, place)
    runs.write_json(place.folder, "evaluate.json", told)
    rows = {name: pool.total for name, pool in pools.items()}
    return StageResult({"rows": judges, "test_rows": rows["test"], "of": rows}, {"evaluate": runs.digest_of(told)})


def _measured(config: Config, place: Place) -> tuple[dict[str, Any], dict[str, Pool], int]:
    """(evaluate.json, the rows, how many judges were trained) for images."""
    pools = _pools(config, place)
    arms = arms_of(pools)
    wanted = _duties(config, pools, arms)
    with progress("evaluate", len(wanted) + len(config.recipe.generate) + 1, "judges") as bar:
        said, looker = _ask(config, wanted, pools, bar)
        told = _told(config, pools, arms, said) | _likeness(config, place, pools, looker, bar)
    return told, pools, len(wanted)


def _pools(config: Config, place: Place) -> dict[str, Pool]:
    """All rows that are needed, by what they are."""
    real, accepted = (
        runs.real_in(place).folder,
        f"{place.inputs['gate'].folder}/accepted" if "gate" in place.inputs else "",
    )
    given = real_pool(real, "train", config, labelled=False)
    files = list_files(accepted) if accepted else []
    made = {origin: read_pool(files, config, parents_of(given), origin=origin) for origin in ("augmented", "synthetic")}
    others = {split: real_pool(real, split, config) for split in ("val", "test", "reserve")}
    labelled = real_pool(real, "train", config, labelled=True)
    return {"given": given, "labelled": labelled, **made, **others}


def _duties(config: Config, pools: Mapping[str, Pool], arms: Sequence[str]) -> dict[Task, Duty]:
    """Every judge that is to be trained."""
    found = duties(config, pools, arms, row_bound(config))
    if "cnn" not in config.recipe.evaluate.judges:  # likeness is seen through a net's eyes
        arm = _looker_arm(pools)
        some = arm_places(pools, arm, row_bound(config))
        effort, classes = effort_of(config), len(config.recipe.labels)
        found[Task("cnn", arm, 0)] = Duty("cnn", config.recipe.seed, effort, classes, some)
    return found


def _looker_arm(pools: Mapping[str, Pool]) -> str:
    return "augmented" if len(pools["augmented"]) else "real"


def _ask(
    config: Config, wanted: Mapping[Task, Duty], pools: Mapping[str, Pool], bar: Bar
) -> tuple[dict[Task, Said], CnnJudge]:
    """Train all judges as tasks, and ask each the test rows, once. The first net stays to look at rows with."""
    looks = Task("cnn", _looker_arm(pools), 0)
    needed = {name for duty in wanted.values() for name in duty.places}
    refs = {name: shared(pools[name]) for name in needed}
    images = shared(pools["test"].rows.images)
    tasks = sorted(wanted, key=lambda task: task.kind != "cnn")  # the long ones first, so that none is waited for alone
    jobs = []
    for task in tasks:
        names = tuple(wanted[task].places)
        jobs.append((wanted[task], task == looks, images, names, *(refs[name] for name in names)))
    said: dict[Task, Said] = {}
    looker: Any = None
    for number, (answer, judge) in spread(asked, jobs, config):
        said[tasks[number]] = answer
        looker = judge or looker
        bar.advance()
    return said, looker


def asked(duty: Duty, keep: bool, images: Images, names: tuple[str, ...], *pools: Pool) -> tuple[Said, Any]:
    """What the judge, once trained, says of the test rows; and the judge itself where it is to be kept."""
    judge = trained(duty, names, *pools)
    return judge.predict_proba(images).astype(np.float32), judge if keep else None


def _told(config: Config, pools: Mapping[str, Pool], arms: Sequence[str], said: Mapping[Task, Said]) -> dict[str, Any]:
    """Judges, gains, curves and headline."""
    recipe, labels = config.recipe, pools["test"].rows.labels
    told: dict[str, Any] = {"judges": {}, "gain": {}, "curve": {}, "headlines": {}}
    for kind in recipe.evaluate.judges if len(labels) else []:
        answers = answers_of(config, pools, arms, kind, said)
        scored = {arm: _scored(answers[arm], labels, recipe.labels) for arm in arms}
        told["judges"][kind] = {arm: {"rows": rows_in(pools, arm), **scored[arm]} for arm in arms}
        wrong = {arm: np.stack([each.argmax(1) != labels for each in seeds]) for arm, seeds in answers.items()}
        found = compared(config, pools, arms, kind, wrong)
        told["gain"][kind], told["curve"][kind] = found["gain"], found["curve"]
        if "headline" in found:
            told["headlines"][kind] = found["headline"]
    told["headline"] = next(iter(told["headlines"].values()), None)
    return told


def _scored(answers: Sequence[Said], labels: NDArray[np.int64], names: Sequence[str]) -> dict[str, Any]:
    """Accuracy, cross-entropy (nats) and recall of each label, one number for each seed."""
    rows = np.arange(len(labels))
    right = [each.argmax(1) == labels for each in answers]
    sure = [-np.log(np.maximum(each[rows, labels].astype(np.float64), 1e-7)).mean() for each in answers]
    present = {name: labels == code for code, name in enumerate(names) if (labels == code).any()}
    return {
        "accuracy": [float(each.mean()) for each in right],
        "cross_entropy": [float(each) for each in sure],
        "recall": {name: [float(each[mask].mean()) for each in right] for name, mask in present.items()},
    }


def _likeness(config: Config, place: Place, pools: Mapping[str, Pool], looker: CnnJudge, bar: Bar) -> dict[str, Any]:
    """Quality, privacy and reconstruction of each generator, and the ceiling of quality."""
    generators = [generator for generator in config.recipe.generate if f"train.{generator.name}" in place.inputs]
    refs = {name: shared(pools[name]) for name in ("given", "val", "test")}
    eye = shared(looker)
    threads = config.runtime.judge.threads
    jobs: list[tuple[Any, ...]] = [(eye, None, pools["val"], refs["given"], refs["val"], refs["test"], threads)]
    for generator in generators:
        done = place.inputs[f"train.{generator.name}"]
        maker = maker_of(done.outputs["checkpoint"], generator.temperature)
        own = np.array([at for at, row in enumerate(pools["synthetic"].ids) if row[:MAKER_HEX] == maker], np.int64)
        folder, made = f"{done.folder}/checkpoint", pools["synthetic"].take(own)
        jobs.append((eye, folder, made, refs["given"], refs["val"], refs["test"], threads))
    names = ["ceiling", *(generator.name for generator in generators)]
    told: dict[str, dict[str, Any]] = {"quality": {}, "privacy": {}, "reconstruction": {}}
    for number, found in spread(looked_at, jobs, config):
        for measure, value in found.items():
            if value is not None:
                told[measure][names[number]] = value
        bar.advance()
    return told


def looked_at(
    looker: CnnJudge, folder: str | None, made: Pool, train: Pool, val: Pool, test: Pool, threads: int
) -> dict[str, Any]:
    """All measures of one generator's rows; of val rows in their place for the ceiling (no folder)."""
    found: dict[str, Any] = {"quality": likeness(looker, made, test, len(val))}
    if folder is not None:
        found |= {"privacy": closeness(made, train, val), "reconstruction": reconstruction(folder, test, threads)}
    return found


if __name__ == "__main__":
    from conf.door import main
    from synth import evaluate as this  # by its name: Ray's workers import what is sent to them from there
    from synth.cluster import start

    main("evaluate", start, this.run)

"""RAY entry: judges trained on real rows, with the made rows, and on made rows alone, scored once on test.

The arms: `real` (the rows that came with their labels), `labelled` (with those that judges labelled), `augmented`
(with the accepted augmented rows), `all` (with the accepted generated rows as well) and `synthetic` (generated rows
alone). Every judge takes the same number of steps, and its last one counts. Beside them the learning curve of real
rows, from which the headline is read; how like real rows the generated ones are; and what they give away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf import Config, runs
from conf.progress import Bar, progress
from conf.runs import Place, StageResult
from synth.arms import Places, Pool, parents_of, read_pool, real_pool, row_bound
from synth.cluster import Cluster
from synth.duty import Duty, effort_of, trained
from synth.encode import list_files
from synth.judges import CnnJudge, Images
from synth.likeness import closeness, likeness, reconstruction
from synth.sampler import maker_of
from synth.spread import shared, spread
from synth.worth import curve_sizes, drawn, gain, headline, nested
from udfs.records import MAKER_HEX

ARMS = {
    "real": ("given",),
    "labelled": ("given", "labelled"),
    "augmented": ("given", "labelled", "augmented"),
    "all": ("given", "labelled", "augmented", "synthetic"),
    "synthetic": ("synthetic",),
}
NEEDS = {"labelled": "labelled", "augmented": "augmented", "all": "synthetic", "synthetic": "synthetic"}
REAL = ("given", "labelled")
Said = NDArray[np.float32]  # (test rows, labels)


@dataclass(frozen=True)
class Task:
    """One judge: of which kind, for which arm or point of the curve, from which seed."""

    kind: str
    arm: str
    seed: int


def run(cluster: Cluster, config: Config) -> StageResult:
    """Measure what the grown dataset is worth."""
    place = runs.locate(config, "evaluate")
    pools = _pools(config, place)
    arms = [arm for arm in ARMS if arm == "real" or len(pools[NEEDS[arm]])]
    duties = _duties(config, pools, arms)
    with progress("evaluate", len(duties) + len(config.recipe.generate) + 1, "judges") as bar:
        said, looker = _ask(config, duties, pools, bar)
        told = _told(config, pools, arms, said)
        told |= _likeness(config, place, pools, looker, bar)
    runs.write_json(place.folder, "evaluate.json", told)
    rows = {name: pool.total for name, pool in pools.items()}
    return StageResult({"rows": len(duties), "test_rows": rows["test"], "of": rows}, {"evaluate": runs.digest_of(told)})


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
    told, classes, effort = config.recipe.evaluate, len(config.recipe.labels), effort_of(config)
    places = {arm: _arm_places(config, pools, arm) for arm in arms}
    found: dict[Task, Duty] = {}
    for kind in told.judges:
        for seed in range(told.seeds):
            for arm in arms:
                found[Task(kind, arm, seed)] = Duty(kind, config.recipe.seed + seed, effort, classes, places[arm])
            for size in _sizes(config, pools):
                if size != len(pools["given"]):
                    some = _curve_places(pools, size, seed)
                    found[Task(kind, _point(size), seed)] = Duty(kind, config.recipe.seed + seed, effort, classes, some)
    if "cnn" not in told.judges:  # likeness is seen through a net's eyes
        arm = _looker_arm(pools)
        found[Task("cnn", arm, 0)] = Duty("cnn", config.recipe.seed, effort, classes, places[arm])
    return found


def _arm_places(config: Config, pools: Mapping[str, Pool], arm: str) -> dict[str, Places | None]:
    """The arm's rows: within the bound all real ones, and an equal share of each kind of made ones."""
    names = [name for name in ARMS[arm] if len(pools[name])]
    made = [name for name in names if name not in REAL]
    left = max(row_bound(config) - sum(len(pools[name]) for name in names if name in REAL), row_bound(config) // 2)
    share = min(1.0, left / max(sum(len(pools[name]) for name in made), 1))
    return {name: np.arange(round(share * len(pools[name]))) if name in made and share < 1 else None for name in names}


def _sizes(config: Config, pools: Mapping[str, Pool]) -> list[int]:
    train, reserve = len(pools["given"]), len(pools["reserve"])
    return curve_sizes(train, reserve, config.recipe.evaluate.curve_points, len(config.recipe.labels))


def _curve_places(pools: Mapping[str, Pool], size: int, seed: int) -> dict[str, Places | None]:
    """A nested set of real rows: train rows first, then the reserve."""
    train = len(pools["given"])
    labels = np.concatenate([pools["given"].rows.labels, pools["reserve"].rows.labels])
    places = nested(labels, train, size, seed)
    more = places[places >= train] - train
    return {"given": places[places < train], **({"reserve": more} if len(more) else {})}


def _point(size: int) -> str:
    return f"curve.{size}"


def _looker_arm(pools: Mapping[str, Pool]) -> str:
    return "augmented" if len(pools["augmented"]) else "real"


def _ask(
    config: Config, duties: Mapping[Task, Duty], pools: Mapping[str, Pool], bar: Bar
) -> tuple[dict[Task, Said], CnnJudge]:
    """Train all judges as tasks, and ask each the test rows, once. The first net stays to look at rows with."""
    looks = Task("cnn", _looker_arm(pools), 0)
    needed = {name for duty in duties.values() for name in duty.places}
    refs = {name: shared(pools[name]) for name in needed}
    images = shared(pools["test"].rows.images)
    tasks = sorted(duties, key=lambda task: task.kind != "cnn")  # the long ones first, so that none is waited for alone
    jobs = []
    for task in tasks:
        names = tuple(duties[task].places)
        jobs.append((duties[task], task == looks, images, names, *(refs[name] for name in names)))
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
    sizes = _sizes(config, pools)
    for kind in recipe.evaluate.judges if len(labels) else []:
        seeds = range(recipe.evaluate.seeds)
        answers = {
            arm: [said[Task(kind, arm, seed)] for seed in seeds]
            for arm in (*arms, *map(_point, sizes))
            if Task(kind, arm, 0) in said
        }
        answers[_point(len(pools["given"]))] = answers["real"]
        scored = {arm: _scored(answers[arm], labels, recipe.labels) for arm in arms}
        told["judges"][kind] = {arm: {"rows": _rows(pools, arm), **scored[arm]} for arm in arms}
        found = drawn(
            {arm: np.stack([each.argmax(1) != labels for each in each_seed]) for arm, each_seed in answers.items()},
            recipe.seed,
        )
        told["gain"][kind] = {arm: gain(found, arm) for arm in arms if arm != "real"}
        errors = [[float((each.argmax(1) != labels).mean()) for each in answers[_point(size)]] for size in sizes]
        told["curve"][kind] = {"rows": sizes, "error": errors}
        grown = _grown_arm(config, arms)
        if grown and len(sizes) > 1:
            told["headlines"][kind] = headline(found, sizes, grown, kind, len(pools["given"]))
    told["headline"] = next(iter(told["headlines"].values()), None)
    return told


def _grown_arm(config: Config, arms: Sequence[str]) -> str | None:
    """The arm that is the published dataset."""
    wanted = ["synthetic"] if config.recipe.publish == "synthetic_only" else ["all", "augmented", "labelled"]
    return next((arm for arm in wanted if arm in arms), None)


def _rows(pools: Mapping[str, Pool], arm: str) -> int:
    return sum(pools[name].total for name in ARMS[arm])


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

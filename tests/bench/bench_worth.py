"""What made rows are worth, case by case: whole runs of the shipped recipes on real data, scored on real test rows.

Every figure is of at least three seeds: equal steps, last epoch, mean and spread. `digits` is run whole for several
seeds of the recipe, since with 100 train rows the draw of these rows matters more than a judge's seed. It is long
(hours on two cores): choose cases by name. MNIST's four files lie in --mnist (or $SEEDBED_TEST_DATA/mnist).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from figures import Row, row

import conf
from conf import Config, runs

REPOSITORY = Path(__file__).resolve().parents[2]
SEEDS = 3
WORKERS = 2


def run(recipe: str, root: Path, *overrides: str) -> Config:
    """Run a recipe whole, through the command."""
    began = time.monotonic()
    sets = [part for override in overrides for part in ("--set", override)]
    command = [sys.executable, "-m", "jobs.cli", "run", recipe, "--root", str(root), *sets]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-4000:]}")
    print(f"  ({recipe} {' '.join(overrides)}: {time.monotonic() - began:.0f} s)", flush=True)
    return conf.load(recipe, "local", overrides, str(root))


def told(config: Config, stage: str, name: str) -> Any:
    """A stage's JSON file."""
    done = runs.done(config, stage)
    assert done is not None
    return runs.read_json(done.folder, name)


def digits(root: Path, mnist: Path) -> list[Row]:
    """The main job: 100 rows grown, for several seeds of the recipe."""
    cuts: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    worths = []
    for seed in range(7, 7 + SEEDS):
        found = told(run("digits", root / f"digits-{seed}", f"seed={seed}"), "evaluate", "evaluate.json")
        for judge, gain in found["gain"].items():
            arm = "all" if "all" in gain else "augmented"
            cuts.setdefault(judge, []).append(100 * gain[arm]["error_cut"] if arm in gain else 0.0)
            for name, scored in found["judges"][judge].items():
                errors.setdefault(f"{judge}, {name}", []).append(error_of(scored))
        for judge, headline in found["headlines"].items():
            worths.append(f"seed {seed}, {judge}: {headline['text']}")
    for line in worths:
        print(f"  {line}", flush=True)
    return [
        *(row(f"digits error, {name}", values, "%", "") for name, values in errors.items()),
        row("digits, error cut on the merged dataset, svc", cuts["svc"], "%", ">= 15"),
        row("digits, error cut on the merged dataset, cnn", cuts["cnn"], "%", ">= 0"),
    ]


def mnist_1000(root: Path, mnist: Path) -> list[Row]:
    """The classic small-data case, and a model that saw generated rows alone."""
    config = run("mnist-1000", root / "mnist-1000", f"data={mnist}")
    found = told(config, "evaluate", "evaluate.json")["judges"]["cnn"]
    real = error_of(found["real"])
    rows = [row(f"mnist-1000 error, {arm}", errors_of(scored), "%", "") for arm, scored in found.items()]
    cut = [100 * (1 - error / real) for error in errors_of(found["augmented"])]
    rows.append(row("mnist-1000, error cut by stored augmented rows, judge cnn", cut, "%", ""))
    rows += lenets(config)
    if "all" in found:
        more = [a - b for a, b in zip(errors_of(found["all"]), errors_of(found["augmented"]), strict=True)]
        rows.append(row("mnist-1000, generated rows on top, difference of error", more, "points", "<= 0.1"))
    alone = [
        ("sample.image_mixture", "mixture alone"),
        ("sample.image_gan", "GAN alone"),
    ]
    for stage, name in alone:
        errors = judged_alone(config, [staged(config, stage)])
        rows.append(row(f"mnist-1000 synthetic only, {name}", errors, "%", ""))
    best = min(rows[-len(alone) :], key=lambda each: each.measured)
    rows.append(
        Row("mnist-1000 synthetic only, the best", best.measured, best.spread, "%", "<= 4.0", best.measured <= 4.0)
    )
    return rows


LENET_STEPS = 2400


def lenets(config: Config) -> list[Row]:
    """The same case by plain nets: real rows alone, and the stored augmented rows with them."""
    import lenet

    rows = []
    for kind in lenet.NETS:
        jobs = [(config, kind, augmented, seed) for augmented in (False, True) for seed in range(SEEDS)]
        with ProcessPoolExecutor(WORKERS) as pool:
            errors = list(pool.map(_one_lenet, jobs))
        alone, grown = errors[:SEEDS], errors[SEEDS:]
        cut = [100 * (1 - error / statistics.mean(alone)) for error in grown]
        rows += [
            row(f"mnist-1000 error, {kind}, real", alone, "%", ""),
            row(f"mnist-1000 error, {kind}, with stored augmented rows", grown, "%", ""),
            row(f"mnist-1000, error cut by stored augmented rows, {kind}", cut, "%", ">= 68"),
        ]
    return rows


def _one_lenet(job: tuple[Config, str, bool, int]) -> float:
    import lenet

    from synth.arms import parents_of, read_pool, real_pool
    from synth.encode import list_files
    from synth.judges import joined

    config, kind, augmented, seed = job
    real = runs.real(config).folder
    train, test = (real_pool(real, split, config).rows for split in ("train", "test"))
    if augmented:
        files = list_files(staged(config, "augment"))
        children = read_pool(files, config, parents_of(real_pool(real, "train", config))).rows
        train = joined([train, children], len(config.recipe.labels))
    return lenet.error(kind, train.images, train.labels, test.images, test.labels, LENET_STEPS, seed)


def unlabelled(root: Path, mnist: Path) -> list[Row]:
    """Labels by vote, checked against those that were hidden, and a student of them."""
    config = run("mnist-1000-unlabelled", root / "unlabelled", f"data={mnist}")
    done = runs.done(config, "label")
    assert done is not None
    votes = pq.read_table(f"{done.folder}/votes.parquet", partitioning=None).to_pandas().set_index("row_id")
    hidden = hidden_labels(config)
    sure = votes[votes.confidence >= runs.read_json(done.folder, "label.json")["threshold"]]
    right = float((sure.label == hidden.reindex(sure.index)).mean())
    found = told(config, "evaluate", "evaluate.json")["judges"]["cnn"]
    students = {arm: errors_of(found[arm]) for arm in ("labelled", "augmented", "all") if arm in found}
    best = min(students, key=lambda arm: statistics.mean(students[arm]))
    return [
        row("mnist-1000-unlabelled, labelled", [100 * len(sure) / len(votes)], "%", ">= 95"),
        row("mnist-1000-unlabelled, precision", [100 * right], "%", ">= 99.5"),
        row("mnist-1000-unlabelled, real rows alone, error", errors_of(found["real"]), "%", ""),
        *(row(f"mnist-1000-unlabelled, student ({arm}), error", errors, "%", "") for arm, errors in students.items()),
        row("mnist-1000-unlabelled, the best student, error", students[best], "%", "<= 1.3"),
    ]


def hidden_labels(config: Config) -> Any:
    """The labels of all raw rows, by row id."""
    import deltalake

    table = deltalake.DeltaTable(f"{config.tables}/{config.recipe.name}/raw")
    return table.to_pandas(columns=["row_id", "label"]).set_index("row_id")["label"]


def mnist(root: Path, mnist: Path) -> list[Row]:
    """All of MNIST: models that saw generated rows alone, by generator, and of all together."""
    bars = {"image_mixture": 97.8, "image_gan": 97.5, "image_vae": 95.0}
    limits = {"image_mixture": 60, "image_gan": 300}
    config = run("mnist", root / "mnist", f"data={mnist}")
    rows, folders = [], []
    for generator in config.recipe.generate:
        folders.append(staged(config, f"sample.{generator.name}"))
        accuracy = [100 - error for error in judged_alone(config, folders[-1:])]
        rows.append(row(f"mnist synthetic only, {generator.name}", accuracy, "%", f">= {bars[generator.model]}"))
        seconds = runs.done(config, "train", generator.name).seconds  # type: ignore[union-attr]
        limit = limits.get(generator.model)
        rows.append(row(f"mnist, {generator.name} fitted in", [seconds], "s", f"<= {limit}" if limit else ""))
    union = [100 - error for error in judged_alone(config, folders)]
    rows.append(row("mnist synthetic only, union of all as staged", union, "%", ""))
    found = told(config, "evaluate", "evaluate.json")["judges"]["cnn"]
    if "synthetic" in found:
        rows.append(row("mnist synthetic only, as accepted", [100 - e for e in errors_of(found["synthetic"])], "%", ""))
    rows.append(row("mnist, real rows", [100 - error for error in errors_of(found["real"])], "%", ""))
    best = max((each for each in rows if "synthetic only" in each.case), key=lambda each: each.measured)
    rows.append(
        Row("mnist synthetic only, the best", best.measured, best.spread, "%", ">= 98.0", best.measured >= 98.0)
    )
    return rows


def staged(config: Config, key: str) -> str:
    """The folder of the rows that a generator made, before the gate."""
    stage, _, part = key.partition(".")
    done = runs.done(config, stage, part)
    assert done is not None
    return f"{done.folder}/rows"


def judged_alone(config: Config, folders: Sequence[str]) -> list[float]:
    """Error in % of nets that saw the rows of these folders alone, one for each seed; those that are known are kept."""
    with ProcessPoolExecutor(WORKERS) as pool:
        return list(pool.map(_known_net, [(config, list(folders), seed) for seed in range(SEEDS)]))


def _known_net(job: tuple[Config, list[str], int]) -> float:
    """What a net before said of the same rows, as the run's folder remembers it; else ask one."""
    config, folders, seed = job
    asked = json.dumps([folders, seed, config.recipe.evaluate.model_dump(mode="json", include={"steps", "batch_size"})])
    known = Path(config.files) / "judged_alone" / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"
    if not known.exists():
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps({"asked": asked, "error": _one_net(job)}))
    return float(json.loads(known.read_text())["error"])


def _one_net(job: tuple[Config, list[str], int]) -> float:
    from synth import judges
    from synth.arms import read_pool, real_pool
    from synth.duty import effort_of
    from synth.encode import list_files

    config, folders, seed = job
    files = [file for folder in folders for file in list_files(folder)]
    made = read_pool(files, config, {})
    real = runs.real(config).folder
    test = real_pool(real, "test", config)
    judge = judges.fit("cnn", made.rows, len(config.recipe.labels), effort_of(config), seed)
    return 100 * float((judge.predict_proba(test.rows.images).argmax(1) != test.rows.labels).mean())


def error_of(scored: dict[str, Any]) -> float:
    """Mean error in %."""
    return statistics.mean(errors_of(scored))


def errors_of(scored: dict[str, Any]) -> list[float]:
    """Errors in %, one for each seed."""
    return [100 * (1 - accuracy) for accuracy in scored["accuracy"]]


CASES: dict[str, Callable[[Path, Path], list[Row]]] = {
    "digits": digits,
    "mnist-1000": mnist_1000,
    "mnist-1000-unlabelled": unlabelled,
    "mnist": mnist,
}


def main() -> None:
    """Measure, print, write JSON."""
    data = Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--mnist", type=Path, default=data / "mnist")
    parser.add_argument("--root", type=Path, help="keep the runs here, and go on with those that are there")
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in given.cases:
            if case != "digits" and not given.mnist.is_dir():
                print(f"{case}: no MNIST in {given.mnist}; --mnist names the folder of its four files")
                continue
            found += CASES[case](given.root or Path(folder), given.mnist)
    if given.out:
        Path(given.out).write_text(json.dumps([asdict(line) for line in found], indent=1))


if __name__ == "__main__":
    main()

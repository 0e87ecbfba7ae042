"""How good generated rows of tables are, and what they cost, beside what others published for the same data.

Each case takes a shipped recipe through ingest, clean and normalize by the command; generators then see its train rows
alone, in this process, by the code that Ray's workers run, and judges are asked the given test rows. Every figure is
over at least three seeds of the generator: mean and spread. Times are of one thread, start-up apart. The tables lie in
--data (or $SEEDBED_TEST_DATA/tabular).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from figures import Row, row

import conf
from conf import runs
from conf.schema import Generate
from synth.duty import effort_of
from synth.job import job_of
from synth.tables.judges import ctgan_protocol, fit
from synth.tables.likeness import privacy_of, quality_of
from synth.tables.metrics import focus_of, measures
from synth.tables.pools import form_of, real_pool, statistics_of
from synth.tables.remedies import Trial, compare_remedies
from synth.tables.rows import Rows
from synth.tables.sampler import Sampler, form_from
from synth.tables.two_sample import two_sample
from synth.work import work
from udfs import hashing
from udfs.table import privacy
from udfs.table.form import TableForm, to_matrix

REPOSITORY = Path(__file__).resolve().parents[2]
SEEDS = 3
MOST = 100_000  # rows of a set that judges and measures may look at


def normalized(recipe: str, root: Path, *overrides: str) -> conf.Config:
    """A recipe, with its rows taken through the stages before training by the command."""
    sets = [part for override in overrides for part in ("--set", override)]
    for stage in ("ingest", "clean", "normalize"):
        command = [sys.executable, "-m", "jobs.cli", stage, recipe, "--root", str(root), *sets]
        done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout[-4000:]}")
    return conf.load(recipe, "local", overrides, str(root))


def fitted_here(config: conf.Config, generator: Generate, folder: str, **settings: int) -> tuple[Sampler, float]:
    """A generator fitted on the train rows, on one thread of this process, and the seconds that it took."""
    measured = runs.done(config, "normalize")
    assert measured is not None
    job = job_of(config, generator, f"{runs.real(config).folder}/rows/row_split=train", folder, measured.folder)
    began = time.perf_counter()
    work(dataclasses.replace(job, settings=dataclasses.replace(job.settings, threads=1, **settings)))
    told = runs.read_json(folder, "fitted.json")
    assert told and "error" not in told, told
    return Sampler(f"{folder}/checkpoint"), time.perf_counter() - began


class Case:
    """A recipe's real rows, and generators fitted on its train rows."""

    def __init__(self, recipe: str, root: Path, data: Path) -> None:
        """Take the recipe through the stages before training."""
        self.root = root / recipe
        self.config = normalized(recipe, root, f"data={data / recipe}", f"evaluate.max_rows={MOST}")
        measured = runs.done(self.config, "normalize")
        assert measured is not None
        self.measured, self.form = measured, form_of(self.config, measured)
        self.real = runs.real(self.config).folder
        self.train, self.val, self.test = (self._real(split) for split in ("train", "val", "test"))

    def _real(self, split: str) -> Rows:
        return real_pool(self.real, split, self.config, self.form).rows

    def fitted(self, seed: int, model: str, preset: str = "") -> tuple[Sampler, float]:
        """A generator fitted on the train rows, and the seconds that it took, reading and tokens included."""
        generator = self.config.recipe.generate[0].model_copy(
            update={"model": model, "preset": preset or None, "options": {}}
        )
        return fitted_here(self.config, generator, str(self.root / "fits" / f"{model}-{preset}-{seed}"), seed=seed)

    def rows(self, sampler: Sampler) -> Rows:
        """As many made rows as there are train rows, as judges see them."""
        return self.as_rows(sampler("", 0, len(self.train)))

    def as_rows(self, table: pa.Table) -> Rows:
        """A table as judges see it."""
        return Rows(to_matrix(table, self.form), self.train.question)

    def score(self, learned: Rows, measure: str, seed: int) -> float:
        """What boosting, trained on some rows, reaches on the test rows."""
        judge = fit("boosting", learned, effort_of(self.config), seed)
        question, task = self.train.question, self.config.recipe.task
        focus, rare = (
            focus_of(question.classes, task.positive if task else None, self.train.labels)
            if question.classes
            else (0, 0)
        )
        return measures(judge.predict(self.test.cells), self.test.targets, question, focus, rare)[measure]

    def apart(self, made: Rows, real: Rows, seed: int) -> dict[str, float]:
        """AUC and detection score of boosting that tells made rows from real ones."""
        found = two_sample("boosting", made, real, self.form, effort_of(self.config), MOST, seed)
        assert found is not None
        return found


def adult(root: Path, data: Path) -> list[Row]:
    """Census income, by the default generator."""
    case = Case("adult", root, data)
    auc = [case.score(case.train, "auc", seed) for seed in range(SEEDS)]
    lines = [row("adult, real rows: AUC", auc, peers="real .927")]
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        sampler, seconds = case.fitted(seed, "table_ar")
        made = case.rows(sampler)
        statistics = statistics_of(case.measured)
        given_away = privacy_of(made, case.train, case.test, case.form, statistics)
        like = quality_of(made, case.train, case.test, case.form)
        assert given_away and like
        told = {
            "auc": case.score(made, "auc", seed),
            "train": case.apart(made, case.train, seed)["score"],
            "test": case.apart(made, case.test, seed)["auc"],
            "trends": like["trends"],
            "seconds": seconds,
            "f1": ctgan_protocol.scores(made, case.test, 1, seed)["mean"],
            "copies": float(privacy.copies(made.matrix, case.train.matrix).mean() * len(case.test)),
            "dcr": given_away["dcr_share"],
            **{f"given {count}": conditional(case, sampler, count, seed) for count in (1, 3, 5)},
        }
        for name, value in told.items():
            found.setdefault(name, []).append(value)
    ceiling = quality_of(case.test, case.train, case.test, case.form)
    assert ceiling is not None
    copies = float(privacy.copies(case.test.matrix, case.train.matrix).sum())
    lines += [
        row("adult, table_ar: AUC", found["auc"], "", ">= .920", "TabPC .916, TabularARGN .912-.918, TabDiff .913"),
        row("adult, table_ar: detection score against train", found["train"], "", ">= .97",
            "TabDiff .967, TVAE .218 (ORiGAMi's protocol); TabPC .855, CTGAN .000 (TabPC's)"),
        row("adult, table_ar: two-sample AUC against test", found["test"], "", "<= .53"),
        row("adult, table_ar: pair trends", found["trends"], "", ">= .987",
            f"TabPC .9856; real test rows {ceiling['trends']:.4f}"),
        row("adult, table_ar: fitted in", found["seconds"], "s", "<= 45", "TabPC 272 s, TabSyn 38 min, TabDiff 3.2 h"),
        row("adult, table_ar: F1 by CTGAN's protocol", found["f1"], "", ">= .650", "TVAE .626, CTGAN .601, real .669"),
        row("adult, table_ar: copies of train rows per test set", found["copies"], "rows", f"<= {copies:g}"),
        row("adult, table_ar: DCR share, from .5", [abs(each - 0.5) for each in found["dcr"]], "", "<= .03"),
        *(row(f"adult, table_ar, {count} columns of test rows given: AUC", found[f"given {count}"], "", "<= .56")
          for count in (1, 3, 5)),
    ]  # fmt: skip
    return lines


def others(root: Path, data: Path) -> list[Row]:
    """Census income, by the other generators."""
    case, lines = Case("adult", root, data), list[Row]()
    for model, preset, bar, limit in (
        ("table_ar", "fast", None, 20), ("table_mixture", "standard", None, None),
        ("table_vae", "standard", ">= .626", 300), ("table_gan", "standard", ">= .601", 300),
    ):  # fmt: skip
        scores, f1, seconds, trends = [], [], [], []
        for seed in range(SEEDS):
            sampler, took = case.fitted(seed, model, preset)
            made = case.rows(sampler)
            like = quality_of(made, case.train, case.test, case.form)
            assert like is not None
            seconds.append(took)
            trends.append(like["trends"])
            scores.append(case.score(made, "auc", seed))
            f1.append(ctgan_protocol.scores(made, case.test, 1, seed)["mean"])
        lines += [
            row(f"adult, {model} {preset}: AUC", scores),
            row(f"adult, {model} {preset}: F1 by CTGAN's protocol", f1, "", bar or ""),
            row(f"adult, {model} {preset}: pair trends", trends),
            row(f"adult, {model} {preset}: fitted in", seconds, "s", f"<= {limit}" if limit else ""),
        ]
    return lines


def conditional(case: Case, sampler: Sampler, count: int, seed: int) -> float:
    """AUC against test of rows that were completed from the real test rows' values of some columns."""
    table = test_table(case)
    form = form_from(dataclasses.asdict(sampler.form))
    matrix = to_matrix(table, form)
    given = np.zeros(matrix.shape[1], bool)
    given[np.random.default_rng(seed).permutation(len(given))[:count]] = True
    made = sampler.complete(matrix, given, hashing.numbered_ids(sampler.maker, f"given {count}", 0, len(matrix)))
    half = len(made) // 2  # made rows of one half against the real rows of the other: no pair shares its values
    real = case.test.take(np.arange(half, len(made)))
    return case.apart(as_judged(case, form, made[:half]), real, seed)["auc"]


def test_table(case: Case) -> pa.Table:
    """The test rows as the columns of the recipe."""
    from synth.encode import read_rows

    return read_rows(f"{case.real}/rows/row_split=test", [column.name for column in case.form.modelled])


def as_judged(case: Case, form: TableForm, matrix: np.ndarray) -> Rows:
    """Rows of a checkpoint's form in the form of the judges."""
    from udfs.table.form import from_matrix

    return case.as_rows(pa.table(from_matrix(matrix, form)))


def california(root: Path, data: Path) -> list[Row]:
    """A regression on numbers."""
    case = Case("california-housing", root, data)
    r2, told = [], []
    for seed in range(SEEDS):
        made = case.rows(case.fitted(seed, "table_ar")[0])
        r2.append(case.score(made, "r2", seed))
        told.append(case.apart(made, case.train, seed)["score"])
    return [
        row("california, real rows: R2", [case.score(case.train, "r2", seed) for seed in range(SEEDS)]),
        row("california, table_ar: R2", r2, "", ">= .80", "prototype .798; real .842"),
        row("california, table_ar: detection score against train", told, "", "", "prototype .935"),
    ]


def detection_of(name: str) -> Callable[[Path, Path], list[Row]]:
    """A case that asks whether rows can be told from real ones."""

    def measure(root: Path, data: Path) -> list[Row]:
        case = Case(name, root, data)
        told, auc = [], []
        for seed in range(SEEDS):
            made = case.rows(case.fitted(seed, "table_ar")[0])
            told.append(case.apart(made, case.train, seed)["score"])
            auc.append(case.score(made, "auc", seed))
        return [
            row(f"{name}, real rows: AUC", [case.score(case.train, "auc", seed) for seed in range(SEEDS)]),
            row(f"{name}, table_ar: AUC", auc),
            row(f"{name}, table_ar: detection score against train", told, "", ">= .95"),
        ]

    return measure


def mammography(root: Path, data: Path) -> list[Row]:
    """One positive in forty: which remedy helps the rare class, if any. Rows as made, before the gate."""
    case = Case("mammography", root, data)
    _, rare = focus_of(case.train.question.classes, None, case.train.labels)
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        sampler, _ = case.fitted(seed, "table_ar")
        counts = np.bincount(case.train.labels)
        word = case.train.question.classes[rare]
        made = case.as_rows(sampler(word, 0, int(counts.max() - counts[rare])))
        trial = Trial(case.train, made, rare, case.form, effort_of(case.config))
        told = compare_remedies(trial, case.val, case.test, seed)
        print(f"  seed {seed}: {told['wins']} wins on val", flush=True)
        for name, scored in told["remedies"].items():
            found.setdefault(f"{name}: PR-AUC on test", []).append(scored["test_pr_auc"])
            found.setdefault(f"{name}: F1 on test", []).append(scored["test_f1"])
    nothing = np.array(found["nothing: PR-AUC on test"])
    lost = np.array(found["generated: PR-AUC on test"]) - nothing
    return [
        *(row(f"mammography, {name}", values) for name, values in found.items()),
        row("mammography, PR-AUC with all generated rows, difference", lost.tolist()),
    ]


def cost(root: Path, data: Path) -> list[Row]:
    """What training costs on n, 4n and 16n rows, to the same epochs."""
    import torch

    from synth.fit import Settings
    from synth.fit import fit as fit_model
    from synth.models import table_ar
    from synth.tables.fitting import TableRows
    from synth.tables.tokens import measure
    from synth.tables.training import neighbours, shape_of

    case = Case("adult", root, data)
    config = table_ar.PRESETS["standard"]
    seconds = []
    sizes = [len(case.train) // 16, len(case.train) // 4, len(case.train)]
    tokens = measure(case.train.matrix, case.form)
    for size in sizes:
        coded = tokens.encode(case.train.matrix[:size])
        rows = TableRows(torch.from_numpy(coded), torch.zeros(size, dtype=torch.int64))
        shape = shape_of(tokens, torch.from_numpy(neighbours.choose(coded, tokens.sizes, config.neighbours)))
        steps = int(np.ceil(config.epochs * size / config.batch_size))
        settings = Settings(max_steps=steps, batch_size=config.batch_size, quality_every=max(1, steps // 3))
        began = time.perf_counter()
        fit_model(lambda attempt, shape=shape: table_ar.build(config, shape), rows, settings=settings)
        seconds.append(time.perf_counter() - began)
        row(f"adult, table_ar on {size} rows, {config.epochs:g} epochs", [seconds[-1]], "s")
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    return [row("adult, table_ar: time exponent of n, 4n, 16n rows", [slope], "", "<= 1.05")]


CASES: dict[str, Callable[[Path, Path], list[Row]]] = {
    "adult": adult,
    "adult-others": others,
    "california": california,
    "bank-marketing": detection_of("bank-marketing"),
    "mushrooms": detection_of("mushrooms"),
    "mammography": mammography,
    "cost": cost,
}


def main() -> None:
    """Measure, print, write JSON."""
    shared = Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--data", type=Path, default=shared / "tabular")
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    if not given.data.is_dir():
        print(f"there are no tables in {given.data}; --data names the folder of adult, california-housing and others")
        return
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as folder:
        for case in given.cases:
            found += CASES[case](Path(folder), given.data)
    if given.out:
        Path(given.out).write_text(json.dumps([dataclasses.asdict(line) for line in found], indent=1))


if __name__ == "__main__":
    main()

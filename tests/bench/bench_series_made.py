"""How real generated windows of a time series are, and what they cost, beside real ones and published figures.

ETTh1 in windows of 24 hours, all 17,397 of them, one for each hour at which one can begin, as papers on generators cut
it. Each generator is fitted on all of them, on --threads threads of this process, by the code that Ray's workers run,
and as many windows are drawn. Asked of them: the two scores of published tables (synth/series/timegan_protocol.py), the
discriminative one also after four times the steps; gradient boosting across time (synth/series/two_sample.py);
likeness, and nearest distances, beside those of real windows to real ones of another time. Every figure is over
--seeds seeds of the generator: mean and spread, and stands below the same of real windows against real ones. With
--privacy each generator is fitted once more on two thirds of the time, and asked whether its windows lie nearer to
these than to the rest. ETTh1.csv lies in --data (or $SEEDBED_TEST_DATA/timeseries/ett).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from figures import Row, row

import conf
from conf import runs
from conf.errors import RecipeError
from conf.schema import Generate
from synth.job import job_of
from synth.series import timegan_protocol as published
from synth.series.likeness import privacy_of, quality_of
from synth.series.rows import Codes, Windows
from synth.series.two_sample import across_time, ceiling_across_time, time_folds
from synth.work import work
from udfs import records
from udfs.series.windows import listed

REPOSITORY = Path(__file__).resolve().parents[2]
CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
STEPS = 24
MODELS = ("series_mixture", "series_vae", "series_gan", "series_flow")
LONG = 4 * published.DISCRIMINATIVE_STEPS
PEERS = {"short": "Diffusion-TS .061", "predictive": "Diffusion-TS .119; its real windows .114 to .121"}
BARS = {"short": "<= 0.01", "long": "<= 0.02", "boosting": "<= 0.80", "seconds": "<= 10"}
NET_BARS = {"short": "<= 0.061", "seconds": "<= 300"}
LEAST_PREDICTIVE = 1.01  # of what real windows reach
LIKE = ("autocorrelation", "cross_correlation", "spectrum", "ks", "wasserstein")


def windows_of(data: Path) -> Windows:
    """float64[17397, 24, 7]."""
    values = np.loadtxt(data / "ETTh1.csv", delimiter=",", skiprows=1, usecols=range(1, len(CHANNELS) + 1))
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(values, STEPS, axis=0).transpose(0, 2, 1))


def config_of(root: Path, model: str, seed: int) -> tuple[conf.Config, Generate]:
    """A recipe of unlabelled windows and its one generator. Raises RecipeError for a model that there is not."""
    told = {
        "name": "ett",
        "modality": "series",
        "series": {"length": STEPS, "channels": list(CHANNELS)},
        "labels": [],
        "seed": seed,
        "sources": [{"name": "ett", "reader": "json_lines", "path": "none.jsonl"}],
        "split": {"val": 0.1, "rest": "train", "test": 0.1, "stratify": None},
        "generate": [{"model": model, "rows": {"like": "train"}}],
    }
    file = root / "ett.yaml"
    file.write_text(json.dumps(told))  # JSON is YAML
    config = conf.load(str(file), "local", [], str(root))
    return config, config.recipe.generate[0]


def fitted(root: Path, model: str, seed: int, windows: Windows, threads: int = 2) -> tuple[Any, float]:
    """A sampler of the generator, fitted on the windows, and the seconds that fitting took."""
    config, generator = config_of(root, model, seed)
    folder = Path(tempfile.mkdtemp(dir=root))
    ids = [records.maker("real", "ett") + records.which(str(place)) for place in range(len(windows))]
    rows = {"row_id": ids, "label": pa.nulls(len(ids), pa.string()), "series": listed(windows)}
    (folder / "rows").mkdir()
    pq.write_table(pa.table(rows), folder / "rows" / "part-0.parquet")
    job = job_of(config, generator, str(folder / "rows"), str(folder / "fitted"))
    began = time.perf_counter()
    work(dataclasses.replace(job, settings=dataclasses.replace(job.settings, threads=threads)))
    seconds = time.perf_counter() - began
    told = runs.read_json(str(folder / "fitted"), "fitted.json")
    assert told and "error" not in told, told
    from synth.series.sampler import Sampler

    return Sampler(f"{folder}/fitted/checkpoint"), seconds


def drawn(sampler: Any, count: int) -> tuple[Windows, float]:
    """So many windows, and the windows drawn a second."""
    began = time.perf_counter()
    made = sampler.windows("", 0, count)
    return made, count / (time.perf_counter() - began)


def asked(made: Windows, real: Windows, starts: Codes, seed: int) -> dict[str, float]:
    """Every figure of one set of made windows."""
    known, unseen = next(time_folds(starts, STEPS))
    like = quality_of(made, real, real[unseen])
    near = privacy_of(made, real[known], real[unseen])
    assert like and near
    return {
        "short": published.discriminative(real, made, seed),
        "long": published.discriminative(real, made, seed, LONG),
        "boosting": across_time(made, real, starts, seed)["auc"],
        "predictive": published.predictive(made, real, seed),
        **{name: like[name] for name in (*LIKE, "precision", "coverage")},
        "copies": near["copies"],
        "near_copies": near["near_copies"],
        "nearest": near["nearest_train"]["0.5"] / near["held_out_to_train"]["0.5"],
    }


def ceiling(real: Windows, starts: Codes, seed: int) -> dict[str, float]:
    """The same of real windows against real ones: halves by chance for published scores, of other times elsewhere."""
    half = np.random.default_rng([seed, 0x4A1F]).permutation(len(real))
    first, second = np.sort(half[::2]), np.sort(half[1::2])
    known, unseen = next(time_folds(starts, STEPS))
    like = quality_of(real[unseen], real[known], real[unseen])
    assert like
    return {
        "short": published.discriminative(real[first], real[second], seed),
        "long": published.discriminative(real[first], real[second], seed, LONG),
        "boosting": ceiling_across_time(real, starts, seed)["auc"],
        "predictive": published.predictive(real, real, seed),
        **{name: like[name] for name in LIKE},
    }


WORDS = {
    "short": "discriminative score, 2,000 steps",
    "long": f"discriminative score, {LONG:,} steps",
    "boosting": "boosting across time: AUC",
    "predictive": "predictive score",
    "autocorrelation": "difference of autocorrelations",
    "cross_correlation": "difference of cross-correlations",
    "spectrum": "difference of log powers",
    "ks": "difference of values, KS",
    "wasserstein": "difference of values, Wasserstein",
    "precision": "precision",
    "coverage": "coverage",
    "copies": "copies, share",
    "near_copies": "near copies, share",
    "nearest": "nearest real window, middle, beside held-out ones'",
    "seconds": "fitted in",
    "pace": "drawn",
    "nearer": "nearer to windows learned from",
}
UNITS = {"seconds": "s", "pace": "rows/s"}


def told(case: str, found: dict[str, list[float]], bars: dict[str, str]) -> list[Row]:
    """Lines of the table."""
    return [
        row(f"{case}: {WORDS[name]}", values, UNITS.get(name, ""), bars.get(name, ""), PEERS.get(name, ""), 4)
        for name, values in found.items()
    ]


def measured(given: argparse.Namespace, root: Path) -> list[Row]:
    """All lines."""
    real = windows_of(given.data)
    starts = np.arange(len(real))
    found: dict[str, list[float]] = {}
    for seed in range(given.seeds):
        for name, value in ceiling(real, starts, seed).items():
            found.setdefault(name, []).append(value)
    lines = told("real", found, {})
    least = f"<= {LEAST_PREDICTIVE * np.mean(found['predictive']):.5f}"
    for model in given.models:
        try:
            config_of(root, model, 0)
        except RecipeError as error:
            print(f"{model} is left out: {error}", flush=True)
            continue
        bars = (BARS if model == "series_mixture" else NET_BARS) | {"predictive": least}
        lines += told(model, generator(given, root, model, real, starts), bars)
    return lines


def generator(
    given: argparse.Namespace, root: Path, model: str, real: Windows, starts: Codes
) -> dict[str, list[float]]:
    """The figures of a generator, one a seed."""
    found: dict[str, list[float]] = {}
    for seed in range(given.seeds):
        sampler, seconds = fitted(root, model, seed, real, given.threads)
        made, pace = drawn(sampler, len(real))
        figures = {"seconds": seconds, "pace": pace, **asked(made, real, starts, seed)}
        if given.privacy:
            known, unseen = next(time_folds(starts, STEPS))
            fresh, _ = drawn(fitted(root, model, seed, real[known], given.threads)[0], len(real))
            near = privacy_of(fresh, real[known], real[unseen])
            assert near
            figures["nearer"] = near["dcr_share"]
        for name, value in figures.items():
            found.setdefault(name, []).append(float(value))
    return found


def main() -> None:
    """Measure, print, write JSON."""
    shared = Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--privacy", action="store_true")
    parser.add_argument("--data", type=Path, default=shared / "timeseries" / "ett")
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    if not (given.data / "ETTh1.csv").is_file():
        print(f"there is no ETTh1.csv in {given.data}; --data names its folder")
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as folder:
        found = measured(given, Path(folder))
    if given.out:
        Path(given.out).write_text(json.dumps([dataclasses.asdict(line) for line in found], indent=1))


if __name__ == "__main__":
    main()

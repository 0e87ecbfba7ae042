"""What `augment: auto` chooses, and what its choice is worth on rows that had no say in it; both sides, seed by seed.

Each seed splits the data anew (as many of each label as in all of them), chooses on the train rows as the stage does
(`synth/choice.py` over `synth/held_out.py`, in this process, without Spark and Ray), and has the recipe's judges tell
test rows after train rows alone and after these and the chosen children. The errors are shares of wrong answers. The
data lie in --data (or $SEEDBED_TEST_DATA); digits come with scikit-learn.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import torch
from figures import Row, row
from sklearn.datasets import load_digits

import conf
from conf import Config
from conf.schema import NO_STEPS
from synth.choice import decided, heard
from synth.choose import joined, told_trial
from synth.decide import Losses
from synth.duty import Duty, effort_of
from synth.encode import in_random_order
from synth.held_out import Setting, Trial
from synth.usefulness import AUGMENT, TRAIN
from udfs import image, records

REPOSITORY = Path(__file__).resolve().parents[2]
JUDGE_SEEDS = 3
BARS = {"robot-failures": {"nearest": ">= 30"}}
Data = tuple[dict[str, pa.Array], list[str]]  # payload columns, labels


def robots(data: Path) -> Data:
    """The windows of lp1.data: blocks of a label and 15 lines."""
    blocks = (data / "timeseries/robot-failures/lp1.data").read_text("utf-8").split("\n\n")
    some = [[line.split() for line in block.splitlines() if line.strip()] for block in blocks if block.strip()]
    windows = [[float(value) for line in lines for value in line] for _, *lines in some]
    return {"series": pa.array(windows, pa.list_(pa.float32()))}, [head[0] for head, *_ in some]


def messages(data: Path) -> Data:
    """Distinct messages."""
    lines = (data / "text/sms-spam/SMSSpamCollection").read_text("utf-8").splitlines()
    told = dict(reversed(line.split("\t", 1)) for line in lines)  # type: ignore[misc]
    return {"text": pa.array(list(told), pa.string())}, list(told.values())


def digits(data: Path) -> Data:
    """scikit-learn's 1,797 digits."""
    bunch = load_digits()
    images = np.round(bunch.images * 255 / 16).astype(np.uint8)[..., None]
    return {"image": pa.array(image.encode(images), pa.binary())}, [str(each) for each in bunch.target]


CASES: dict[str, tuple[Callable[[Path], Data], int]] = {
    "robot-failures": (robots, 43),
    "sms-spam": (messages, 200),
    "digits": (digits, 100),
}


def drawn(labels: Sequence[str], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of `count` train rows with the labels' shares, and of all others."""
    random, codes = np.random.default_rng(seed), np.unique(labels, return_inverse=True)[1]
    share = count / len(codes)
    order = [random.permutation(np.flatnonzero(codes == code)) for code in range(codes.max() + 1)]
    learned = np.concatenate([each[: round(share * len(each))] for each in order])
    return learned, np.setdiff1d(np.arange(len(codes)), learned)


def table(data: Data, places: np.ndarray, config: Config) -> pa.Table:
    """Some of the rows as the stages before `choose` leave them."""
    payload, labels = data
    columns = {
        "row_id": [records.real_id("bench", str(place).encode()) for place in places],
        "row_origin": ["real"] * len(places),
        "row_parents": pa.array([[]] * len(places), pa.list_(pa.string())),
        "row_split": ["train"] * len(places),
        "row_label_source": ["given"] * len(places),
        "label": [labels[place] for place in places],
        **{name: values.take(pa.array(places)) for name, values in payload.items()},
    }
    return in_random_order(records.conform(pa.table(columns), records.row_schema(config.recipe)))


def chosen(config: Config, train: pa.Table) -> dict[str, Any]:
    """What the stage would write."""
    augment = config.recipe.augment
    assert augment is not None
    folds = range(augment.folds)

    def hear(names: Sequence[str], repeats: range) -> Mapping[str, Losses]:
        trials = [Trial(name, repeat, fold) for name in names for repeat in repeats for fold in folds]
        told = {each: told_trial(each, config, train, None) for each in trials}
        return {name: joined(told, name, repeats, folds, train.num_rows) for name in names}

    return decided(augment, heard(augment, hear), config.recipe.seed)


def errors(config: Config, train: pa.Table, test: pa.Table, candidate: str) -> dict[str, float]:
    """By judge: the share of wrong answers on test, with a candidate's children."""
    setting = Setting(config, None)
    whole, asked = setting.pool(train, {}), setting.pool(test, {})
    made = setting.children(train, whole, Trial(candidate, 0, 0))
    found = {}
    for kind in config.recipe.evaluate.judges:
        duties = [
            Duty(
                kind,
                config.recipe.seed + each,
                effort_of(config),
                len(config.recipe.labels),
                {TRAIN: None, AUGMENT: None},
            )
            for each in range(JUDGE_SEEDS)
        ]
        said = [setting.ask(duty, asked.rows, (TRAIN, AUGMENT), whole, made) for duty in duties]
        found[kind] = setting.losses({kind: said}, asked.rows, whole.rows).error()
    return found


def case(name: str, folder: Path, seeds: int, overrides: Sequence[str]) -> list[Row]:
    """One recipe's rows."""
    read, count = CASES[name]
    data, sides = read(folder), dict[str, list[dict[str, float]]](without=[], with_=[])
    for seed in range(seeds):
        config = conf.load(name, "local", ["augment={choose: cross_validation}", f"seed={seed}", *overrides], "unused")
        learned, asked = drawn(data[1], count, seed)
        train, test = table(data, learned, config), table(data, asked, config)
        told = chosen(config, train)
        for side, candidate in (("without", NO_STEPS), ("with_", told["chosen"])):
            sides[side].append(errors(config, train, test, candidate))
        print(f"{name}, seed {seed}: {told['why']}; test: {sides['without'][-1]} {sides['with_'][-1]}", flush=True)
    lines = []
    for kind in sides["without"][0]:
        without, with_ = ([each[kind] for each in sides[side]] for side in ("without", "with_"))
        lines += [
            row(f"{name}, {kind}: error, real rows", without),
            row(f"{name}, {kind}: error, with the choice", with_),
        ]
        cut = 100 * (1 - np.mean(with_) / np.mean(without))
        lines.append(row(f"{name}, {kind}: cut of the mean error", [cut], "%", BARS.get(name, {}).get(kind, "")))
    return lines


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    shared = Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=shared)
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = [line for name in given.cases for line in case(name, given.data, given.seeds, given.overrides)]
    if given.out:
        Path(given.out).write_text(json.dumps([dataclasses.asdict(line) for line in found], indent=1))


if __name__ == "__main__":
    main()

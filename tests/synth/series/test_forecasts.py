"""Windows without labels: forecasts as their judge, the measures of forecasts, and rows that do harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conf.errors import RecipeError
from synth.arms import Pool
from synth.decide import Losses, compare
from synth.judges import Effort
from synth.labelled.duty import asked_evenly
from synth.series import forecasts
from synth.series.judges import fit
from synth.series.rows import Question, Rows, ends, horizon, known
from synth.series.verdicts import bench, judge_rows
from synth.usefulness import AUGMENT, TRAIN, usefulness
from tests.jobs.series.made import recipe
from tests.udfs.series.test_series_likeness import waves

EFFORT = Effort(10, 8, 1)


def rows(windows: np.ndarray, real: bool = True) -> Rows:
    """Windows without labels."""
    return Rows(windows, np.zeros(len(windows), np.int64), Question(()), None, None, np.full(len(windows), real))


def pool(windows: np.ndarray, maker: str) -> Pool:
    """The same with ids, their hashes spread evenly; `maker` is a digit."""
    ids = [f"{maker * 16}{place * 2**96 // len(windows):024x}" for place in range(len(windows))]
    return Pool(ids, rows(windows, maker == "0"), len(windows))


def test_a_forecast_is_near_the_best_that_can_be_made_and_sees_no_end() -> None:
    learned, asked = rows(waves(800)), rows(waves(300, seed=1))
    judge = fit("forecast", learned, EFFORT, 0)
    told = forecasts.measures(judge.predict(asked.payload), asked.targets)
    noise = 0.3 * np.sqrt(2 / np.pi) / forecasts.units(asked.targets)  # what nobody can foretell
    assert noise.mean() < told["mae"] < 1.25 * noise.mean() < 0.8
    assert asked.payload.shape[1] + horizon(24) == 24 and asked.targets.shape == (300, 6, 2)
    hidden = asked.windows.copy()
    hidden[:, -6:] = 1e6
    assert np.array_equal(judge.predict(hidden), judge.predict(asked.payload))


def test_long_windows_go_by_components_and_a_walk_is_forecast_from_its_last_value() -> None:
    random = np.random.default_rng(0)
    walks = random.normal(size=(500, 100, 4)).cumsum(1)
    judge = fit("forecast", rows(walks[:400]), EFFORT, 0)
    asked = rows(walks[400:])
    naive = forecasts.measures(np.repeat(asked.payload[:, -1:], horizon(100), 1), asked.targets)
    assert judge.anchor == 1 and judge.axes is not None
    assert forecasts.measures(judge.predict(asked.payload), asked.targets)["mae"] < 1.03 * naive["mae"]


def test_errors_are_in_deviations_and_what_is_missing_is_not_asked() -> None:
    asked = waves(200)
    said = ends(asked) + 0.1
    unit = np.array([1024.0, 0.5])
    plain = forecasts.row_errors(said, ends(asked))
    assert np.allclose(plain, forecasts.row_errors(said * unit, ends(asked) * unit))
    assert np.isclose(plain.mean(), forecasts.measures(said, ends(asked))["mae"])
    gaps = asked.copy()
    gaps[3, -6:] = np.nan
    gaps[4, -1] = np.nan
    told = forecasts.row_errors(said, ends(gaps))
    assert told[3] == 0 and np.isfinite(told).all() and np.isfinite(forecasts.measures(said, ends(gaps))["rmse"])
    constant = np.ones((3, 8, 1))
    assert (forecasts.row_errors(ends(constant) + 1, ends(constant)) == 1).all()
    learned = rows(gaps)
    assert np.isfinite(fit("forecast", learned, EFFORT, 0).predict(known(gaps))).all()


def unlabelled(tmp_path, **parts):
    """A recipe of series without labels."""
    return recipe(tmp_path, labels=[], split={"train": 60, "val": 60, "rest": "test", "stratify": None}, **parts)


def test_noise_and_shuffled_time_are_refused_as_worse_and_real_rows_are_not(tmp_path) -> None:
    config = unlabelled(tmp_path, evaluate={"seeds": 1})
    random = np.random.default_rng(3)
    made = {
        AUGMENT: pool(waves(400, seed=2), "1"),
        "sample.noise": pool(random.normal(size=(400, 24, 2)), "2"),
        "sample.shuffled": pool(random.permuted(waves(400, seed=4), axis=1), "3"),
        "sample.real": pool(waves(400, seed=5), "4"),
    }
    train, val = pool(waves(40), "0"), pool(waves(200, seed=1), "0")
    pools = {TRAIN: train, **made}

    def ask(duties):
        told = [(duty, tuple(duty.places), [pools[name] for name in duty.places]) for duty in duties]
        return [asked_evenly("synth.series", duty, val.rows.payload, names, *some) for duty, names, some in told]

    found = usefulness(config, val, made, ask, forecasts.losses_of)
    assert found["augmented"]["verdict"] == "kept"
    assert {name: each["verdict"] for name, each in found["generated"].items()} == {
        "noise": "worse", "shuffled": "worse", "real": "kept",
    }  # fmt: skip
    errors = found["generated"]["noise"]["val_error"]
    assert errors["with"] > errors["without"] > 0
    assert found == usefulness(config, val, made, ask, forecasts.losses_of)


def test_windows_that_overlap_are_drawn_together() -> None:
    """Ten stretches of forty windows that say the same are ten observations, not four hundred."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 40)
    off = random.normal(size=10)[groups][None] + 0.1
    nothing, more = (Losses({"forecast": each}, {"forecast": each}) for each in (0 * off, off))
    alone, together = (compare(nothing, more, 0, each) for each in (None, groups))
    width = [each.interval[1] - each.interval[0] for each in (alone, together)]
    assert width[1] > 4 * width[0] and alone.with_ == together.with_
    few = compare(nothing, more, 0, groups // 5)
    assert few.interval == alone.interval  # of two groups nothing can be said: rows are drawn


def test_verdicts_without_labels_tell_copies_and_strangers_and_agree_with_none(tmp_path) -> None:
    train, val = pool(waves(100), "0"), pool(waves(100, seed=1), "0")
    against = bench([], {}, train, val, unlabelled(tmp_path))
    windows = np.concatenate([train.rows.windows[:1], train.rows.windows[1:2] + 1e-3, waves(2, seed=9), 50 + waves(1)])
    told = judge_rows(pool(windows, "1"), against)
    assert told.column("is_copy").to_pylist() == [True, True, False, False, False]
    children = replace(pool(windows, "1"), rows=rows(windows))
    child_of = bench([], dict.fromkeys(range(len(windows)), 0), train, val, unlabelled(tmp_path))
    assert judge_rows(children, child_of).column("is_copy").to_pylist() == [True, False, False, False, False]
    assert told.column("is_far").to_pylist() == [False, False, False, False, True]
    assert told.column("agreement").null_count == told.column("predicted").null_count == 5


def test_a_judge_of_labels_is_not_asked_without_them_nor_a_forecast_with_them(tmp_path) -> None:
    assert unlabelled(tmp_path).recipe.evaluate.judges == ["forecast"]
    for parts, words in (
        ({"labels": [], "evaluate": {"judges": ["cnn"]}}, "the judge cnn needs labels"),
        ({"evaluate": {"judges": ["forecast"]}}, "is for series without labels"),
    ):
        with pytest.raises(RecipeError, match=words):
            recipe(tmp_path, **{"split": {"train": 60, "rest": "test", "stratify": None}, **parts})

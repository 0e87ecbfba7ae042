"""Judges of series: they learn what tells the labels, are the same each time, and tell copies and strangers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from conf.schema import Gate
from synth.arms import Pool
from synth.judges import Effort
from synth.labelled.verdicts import passing
from synth.series.judges import OF_LABELS, fit
from synth.series.judges.rocket import Kernel, convolved, ridge
from synth.series.pools import to_pool
from synth.series.rows import Question, Rows, joined
from synth.series.scaled import nearest
from synth.series.verdicts import bench, judge_rows
from tests.jobs.series.made import CHANNELS, LABELS, STEPS, lines, recipe, windows

EFFORT = Effort(150, 32, 1)
QUESTION = Question(LABELS)


def rows(count: int, first: int = 0) -> Rows:
    """Made-up windows."""
    some = windows(count, first)
    values = np.array([window for window, _ in some]).reshape(-1, STEPS, CHANNELS)
    return Rows(values, np.array([LABELS.index(label) for _, label in some]), QUESTION)


def hard(count: int, first: int = 0) -> Rows:
    """Windows that are hard to tell: the first channel is noisy, the second nothing but noise, and large."""
    told = rows(count, first)
    noise = np.random.default_rng(first).normal(size=told.windows.shape) * np.array([1.5, 40.0])
    return Rows(told.windows + noise, told.labels, QUESTION)


@pytest.mark.parametrize("kind", OF_LABELS)
def test_a_judge_learns_what_tells_the_labels_and_is_the_same_each_time(kind: str) -> None:
    learned, asked = rows(40), rows(60, first=5000)
    said = fit(kind, learned, EFFORT, 3).predict(asked.windows)
    assert (said.argmax(1) == asked.labels).mean() > 0.95 and np.allclose(said.sum(1), 1)
    assert np.array_equal(said, fit(kind, learned, EFFORT, 3).predict(asked.windows))
    one = fit(kind, learned.take(learned.labels == 1), EFFORT, 3).predict(asked.windows)
    assert (one.argmax(1) == 1).all()  # nothing else was ever seen
    gaps = asked.windows.copy()
    gaps[:, 3] = np.nan
    assert (fit(kind, learned, EFFORT, 3).predict(gaps).argmax(1) == asked.labels).mean() > 0.9


@pytest.mark.parametrize("kind", OF_LABELS)
def test_no_unit_of_a_channel_counts(kind: str) -> None:
    """A channel in millimetres instead of metres is the same channel."""
    learned, asked = hard(40), hard(30, first=5000)
    unit = np.array([1024.0, 1.0])
    other = Rows(learned.windows * unit, learned.labels, QUESTION)
    said = fit(kind, learned, EFFORT, 0).predict(asked.windows)
    assert said.min(1).max() > 0.3  # unsure of some, so that small changes would show
    assert np.allclose(said, fit(kind, other, EFFORT, 0).predict(asked.windows * unit), atol=1e-6)


def test_the_nearest_is_sklearns() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    learned, asked = hard(60), hard(80, first=900)
    centre, width = learned.windows.mean((0, 1)), learned.windows.std((0, 1))
    flat = [((each.windows - centre) / width).reshape(len(each), -1) for each in (learned, asked)]
    wanted = KNeighborsClassifier(1).fit(flat[0], learned.labels).predict(flat[1])
    said = fit("nearest", learned, EFFORT, 0).predict(asked.windows)
    assert np.array_equal(said.argmax(1), wanted)


def test_convolution_and_ridge_are_those_of_the_textbook() -> None:
    from sklearn.linear_model import Ridge

    random = np.random.default_rng(0)
    window, weights = random.normal(size=(1, 20, 3)), random.normal(size=(7, 2))
    told = convolved(window, Kernel(weights, np.array([0, 2]), 2, 0.5, False))
    wanted = [0.5 + sum(window[0, t + 2 * k, c] * w for k, pair in enumerate(weights) for c, w in zip((0, 2), pair, strict=True)) for t in range(8)]  # fmt: skip  # noqa: E501
    assert np.allclose(told[0], wanted)
    values, targets = random.normal(size=(30, 50)), random.normal(size=(30, 2))
    ((found, offsets),) = ridge(values, targets, (3.0,))
    model = Ridge(3.0).fit(values, targets)
    assert np.allclose(found.T, model.coef_) and np.allclose(offsets, model.intercept_)


def test_a_mixed_row_counts_for_both_of_its_labels() -> None:
    learned = rows(30)
    mixed = Rows(learned.windows, learned.labels, QUESTION, np.full((len(learned), 2), 0.5))
    said = fit("rocket", joined([mixed, mixed]), EFFORT, 0).predict(learned.windows)
    assert np.abs(said[:, 0] - 0.5).max() < 0.1


def test_an_equal_window_lies_at_no_distance() -> None:
    known = np.random.default_rng(0).normal(size=(700, 30))
    distance, place = nearest(known, known)
    assert (distance == 0).all() and np.array_equal(place, np.arange(700))
    assert nearest(known[:0], known)[0].shape == (0,)


def test_verdicts_tell_copies_and_strangers_of_synthetic_rows_alone(tmp_path) -> None:
    (tmp_path / "waves.jsonl").write_text(lines(windows(40)))
    config = recipe(tmp_path)
    train, val = rows(40), rows(40, first=3000)
    pools = [Pool([f"{place:040x}" for place in range(len(each))], each, len(each)) for each in (train, val)]
    against = bench([fit("rocket", train, EFFORT, 0)], dict.fromkeys(range(len(train)), 0), *pools, config)
    wrong = rows(2, first=9000)
    told = np.concatenate([train.windows[:1], wrong.windows, 50 + wrong.windows])
    labels = np.array([train.labels[0], *(1 - wrong.labels), *wrong.labels])
    made = Rows(told, labels, QUESTION, None, np.full(len(told), 10**6))
    verdicts = judge_rows(Pool([f"{place:a>40x}" for place in range(5)], made, 5, ("e" * 40,)), against)
    assert verdicts.column("is_copy").to_pylist() == [True, *[False] * 5]
    assert verdicts.column("is_far").to_pylist() == [False, False, False, True, True, False]
    assert verdicts.column("is_unreadable").to_pylist() == [*[False] * 5, True]
    kept = verdicts.slice(0, 5)
    assert passing(kept, np.ones(5, bool), Gate()).tolist() == [False] * 5  # a copy; wrong labels; too far
    assert passing(kept, np.zeros(5, bool), Gate()).tolist() == [True, True, True, False, False]


def test_rows_that_hold_nothing_are_named(tmp_path) -> None:
    (tmp_path / "waves.jsonl").write_text(lines(windows(40)))
    good, nothing = [0.5] * (STEPS * CHANNELS), [float("nan")] * (STEPS * CHANNELS)
    infinite = [float("inf"), *good[1:]]
    table = pa.table(
        {
            "row_id": [f"{place:040x}" for place in range(4)],
            "row_origin": ["real"] * 4,
            "row_parents": pa.nulls(4, pa.list_(pa.string())),
            "row_group": pa.nulls(4, pa.string()),
            "label": ["rise"] * 4,
            "soft_label": pa.nulls(4, pa.map_(pa.string(), pa.float64())),
            "series": pa.array([good, nothing, None, infinite], pa.list_(pa.float32())),
        }
    )
    pool = to_pool(table, recipe(tmp_path), {})
    assert len(pool) == 1 and [int(each, 16) for each in pool.unreadable] == [1, 2, 3]

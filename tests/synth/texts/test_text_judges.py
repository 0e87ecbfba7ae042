"""Judges of texts: they learn what tells the labels, know how rare a label is, and are the same each time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from conf.schema import Gate
from synth.arms import Pool
from synth.judges import Effort
from synth.labelled.verdicts import passing
from synth.texts.judges import KINDS, fit
from synth.texts.rows import Question, Rows, joined
from synth.texts.verdicts import bench, judge_rows
from tests.jobs.texts.made import recipe, texts, write

EFFORT = Effort(150, 32, 1)
QUESTION = Question(("good", "bad"))


def rows(count: int, first: int = 0, rare: int = 1) -> Rows:
    """Made-up texts, of the bad ones each `rare`-th."""
    some = [(text, label) for text, label in texts(count * rare * 2, first)]
    good = [each for each in some if each[1] == "good"][:count]
    bad = [each for each in some if each[1] == "bad"][: max(count // rare, 1)]
    told = [*good, *bad]
    return Rows(tuple(t for t, _ in told), np.array([int(label == "bad") for _, label in told]), QUESTION)


@pytest.mark.parametrize("kind", KINDS)
def test_a_judge_learns_what_tells_the_labels_and_is_the_same_each_time(kind: str) -> None:
    learned, asked = rows(40), rows(60, first=5000)
    said = fit(kind, learned, EFFORT, 3).predict(asked.texts)
    assert ((said.argmax(1) == asked.labels).mean() > 0.95) and np.allclose(said.sum(1), 1)
    assert np.array_equal(said, fit(kind, learned, EFFORT, 3).predict(asked.texts))
    one = fit(kind, learned.take(learned.labels == 1), EFFORT, 3).predict(asked.texts)
    assert (one.argmax(1) == 1).all()  # nothing else was ever seen


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_a_rare_label_is_as_frequent_in_answers_as_in_rows(kind: str) -> None:
    """A strong penalty makes few rows look rarer than they are; scores are moved until they do not."""
    random = np.random.default_rng(0)
    words = [f"w{number}" for number in range(300)]

    def noisy(count: int) -> Rows:
        labels = (random.random(count) < 0.12).astype(np.int64)
        drawn = [random.choice(words, 12).tolist() for _ in range(count)]
        told = [
            [*each, *(["alert"] if label and random.random() < 0.7 else [])]
            for each, label in zip(drawn, labels, strict=True)
        ]
        return Rows(tuple(map(" ".join, told)), labels, QUESTION)

    learned, asked = noisy(400), noisy(3000)
    said = fit(kind, learned, EFFORT, 0).predict(asked.texts)
    assert said[:, 1].mean() == pytest.approx(learned.labels.mean(), abs=0.04)


def test_a_mixed_row_counts_for_both_of_its_labels() -> None:
    learned = rows(30)
    mixed = Rows(learned.texts, learned.labels, QUESTION, np.full((len(learned), 2), 0.5))
    said = fit("words", joined([mixed, mixed]), EFFORT, 0).predict(learned.texts)
    assert np.abs(said[:, 0] - 0.5).max() < 0.1


def test_verdicts_tell_copies_and_strangers_of_synthetic_rows_alone(tmp_path) -> None:
    write(tmp_path, texts(40))
    config = recipe(tmp_path)
    train, val = rows(40), rows(40, first=3000)
    pools = [Pool([f"{place:040x}" for place in range(len(each))], each, len(each)) for each in (train, val)]
    judge = fit("characters", train, EFFORT, 0)
    against = bench([judge], dict.fromkeys(range(len(train)), 0), *pools, config)
    wrong = rows(2, first=9000)  # four texts
    told = (f"  {train.texts[0].upper()} ", *wrong.texts)
    made = Rows(told, np.array([train.labels[0], *(1 - wrong.labels)]), QUESTION, None, np.full(len(told), 10**6))
    ids = [f"{place:a>40x}" for place in range(len(told))]
    verdicts = judge_rows(Pool(ids, made, len(told), ("e" * 40,)), against)
    assert verdicts.column("is_copy").to_pylist() == [True, *[False] * len(told)]
    assert verdicts.column("is_unreadable").to_pylist() == [*[False] * len(told), True]
    assert verdicts.column("nearest_id")[0].as_py() == pools[0].ids[0]
    synthetic, gate = np.ones(len(told), bool), Gate()
    kept = verdicts.slice(0, len(told))
    assert passing(kept, synthetic, gate).tolist() == [False] * len(told)  # a copy; labels that nobody believes
    assert passing(kept, ~synthetic, gate).all()
    assert isinstance(verdicts, pa.Table)

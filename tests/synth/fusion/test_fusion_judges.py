"""Judges of rows with several payloads: each sees its own, and who sees all can tell whether they match."""

from __future__ import annotations

import numpy as np
import pytest

from synth.arms import Pool
from synth.fusion import judges, verdicts
from synth.fusion.rows import Question, Rows, joined
from synth.judges import Effort

EFFORT = Effort(200, 32, 1)
WORDS = ("circle", "square")


def rows(count: int, seed: int, matching: bool) -> Rows:
    """A dark or a light half on a noisy ground, and a sentence that says which; half of the sentences lie."""
    random = np.random.default_rng(seed)
    shown, told = random.integers(0, 2, count), random.integers(0, 2, count)
    if not matching:
        told = shown
    images = random.integers(90, 130, (count, 12, 12, 1))
    for place, kind in enumerate(shown):
        images[place, :, 6 * kind : 6 * kind + 6] += 90
    images = images.clip(0, 255).astype(np.uint8)
    texts = tuple(f"a {WORDS[kind]} number {number % 7} of it" for number, kind in enumerate(told.tolist()))
    labels = (shown == told).astype(np.int64) if matching else shown
    return Rows({"image": images, "text": texts}, labels, Question(("no", "yes")), groups=np.arange(count))


def right(kind: str, matching: bool) -> float:
    """The share of 200 rows that a judge of 160 tells rightly."""
    judge = judges.fit(kind, rows(160, 1, matching), EFFORT, 0)
    asked = rows(200, 2, matching)
    said = judge.predict(asked.payload)
    assert np.allclose(said.sum(1), 1)
    return float((said.argmax(1) == asked.labels).mean())


@pytest.mark.parametrize("kind", ["image.linear", "text.words", "joint", "towers"])
def test_every_judge_tells_the_label_by_what_it_sees(kind):
    """Where image and text both say the label, all of them find it."""
    assert right(kind, matching=False) > 0.95


@pytest.mark.parametrize(("kind", "least", "most"), [("image.linear", 0.3, 0.65), ("text.words", 0.3, 0.65)])
def test_one_payload_alone_says_nothing_of_a_match(kind, least, most):
    """Whether two payloads match is in neither of them."""
    assert least < right(kind, matching=True) < most


@pytest.mark.parametrize("kind", ["joint", "towers"])
def test_whether_payloads_match_is_told_by_who_sees_both(kind):
    """Exclusive or: no sum of what each payload says has it, products do."""
    assert right(kind, matching=True) > 0.9


@pytest.mark.parametrize("kind", ["joint", "towers"])
def test_the_same_rows_and_seed_make_the_same_judge(kind):
    """Twice the same answers, to the last bit; none of no rows; a payload that is not there is named."""
    some, asked = rows(80, 1, True), rows(20, 2, True)
    first, second = (judges.fit(kind, some, Effort(20, 16, 1), 3).predict(asked.payload) for _ in range(2))
    assert (first == second).all()
    assert len(judges.fit(kind, some, Effort(2, 16, 1), 3).predict(some.take(np.zeros(0, np.int64)).payload)) == 0
    with pytest.raises(ValueError, match="at least one row"):
        judges.fit(kind, some.take(np.zeros(0, np.int64)), EFFORT)
    with pytest.raises(ValueError, match="which hold image, text"):
        judges.fit("series.rocket", some, EFFORT)


def test_rows_are_joined_and_taken_payload_by_payload():
    """Order and company stay: what stands beside an image stands there still."""
    one, two = rows(10, 1, True), rows(5, 2, True)
    both = joined([one, two])
    some = both.take(np.array([12, 3]))
    assert some.payload["text"] == (two.payload["text"][2], one.payload["text"][3])
    assert (some.payload["image"][0] == two.payload["image"][2]).all() and some.labels[1] == one.labels[3]


def test_a_row_that_is_strange_in_one_payload_is_strange(config_for):
    """Copies have all payloads of one train row; a text like no other is far, be its image ever so near."""
    train, val = rows(80, 1, False), rows(60, 2, False)
    pools = [Pool([f"{place:040x}" for place in range(len(each))], each, len(each)) for each in (train, val)]
    judge = judges.fit("joint", train, EFFORT, 0)
    fold_of = dict.fromkeys(train.group_codes().tolist(), 0)
    bench = verdicts.bench([judge], fold_of, *pools, config_for("captioned-digits"))
    strange = rows(3, 5, False)
    first = train.take(np.array([0]))
    texts = (first.payload["text"][0], "a square", "a square number 3 of it")
    images = np.concatenate([first.payload["image"], train.payload["image"][1:2], np.zeros((1, 12, 12, 1), np.uint8)])
    asked = Rows({"image": images, "text": texts}, strange.labels, strange.question)
    told = verdicts.judge_rows(Pool([f"{place:040x}" for place in (100, 101, 102)], asked, 3), bench).to_pylist()
    assert [each["is_copy"] for each in told] == [True, False, False]
    assert [each["is_unreadable"] for each in told] == [False, False, True]
    assert told[0]["nearest_id"] == f"{0:040x}" and told[0]["distance_ratio"] < 1e-6 and told[2]["distance_ratio"] > 3

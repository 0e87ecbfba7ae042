"""Recommenders as judges of made users: what they are asked, what they know, and that harmful users are found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synth.arms import Pool
from synth.behaviour import judges
from synth.behaviour.duty import asked, losses
from synth.behaviour.likeness import divergence, likeness
from synth.behaviour.rows import Items, Rows, catalogue_of, gains, hits, joined, places_in, question, ranks
from synth.behaviour.verdicts import bench, closeness, judge_rows
from synth.duty import Duty
from synth.judges import Effort
from tests.jobs.behaviour.made import recipe

EFFORT = Effort(60, 16, 1)
KINDS = ("item_knn", "sequence")


def rows(users: list[list[int]], real: bool = True) -> Rows:
    items = tuple(np.array(each, np.uint64) for each in users)
    sizes = [len(each) for each in items]
    some = tuple(np.arange(size, dtype=np.float64) % 5 for size in sizes)
    times = tuple(np.arange(size) * 60 for size in sizes)
    return Rows(items, some, times, np.arange(len(items)) + (0 if real else 10_000), np.full(len(items), real))


def walkers(count: int, seed: int = 0) -> list[list[int]]:
    """Users who go round one of two circles of twenty items."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        start, length = int(20 * random.random() ** 2), int(random.integers(6, 14))
        made.append([100 * (number % 2) + (start + place) % 20 for place in range(length)])
    return made


def test_the_last_new_item_is_asked() -> None:
    """What comes after it, or was had before, tells nothing of it."""
    told = question(np.array([4, 5, 4, 6, 5, 6], np.uint64))
    assert told.history.tolist() == [4, 5, 4] and told.target == 6


class Fixed:
    """Recommends by fixed scores."""

    def __init__(self, catalogue: list[int], told: list[float]) -> None:
        self.catalogue, self._told = np.array(catalogue, np.uint64), np.array(told, np.float32)

    def scores(self, histories: list[Items]) -> np.ndarray:
        return np.repeat(self._told[None], len(histories), 0)


def test_ranks_are_among_all_that_was_not_had() -> None:
    """Items of the history do not count, equal ones share places, an unknown target is never found."""
    judge = Fixed([1, 2, 3, 4, 5], [9, 8, 7, 7, 1])
    users = [np.array(each, np.uint64) for each in ([1, 2], [1, 3], [2, 1, 5], [1, 99])]
    assert ranks(judge, [question(each) for each in users]).tolist() == [1, 2.5, 3, np.inf]
    assert hits(np.array([1, 10, 11, np.inf])).tolist() == [1, 1, 0, 0]
    assert gains(np.array([1, 3, 11, np.inf])).tolist() == [1, 0.5, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_recommender_learns_tastes(kind: str) -> None:
    """It finds a walker's next item among all items, and is the same when it is trained again."""
    train, test = rows(walkers(80)), rows(walkers(40, 1)).payload
    found = ranks(judges.fit(kind, train, EFFORT, 3), test)
    popular = ranks(judges.fit("popularity", train, EFFORT, 3), test)
    assert hits(found).mean() > 0.9 > hits(popular).mean() + 0.2
    assert (ranks(judges.fit(kind, train, EFFORT, 3), test) == found).all()


@pytest.mark.parametrize("kind", KINDS)
def test_users_of_no_taste_do_harm(kind: str) -> None:
    """Users who take items at random, in the place of real ones, make a recommender worse."""
    random = np.random.default_rng(2)
    noise = rows([random.choice([*range(20), *range(100, 120)], 10, False).tolist() for _ in range(600)], False)
    train, test = rows(walkers(30)), rows(walkers(60, 1)).payload
    own = gains(ranks(judges.fit(kind, train, EFFORT, 3), test)).mean()
    both = gains(ranks(judges.fit(kind, joined([train, noise]), EFFORT, 3), test)).mean()
    assert both < own - 0.05


def test_losses_are_what_hits_and_gains_leave() -> None:
    """By judge, seed and user; trained on the places that the duty names."""
    pool = Pool([str(each) for each in range(40)], rows(walkers(40)), 40)
    duty = Duty("item_knn", 1, EFFORT, 0, {"real": np.arange(30)})
    said = asked(duty, pool.rows.payload[30:], ("real",), pool)
    told = losses({"item_knn": [said]}, pool.rows)
    assert told.wrong["item_knn"].shape == (1, 10)
    assert (told.wrong["item_knn"][0] == 1 - hits(said)).all() and (told.brier["item_knn"] <= 1).all()


def test_copies_and_near_copies_are_known(tmp_path: Any) -> None:
    """A train user's sequence, and one that differs in a single item; neither a user of the same taste, nor a child of
    that train user, which lies near it by its making.
    """
    random = np.random.default_rng(0)
    crowd = [random.choice(400, 40, False).tolist() for _ in range(90)]
    train, val = Pool([f"{n:040x}" for n in range(60)], rows(crowd[:60]), 60), Pool(["v"] * 30, rows(crowd[60:]), 30)
    near = [*crowd[5][1:], 399 if 399 not in crowd[5] else 398]
    made = Pool(["m0", "m1", "m2"], rows([crowd[5], near, random.choice(400, 40, False).tolist()], False), 3, ("m9",))
    told = judge_rows(made, bench(train, val, recipe(tmp_path))).to_pydict()
    assert told["is_copy"][:3] == [True, True, False] and told["nearest_id"][:2] == [train.ids[5]] * 2
    assert told["is_unreadable"] == [False] * 3 + [True] and told["nearest_distance"][0] == 0
    child = Pool(["c"], replace(rows([near], False), groups=train.rows.groups[5:6]), 1)
    assert judge_rows(child, bench(train, val, recipe(tmp_path)))["is_copy"].to_pylist() == [False]
    found = closeness(made.rows, train.rows, val.rows)
    assert found is not None and found["copies"] == 2


def test_likeness_sees_what_differs() -> None:
    """The same crowd is alike; one of other items, lengths or copied runs is not."""
    real, same = rows(walkers(200)), rows(walkers(200, 9))
    alike = likeness(same, real, real)
    other = likeness(rows([[number % 7, 3, 50, 51] for number in range(200)]), real, real)
    assert alike is not None and other is not None
    assert alike["popularity"] > 0.5 > other["popularity"] and alike["together"] > 0.9
    assert alike["lengths"] < 0.2 < other["lengths"] and alike["popularity_kl"] < 0.1 < other["popularity_kl"]
    assert alike["copied_runs"] == 1.0 and other["copied_runs"] == 0.0  # a circle's runs are all known
    assert likeness(rows(walkers(5)), real, real) is None
    assert divergence(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 1000) < 1e-6


def test_likeness_sees_who_has_what() -> None:
    """Where kinds of users have the items of another kind, though the crowd has the same."""
    sexes = np.array(["F", "M"] * 100, object)
    real, same = (replace(rows(walkers(200, seed)), traits={"sex": sexes}) for seed in (0, 9))
    turned = replace(same, traits={"sex": sexes[::-1].copy()})
    told = [likeness(each, real, real) for each in (same, turned)]
    assert told[0] is not None and told[1] is not None
    assert told[0]["by_attributes"] > 0.9 and told[1]["by_attributes"] < -0.9
    assert told[0]["popularity"] == told[1]["popularity"]


def test_catalogues_keep_the_most_frequent() -> None:
    """Rising, ties by the item; what they lack is left out of places."""
    catalogue = catalogue_of(rows([[3, 1], [3, 2], [2, 9]]), 2)
    assert catalogue.tolist() == [2, 3]
    assert places_in(catalogue, np.array([9, 3, 2, 3], np.uint64)).tolist() == [1, 0, 1]


def test_a_judge_needs_rows() -> None:
    """And a name that is one."""
    with pytest.raises(ValueError, match="at least one row"):
        judges.fit("item_knn", rows([]), EFFORT)
    with pytest.raises(ValueError, match="not a judge of behaviour"):
        judges.fit("cnn", rows([[1, 2]]), EFFORT)

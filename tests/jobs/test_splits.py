"""Quotas and assignments: plain functions."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.errors import StageError
from conf.schema import Split
from jobs.splits import ALL_LABELS, LEFT_OUT, apportion, assign, quotas, rest_of


def hashes(count: int) -> list[str]:
    return [hashlib.blake2b(str(number).encode(), digest_size=8).hexdigest() for number in range(count)]


@given(
    rows=st.integers(0, 500), weights=st.lists(st.integers(1, 300), min_size=1, max_size=12), least=st.integers(0, 1)
)
@settings(max_examples=200, deadline=None)
def test_apportioned_rows_add_up_and_lie_within_one_of_their_exact_share(rows, weights, least):
    named = {f"c{place}": float(weight) for place, weight in enumerate(weights)}
    most = {name: int(weight) for name, weight in named.items()}
    found = apportion(rows, named, most, least)
    assert sum(found.values()) == max(min(rows, sum(weights)), least * len(weights))
    assert all(least <= found[name] <= most[name] for name in named)
    if rows <= sum(weights) and least == 0:
        assert all(abs(found[name] - rows * weight / sum(weights)) < 1 for name, weight in named.items())


def test_stratified_counts_take_each_class_its_share():
    split = Split(train=100, val=300, reserve=600, rest="test")
    found = quotas(
        split, {str(label): {"": 178 + label % 3} for label in range(10)}, [str(label) for label in range(10)]
    )
    assert {label: of["train"] for label, of in found.items()} == {str(label): 10 for label in range(10)}
    assert sum(of["val"] for of in found.values()) == 300
    assert sum(of["reserve"] for of in found.values()) == 600


def test_shares_that_make_one_leave_nothing_over():
    split = Split(train=0.7, val=0.1, test=0.2)
    found = quotas(split, {"a": {"": 33}, "b": {"": 64}}, ["a", "b"])
    assert sum(sum(of.values()) for of in found.values()) == 97
    assert rest_of(split) == "train"


def test_rows_that_are_there_count_towards_their_split():
    split = Split(train=10, val=4, rest="test", stratify=None)
    assert quotas(split, {"a": {"": 20, "train": 7, "val": 6}}, ["a"]) == {ALL_LABELS: {"train": 3, "val": 0}}


@pytest.mark.parametrize(
    ("split", "counts", "told"),
    [
        (
            Split(train=100, val=50, rest="test"),
            {"a": {"": 60}, "b": {"": 60}},
            "split asks for 150 rows (train 100, val 50) and 120 are there",
        ),
        (
            Split(train=4, val=2, rest="test"),
            {"a": {"": 20}, "b": {"": 1}},
            "class 'b' has 1 row once the rows are cleaned, and the split needs",
        ),
        (Split(train=4, val=2, rest="test"), {"a": {"": 20}}, "class 'b' has 0 rows once the rows are cleaned"),
    ],
)
def test_too_few_rows_are_refused_in_a_sentence(split, counts, told):
    with pytest.raises(StageError) as error:
        quotas(split, counts, ["a", "b"])
    assert told in str(error.value)


def test_every_class_is_in_every_split_that_has_room_for_all():
    found = quotas(Split(train=0.8, val=0.1, test=0.1), {"many": {"": 1000}, "few": {"": 3}}, ["many", "few"])
    assert found["few"] == {"train": 1, "val": 1, "test": 1}


def test_the_lowest_hashes_are_taken_first_in_the_order_train_val_test_reserve():
    names = hashes(20)
    found = assign(names, [1] * 20, {"val": 3, "train": 5}, LEFT_OUT)
    by_hash = [split for _, split in sorted(zip(names, found, strict=True))]
    assert by_hash == ["train"] * 5 + ["val"] * 3 + [LEFT_OUT] * 12


def test_groups_stay_whole_and_single_rows_fill_the_gap_to_the_exact_count():
    names = [f"{number:03d}" for number in range(10)]
    sizes = [4, 4, 4, 1, 1, 1, 1, 1, 1, 1]
    found = assign(names, sizes, {"train": 10, "val": 3}, "test")
    rows = {split: sum(size for size, of in zip(sizes, found, strict=True) if of == split) for split in set(found)}
    assert rows == {"train": 10, "val": 3, "test": 6}

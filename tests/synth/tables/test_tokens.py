"""Tokens of tables: what comes back is what a column may hold, and all of it fits into plain arrays."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from synth.tables import dependencies
from synth.tables.column import BUCKETS, MAX_WORDS, of_categories, of_numbers, step_of
from synth.tables.neighbours import choose
from synth.tables.tokens import TableTokens, measure
from tests.synth.tables.mixtures import FORM, matrix
from udfs.table.form import Column, TableForm


def test_values_of_few_kinds_come_back_exactly_and_numbers_within_their_bins() -> None:
    rows = matrix(3000)
    tokens = measure(rows, FORM)
    coded = tokens.encode(rows)
    positions = np.random.default_rng(1).random(coded.shape)
    again = tokens.decode(coded, positions)
    for place in (0, 3, 4, 5, 6):
        assert np.array_equal(again[:, place], rows[:, place], equal_nan=True)
    assert np.array_equal(tokens.encode(again), coded)
    assert np.array_equal(again[:, 2] == 0, rows[:, 2] == 0)


def test_numbers_keep_their_steps_and_bounds() -> None:
    rows = matrix(3000)
    tokens = measure(rows, FORM)
    coded = tokens.encode(rows)
    again = tokens.decode(coded, np.random.default_rng(1).random(coded.shape))
    assert np.array_equal(again[:, 1] * 4, np.rint(again[:, 1] * 4))
    assert np.array_equal(again[:, 2], np.rint(again[:, 2]))
    assert (again.min(0)[[1, 2]] >= rows.min(0)[[1, 2]]).all() and (again.max(0)[[1, 2]] <= rows.max(0)[[1, 2]]).all()
    edges = [tokens.decode(coded, np.full(coded.shape, each)) for each in (0.0, 1.0 - 1e-12)]
    assert all(np.array_equal(tokens.encode(edge), coded) for edge in edges)


@pytest.mark.parametrize(
    ("values", "step"),
    [([3, 5], (1, 1)), ([100, 2500], (100, 1)), ([0.25, 1.5], (25, 100)), ([0.1, 0.3], (1, 10)), ([0.3, 0.9], (3, 10))],
)
def test_the_step_of_a_column_is_found(values: list[float], step: tuple[int, int]) -> None:
    assert step_of(np.array(values, np.float64)) == step


def test_numbers_without_a_step_have_none_and_are_not_copied() -> None:
    values = np.random.default_rng(0).normal(size=2000)
    column = of_numbers(values)
    assert column.step[0] == 0
    made = column.decode(column.encode(values), np.random.default_rng(1).random(2000))
    assert np.isin(made, values).mean() < 0.01
    assert np.abs(np.quantile(made, [0.1, 0.5, 0.9]) - np.quantile(values, [0.1, 0.5, 0.9])).max() < 0.05


def test_tokens_travel_as_plain_finite_arrays_and_json() -> None:
    rows = matrix(2000)
    tokens = measure(rows, FORM)
    arrays: dict[str, Any] = tokens.arrays()
    assert all(array.dtype in (np.float64, np.int64) and np.isfinite(array).all() for array in arrays.values())
    again = TableTokens.from_arrays(json.loads(json.dumps(tokens.facts())), arrays)
    coded, positions = tokens.encode(rows), np.random.default_rng(2).random((len(rows), len(tokens.columns)))
    assert np.array_equal(again.decode(coded, positions), tokens.decode(coded, positions), equal_nan=True)


def test_columns_that_follow_are_derived_and_constants_too() -> None:
    tokens = measure(matrix(2000), FORM)
    assert {(each.place, each.source) for each in tokens.derived} == {(4, 0), (5, -1)}
    assert tokens.places[-1] == FORM.label_place


def test_what_belongs_together_by_accident_is_not_derived() -> None:
    """With few rows every value of one column is seen once, and so has one value of any other."""
    rows = matrix(40)
    rows[:, 4] = np.random.default_rng(0).integers(0, 2, 40)
    assert {each.place for each in measure(rows, FORM).derived} == {5}
    often = np.stack([np.arange(400) % 20, (np.arange(400) % 20 == 3) * 1.0, np.arange(400) % 2], 1)
    columns = [of_numbers(often[:, place]) for place in range(3)]
    coded = np.stack([column.encode(often[:, place]) for place, column in enumerate(columns)], 1)
    assert {each.place for each in dependencies.find(often, columns, coded, 2)} == set()


def test_a_chain_of_columns_is_derived_from_its_first() -> None:
    base = np.random.default_rng(0).integers(0, 12, 4000)
    rows = np.stack([base, base // 2 * 10, base // 4 * 7, np.random.default_rng(1).integers(0, 2, 4000)], 1) * 1.0
    names = ("base", "half", "quarter", "label")
    form = TableForm(tuple(Column(name, "integer") for name in names), "label", "regression")
    tokens = measure(rows, form)
    assert {(each.place, each.source) for each in tokens.derived} == {(1, 0), (2, 0)}
    assert np.array_equal(tokens.decode(tokens.encode(rows), np.zeros((4000, 2))), rows)


def test_many_categories_are_bounded_and_rare_ones_come_as_often_as_they_were_seen() -> None:
    random = np.random.default_rng(0)
    weights = 1 / (np.arange(30_000) + 20)
    codes = random.choice(30_000, 200_000, p=weights / weights.sum())
    column = of_categories(codes.astype(np.float64), 30_001)
    assert column.size <= MAX_WORDS + 1
    tokens = column.encode(codes.astype(np.float64))
    own = column.bin[tokens] < 0
    made = column.decode(tokens, random.random(len(tokens)))
    assert np.array_equal(made[own], codes[own])
    assert np.isin(made, codes).all()
    seen, again = (np.bincount(each.astype(np.int64), minlength=30_001) for each in (codes[~own], made[~own]))
    often = seen >= 10
    assert often.sum() > 500 and np.mean((again[often] - seen[often]) ** 2 / seen[often]) < 1.3  # a draw's own spread
    assert abs(again[often].sum() / seen[often].sum() - 1) < 0.02
    assert len(np.unique(column.bin[column.bin >= 0])) <= BUCKETS
    assert column.encode(np.array([30_000.0, np.nan])).tolist() == [column.size - 1] * 2


@pytest.mark.parametrize("values", [[np.nan] * 5, [], [2.0], [np.nan, 1.0], [1e300, -1e300, 5.5], [2.0**60, 2.0**61]])
def test_columns_of_almost_nothing_come_back(values: list[float]) -> None:
    column = of_numbers(np.array(values))
    again = column.decode(column.encode(np.array(values)), np.zeros(len(values)))
    assert np.array_equal(again, np.array(values), equal_nan=True)


def test_each_column_of_a_wide_table_looks_at_the_ones_that_tell_of_it() -> None:
    random = np.random.default_rng(0)
    pairs = random.integers(0, 5, (3000, 40))
    noisy = np.where(random.random(pairs.shape) < 0.1, random.integers(0, 5, pairs.shape), pairs)
    tokens = np.concatenate([pairs, noisy], 1)
    found = choose(tokens, [6] * 80, 12)
    assert found.shape == (80, 12)
    for column in range(79):
        partner = column + 40 if column < 40 else column - 40
        assert partner in found[column] and 79 in found[column]
    assert choose(tokens[:, :5], [6] * 5, 8).tolist() == [list(range(5))] * 5


def test_tokens_do_not_change_what_they_are_given() -> None:
    rows = matrix(500)
    before = rows.copy()
    measure(rows, FORM).encode(rows)
    assert np.array_equal(rows, before, equal_nan=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        measure(rows, FORM).places = ()  # type: ignore[misc]

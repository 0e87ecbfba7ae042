"""Spelling, bounds and imputation of tables: pure, against what they should find."""

from __future__ import annotations

import numpy as np

from udfs.table.form import Column
from udfs.table.imputation import Modelled, Nearest
from udfs.table.spelling import distance, respelled, similarity


def test_rare_words_are_respelled_and_digits_never():
    counts = {
        "Germany": 500, "Germnay": 2, "germany": 3, "Norway": 400, "Norwya": 1, "Oslo": 45, "grade 1": 300,
        "grade 2": 4, "Gabon": 20,
    }  # fmt: skip
    assert respelled(counts, 0.7) == {"Germnay": "Germany", "germany": "Germany"}
    assert respelled(counts, 0.6) == {"Germnay": "Germany", "germany": "Germany", "Norwya": "Norway"}
    assert respelled({}, 0.9) == {}
    assert respelled({"a": 5}, 0.9) == {}


def test_distance_counts_edits():
    assert [distance(*pair) for pair in (("", "abc"), ("kitten", "sitting"), ("same", "same"))] == [3, 3, 0]
    assert similarity("", "") == 1.0


COLUMNS = (Column("x", "number"), Column("c", "category", ("a", "b")), Column("y", "number"))


def test_nearest_rows_and_models_fill_by_the_other_columns_whatever_the_batch():
    random = np.random.default_rng(2)
    x, c = random.normal(size=500), random.integers(0, 2, 500).astype(float)
    train = np.stack([x, c, 10 * c + x], axis=1)
    train[::10, 2] = np.nan
    asked = np.array([[0.0, 0.0], [0.0, 1.0], [np.nan, 1.0]])
    for model in (Nearest.fit(train, COLUMNS, 2, [0, 1], 5), Modelled.fit(train, COLUMNS, 2, [0, 1], 0)):
        found = model.fill(asked)
        assert abs(found[0]) < 1
        assert abs(found[1] - 10) < 1
        assert abs(found[2] - 10) < 3
        assert np.array_equal(np.concatenate([model.fill(row[None]) for row in asked]), found)
    codes = Nearest.fit(train, COLUMNS, 1, [0, 2], 3).fill(np.array([[0.0, 10.0], [0.0, 0.0]]))
    assert codes.tolist() == [1.0, 0.0]


def test_what_never_was_there_stays_missing():
    train = np.full((5, 3), np.nan)
    assert np.isnan(Nearest.fit(train, COLUMNS, 2, [0, 1], 5).fill(np.zeros((2, 2)))).all()
    assert np.isnan(Modelled.fit(train, COLUMNS, 2, [0, 1], 0).fill(np.zeros((2, 2)))).all()
    constant = np.stack([np.arange(5.0), np.zeros(5), np.full(5, 3.0)], axis=1)
    assert Modelled.fit(constant, COLUMNS, 2, [0, 1], 0).fill(np.zeros((2, 2))).tolist() == [3.0, 3.0]

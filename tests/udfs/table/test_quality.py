"""Measures of made tables against real ones: against SDMetrics' numbers, and where answers are known."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from scipy.stats import ks_2samp
from scipy.stats.contingency import association

from tests.udfs.table.made import FORM, measured, tables
from udfs.table.form import Column, Matrix, TableForm, to_matrix
from udfs.table.quality import (
    association_difference,
    associations,
    column_shapes,
    coverage,
    pair_trends,
    pearson,
)

ORACLE: dict[str, Any] = json.loads((Path(__file__).parent / "sdmetrics.json").read_text("utf-8"))
COLUMNS = TableForm(
    (
        Column("age", "integer"),
        Column("hours", "integer"),
        Column("gain", "integer"),
        Column("job", "category", ("clerk", "cook", "pilot", "smith")),
        Column("sex", "category", ("f", "m")),
    ),
    label="sex",
    task="classification",
)
REAL, MADE = (to_matrix(pa.table(ORACLE[which]), COLUMNS) for which in ("real", "made"))


def test_column_shapes_are_sdmetrics() -> None:
    """To the last digits but rounding."""
    assert column_shapes(REAL, MADE, COLUMNS) == pytest.approx(ORACLE["shapes"], abs=1e-12)


def test_pair_trends_are_sdmetrics() -> None:
    """Every pair: numbers, categories, and one of each."""
    found, names = pair_trends(REAL, MADE, COLUMNS), list(ORACLE["real"])
    told = {f"{names[a]} {names[b]}": found[a, b] for a, b in combinations(range(5), 2)}
    assert told == pytest.approx(ORACLE["pairs"], abs=1e-12)
    assert np.array_equal(found, found.T, equal_nan=True) and np.isnan(np.diag(found)).all()


def test_coverage_is_sdmetrics() -> None:
    """Ranges and categories."""
    assert coverage(REAL, MADE, COLUMNS) == pytest.approx(ORACLE["coverage"], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(tables())
def test_rows_are_like_themselves(table: pa.Table) -> None:
    """Every measure of any rows against themselves, in another order, is the best there is."""
    form, _ = measured(table, FORM)
    rows = to_matrix(table, form)
    again = rows[::-1]
    assert all(value == pytest.approx(1) for value in column_shapes(rows, again, form).values())
    assert all(value == pytest.approx(1) for value in coverage(rows, again, form).values())
    trends = pair_trends(rows, again, form)
    assert trends[~np.isnan(trends)] == pytest.approx(1, abs=1e-6)
    assert association_difference(rows, again, form) == pytest.approx(0, abs=1e-6)


def with_holes(rows: Matrix, share: float) -> Matrix:
    """Some cells missing."""
    holes = np.random.default_rng(5).random(rows.shape) < share
    return np.where(holes, np.nan, rows)


def test_what_is_missing_is_a_value() -> None:
    """Rows that lack a tenth of their cells are unlike those that lack none by about a tenth."""
    shapes = column_shapes(REAL, with_holes(REAL, 0.1), COLUMNS)
    assert all(0.8 < value < 0.97 for value in shapes.values())
    whole, holed = pair_trends(REAL, REAL, COLUMNS), pair_trends(REAL, with_holes(REAL, 0.1), COLUMNS)
    assert (holed[3:, :3] < whole[3:, :3] - 0.1).all()


def test_numbers_are_compared_by_kolmogorov_and_smirnov() -> None:
    """As scipy has it, where nothing is missing."""
    for place, name in enumerate(("age", "hours", "gain")):
        expected = 1 - ks_2samp(REAL[:, place], MADE[:, place]).statistic
        assert column_shapes(REAL, MADE, COLUMNS)[name] == pytest.approx(expected)


def test_correlations_are_those_of_pandas() -> None:
    """Of each pair the rows that have both; none for a constant."""
    rows = with_holes(np.column_stack([REAL[:, :3], np.full(len(REAL), 7.0)]), 0.2) * [1, 1e6, 1e-6, 1]
    expected = pd.DataFrame(rows).corr().to_numpy()
    assert pearson(rows) == pytest.approx(expected, nan_ok=True)


def test_associations_are_known_ones() -> None:
    """Cramér's V is scipy's; the correlation ratio is the root of between over all; a constant says nothing."""
    rows = with_holes(REAL, 0.1)
    found = associations(rows, COLUMNS)
    both = rows[~np.isnan(rows[:, 3:]).any(axis=1), 3:]
    joint = pd.crosstab(both[:, 0], both[:, 1]).to_numpy()
    assert found[3, 4] == pytest.approx(association(joint, method="cramer")) == found[4, 3]
    told = pd.DataFrame({"job": rows[:, 3], "hours": rows[:, 1]}).dropna()
    means = told.groupby("job")["hours"].transform("mean")
    assert found[3, 1] == pytest.approx(np.sqrt(means.var(ddof=0) / told["hours"].var(ddof=0)))
    constant = rows.copy()
    constant[:, 0], constant[:, 4] = 0.1, 1.0
    assert associations(constant, COLUMNS)[[0, 4]][:, [1, 2, 3]] == pytest.approx(0)


def test_shuffled_columns_keep_shapes_and_lose_trends() -> None:
    """Each column drawn anew by itself: the same shapes, and worse pairs where there were any to keep."""
    random = np.random.default_rng(0)
    real = np.tile(REAL, (20, 1))
    made = np.stack([random.permutation(column) for column in real.T], axis=1)
    assert min(column_shapes(real, made, COLUMNS).values()) == 1.0
    assert pair_trends(real, made, COLUMNS)[1, 4] < 0.85
    assert association_difference(real, made, COLUMNS)[1, 4] < -0.3


def test_no_rows_are_like_nothing() -> None:
    """An empty set has no likeness, and nothing fails."""
    none = REAL[:0]
    assert np.isnan(list(column_shapes(REAL, none, COLUMNS).values())).all()
    assert np.isnan(pair_trends(none, MADE, COLUMNS)).all()
    assert set(coverage(REAL, none, COLUMNS).values()) == {0.0}

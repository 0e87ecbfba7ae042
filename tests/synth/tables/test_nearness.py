"""Distances of rows: exact for the candidates, and the candidates are the right ones."""

from __future__ import annotations

import numpy as np
import pytest

from synth.tables.nearness import Space
from udfs.table.form import Column

RANDOM = np.random.default_rng(2)
COLUMNS = (
    Column("n", "number"),
    Column("few", "category", tuple("abcd")),
    Column("many", "category", tuple(str(each) for each in range(500))),
    Column("flag", "boolean"),
    Column("whole", "integer"),
)


def rows(count: int) -> np.ndarray:
    random = RANDOM
    matrix = np.column_stack(
        [
            random.normal(size=count),
            random.integers(0, 5, count),
            random.integers(0, 501, count),
            random.integers(0, 2, count),
            random.poisson(3, count),
        ]
    ).astype(np.float64)
    return np.where(random.random(matrix.shape) < 0.05, np.nan, matrix)


def brute(space: Space, ours: np.ndarray) -> np.ndarray:
    """Distances of all pairs, cell by cell, in plain loops over columns."""
    mine, theirs = space.comparable(ours), space.cells
    total = np.zeros((len(mine), len(theirs)))
    for place, column in enumerate(space.columns):
        a, b = mine[:, None, place], theirs[None, :, place]
        gone = (a < -1e5) != (b < -1e5)
        apart = (a - b) ** 2 if column.is_numeric else (a != b).astype(float)
        total += np.where(gone, 1.0, apart)
    return np.sqrt(total / len(space.columns))


def test_the_nearest_is_found_and_its_distance_is_exact() -> None:
    """Where a category has hundreds of codes one that is nearly as near may be named."""
    for columns, off in ((COLUMNS, 0.01), (tuple(each for each in COLUMNS if each.name != "many"), 1e-12)):
        there = [COLUMNS.index(each) for each in columns]
        space, asked = Space.of(columns, rows(800)[:, there]), rows(200)[:, there]
        found, pairs = space.nearest(asked), brute(space, asked)
        np.testing.assert_allclose(found.distance, pairs[np.arange(200), found.place])
        assert (found.distance - pairs.min(1)).mean() < off
        assert (found.second >= found.distance).all()


def test_equal_rows_are_at_zero_and_others_are_not() -> None:
    train = rows(300)
    space = Space.of(COLUMNS, train)
    found = space.nearest(train)
    assert (found.distance == 0).all()
    moved = train.copy()
    moved[:, 0] += 1e-9
    there = ~np.isnan(train[:, 0])
    assert (space.nearest(moved).distance[there] > 0).all()


@pytest.mark.parametrize(("value", "least"), [(1e9, 4.0), (-1e9, 4.0), (np.nan, 0.4)])
def test_what_lies_beyond_the_train_rows_is_far_by_how_far_beyond(value: float, least: float) -> None:
    train = np.where(np.isnan(rows(200)), 1.0, rows(200))
    asked = train[:1].copy()
    asked[0, 0] = value
    assert Space.of(COLUMNS, train).nearest(asked).distance[0] > least


def test_one_row_constant_columns_and_no_rows() -> None:
    one = np.array([[1.0, 0, 3, 1, np.nan]])
    found = Space.of(COLUMNS, one).nearest(np.repeat(one, 3, 0))
    assert found.distance.tolist() == [0, 0, 0] and np.isinf(found.second).all()
    assert len(Space.of(COLUMNS, one).nearest(one[:0]).distance) == 0
    with pytest.raises(ValueError, match="at least one train row"):
        Space.of(COLUMNS, one[:0])

"""Neighbours in tables, against a plain search."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tests.udfs.table.made import ids, measured
from tests.udfs.table.test_steps import ROWS
from udfs.table import space
from udfs.table.form import Column, TableForm, to_matrix

LAID = space.places(ROWS.matrix, ROWS.form, ROWS.statistics)
LABELS = ROWS.matrix[:, -1].astype(np.int64)


def plain_order(laid: NDArray[np.floating]) -> NDArray[np.int64]:
    """All other rows of each, nearest first, ties by place."""
    whole = laid.astype(np.int64)
    apart = ((whole[:, None, :] - whole[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.iinfo(np.int64).max)
    return np.argsort(apart, axis=1, kind="stable")[:, :-1]


@pytest.mark.parametrize("block", [1 << 10, 1 << 25])
def test_the_nearest_are_the_nearest(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a search in whole numbers finds them, ties by place, in blocks of any size; distances are exact."""
    monkeypatch.setattr(space, "_BLOCK_CELLS", block)
    order = plain_order(LAID)
    assert (space.neighbours(LAID, 7) == order[:, :7]).all()
    squares, found = space.nearest(LAID[:50], LAID[50:], 3)
    whole = LAID.astype(np.int64)
    assert (squares == ((whole[:50, None] - whole[50:][found]) ** 2).sum(axis=2)).all()


def test_few_rows_have_few_neighbours() -> None:
    """One row has none; too few to ask among is told."""
    assert space.neighbours(LAID[:3]).shape == (3, 2) and space.neighbours(LAID[:1]).shape == (1, 0)
    with pytest.raises(ValueError, match="the 1 nearest of 0 rows"):
        space.nearest(LAID[:3], LAID[:0])


def test_the_borderline_is_where_labels_meet() -> None:
    """By a plain count over each row's nearest ten; partners are the nearest of its own label."""
    on, partners = space.borderline(LAID, LABELS)
    order = plain_order(LAID)
    strange = (LABELS[order[:, :10]] != LABELS[:, None]).sum(axis=1)
    assert (on == ((strange >= 5) & (strange < 10))).all() and 0 < on.sum() < len(on)
    for row in np.flatnonzero(on):
        own = [other for other in order[row] if LABELS[other] == LABELS[row]]
        assert partners[row].tolist() == own[:5]
    assert (partners[~on] == -1).all()


def test_borderlines_of_few_rows() -> None:
    """One row, or a label with a single row, has no partner and is on no borderline."""
    assert not space.borderline(LAID[:1], LABELS[:1])[0].any()
    lone = np.array([0] * 11 + [1])
    on, partners = space.borderline(LAID[:12], lone)
    assert not on[11] and (partners[11] == -1).all()


def test_rows_amid_another_label_are_noise() -> None:
    """Where all the nearest are of another label, a row is on no borderline, though its label has other rows."""
    laid, labels = np.arange(0.0, 310.0, 10.0)[:, None], np.zeros(31, np.int64)
    labels[[5, 25]] = 1
    assert not space.borderline(laid, labels)[0].any()
    labels[[6, 7, 8, 9]] = 1
    assert space.borderline(laid, labels)[0][[5, 9]].all()


def test_the_space_has_the_distances_that_it_promises() -> None:
    """Least to greatest is as far as category to category, but for rounding; the label does not count; bytes hold the
    coarse places.
    """
    form = TableForm(
        (Column("x", "number"), Column("word", "category"), Column("y", "category")), "y", "classification"
    )
    table = pa.table({"x": [0.0, 5.0, 9.0], "word": ["a", "a", "b"], "y": ["p", "q", "p"], "row_id": ids(3)})
    form, statistics = measured(table, form)
    rows = np.array([[0.0, 0, 0], [9.0, 0, 1], [0.0, 1, 0], [np.nan, 0, 0]])
    laid = space.places(rows, form, statistics).astype(np.float64)
    apart = np.sqrt(((laid[0] - laid) ** 2).sum(axis=1))
    assert apart[0] == 0 and apart[1] == space.LEVELS and apart[2] == pytest.approx(space.LEVELS, rel=0.01)
    assert 0.8 * space.LEVELS < apart[3] < space.LEVELS
    view = space.views(rows, form, statistics)
    assert view.dtype == np.uint8 and view[1, 0] == 255 and to_matrix(table, form).shape == (3, 3)


def test_many_words_share_a_few_directions() -> None:
    """A column of thousands of words takes a bounded width, and most pairs of words stay apart."""
    words = tuple(f"w{number}" for number in range(3000))
    form = TableForm((Column("word", "category", words), Column("y", "number")), "y", "regression")
    _, statistics = measured(pa.table({"word": ["w1"], "y": [1.0], "row_id": ids(1)}), form)
    laid = space.places(np.stack([np.arange(3000.0), np.zeros(3000)], axis=1), form, statistics)
    assert laid.shape == (3000, space.BUCKETS + 1)
    assert (laid[:-1] != laid[1:]).any(axis=1).mean() > 0.95

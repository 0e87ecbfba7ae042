"""What made rows of tables give away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.table.test_steps import plain_table, rows_of
from udfs.table import space
from udfs.table.privacy import copies, dcr_share, nearness

ROWS = rows_of(plain_table(1200))
FORM, STATISTICS, MATRIX = ROWS.form, ROWS.statistics, ROWS.matrix
TRAIN, HELD_OUT, MORE = MATRIX[:400], MATRIX[400:800], MATRIX[800:]


def test_the_nearest_record_is_the_nearest() -> None:
    """Distance, place and ratio are those of a plain search over all records."""
    found = nearness(MORE, TRAIN, FORM, STATISTICS)
    laid, theirs = (space.places(each, FORM, STATISTICS).astype(np.float64) for each in (MORE, TRAIN))
    apart = np.sqrt(((laid[:, None] - theirs[None]) ** 2).sum(axis=2))
    assert (found.place == apart.argmin(axis=1)).all()
    ordered = np.sort(apart, axis=1)
    assert found.distance == pytest.approx(ordered[:, 0] / (space.LEVELS * np.sqrt(6)))
    assert found.ratio == pytest.approx(ordered[:, 0] / ordered[:, 1])


def test_distances_have_their_scale() -> None:
    """0 for rows that are alike, 1 for rows that differ as far as they can in every column."""
    low, high = MATRIX[:1].copy(), MATRIX[:1].copy()
    for place, column in enumerate(FORM.modelled):
        facts = ROWS.facts(column)
        low[0, place], high[0, place] = (0, 1) if column.size else (facts.min, facts.max)
    assert nearness(low, low, FORM, STATISTICS).distance == 0
    gain_low = ROWS.facts(FORM.modelled[1]).inflated == (0.0,)  # its least stands in the middle of its share
    assert gain_low and nearness(low, high, FORM, STATISTICS).distance == pytest.approx(1, abs=0.1)


def test_rows_learnt_by_heart_are_seen() -> None:
    """Copies of train rows are nearer to train than to held-out rows; rows of neither are as often near to one as to
    the other.
    """
    assert dcr_share(TRAIN, TRAIN, HELD_OUT, FORM, STATISTICS) > 0.95
    assert dcr_share(HELD_OUT, TRAIN, HELD_OUT, FORM, STATISTICS) < 0.05
    assert dcr_share(MORE, TRAIN, HELD_OUT, FORM, STATISTICS) == pytest.approx(0.5, abs=0.08)
    assert dcr_share(MORE, TRAIN, TRAIN, FORM, STATISTICS) == 0.5
    with pytest.raises(ValueError, match="400 train rows and 399 held-out ones"):
        dcr_share(MORE, TRAIN, HELD_OUT[1:], FORM, STATISTICS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, -0.0, 1.0, np.nan])] * 3), min_size=1, max_size=20), st.data())
def test_copies_are_equal_in_every_cell(rows: list[tuple[float, ...]], data: st.DataObject) -> None:
    """As a comparison cell by cell has it, missing equal to missing."""
    cut = data.draw(st.integers(0, len(rows)))
    asked, among = np.array(rows[cut:]).reshape(-1, 3), np.array(rows[:cut]).reshape(-1, 3)
    told = [
        any(all(a == b or (a != a and b != b) for a, b in zip(row, other, strict=True)) for other in among)
        for row in asked
    ]
    assert copies(asked, among).tolist() == told


def test_one_record_alone_has_no_second() -> None:
    """Its ratio is 1; none at all is told."""
    assert (nearness(MORE, TRAIN[:1], FORM, STATISTICS).ratio == 1).all()
    with pytest.raises(ValueError, match="too few"):
        nearness(MORE, TRAIN[:0], FORM, STATISTICS)


def test_the_label_is_no_distance() -> None:
    """A row that differs in its label alone lies at 0, and is no copy."""
    other = TRAIN.copy()
    other[:, FORM.label_place] = 1 - other[:, FORM.label_place]
    assert (nearness(other, TRAIN, replace(FORM), STATISTICS).distance == 0).all()
    assert not copies(other, TRAIN).any()

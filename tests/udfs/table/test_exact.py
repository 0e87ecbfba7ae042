"""Sums without rounding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from udfs.table.exact import CHUNK, exact_squares, exact_sum

FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=50)


@given(FINITE)
@example([1e308, 1e308, -1e308, 5e-324])
@example([1e16, 1.0, -1e16])
@example([2.0**52 + 1, 2.0**53 - 1])
def test_sums_are_those_of_fractions(values: list[float]) -> None:
    """Of any finite numbers, the largest and the smallest together."""
    array = np.array(values, np.float64)
    assert exact_sum(array) == sum(map(Fraction, values), Fraction(0))
    assert exact_squares(array) == sum((Fraction(value) ** 2 for value in values), Fraction(0))


def test_long_sums_are_exact() -> None:
    """Of more numbers than a pass takes, of like size and all of one sign, where carries are largest."""
    values = np.random.default_rng(0).uniform(1.0, 2.0, 3 * CHUNK + 1)
    assert exact_sum(values) == sum(map(Fraction, values.tolist()), Fraction(0))
    assert exact_squares(values) == sum((Fraction(value) ** 2 for value in values.tolist()), Fraction(0))

"""Encodings of tables give back what they were given."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from tests.udfs.table.made import FORM, MODERATE, ids, measured, tables
from udfs.table.encoding import CATEGORIES, NUMBERS, decode, encode, encodings, signatures
from udfs.table.form import Column, TableForm, to_matrix
from udfs.table.statistics import Statistics
from udfs.table.tally import measure


@settings(max_examples=80, deadline=None)
@given(tables(rate=MODERATE), st.sampled_from(sorted(NUMBERS)), st.sampled_from(CATEGORIES), st.booleans())
def test_decode_gives_back_the_matrix(table: pa.Table, numeric: str, category: str, flag: bool) -> None:
    """Every kind of column by every method, missing cells too: numbers but for rounding, datetimes to a microsecond or
    two, the rest exactly.
    """
    form, statistics = measured(table, FORM)
    matrix = to_matrix(table, form)
    dates = {"born": "cyclic", "seen": "cyclic"}
    chosen = encodings(form, statistics, numeric=numeric, category=category, columns=dates, flag=flag)
    encoded = encode(matrix, chosen)
    names = [name for each in chosen for name in each.names]
    assert encoded.shape == (len(matrix), len(names)) and len(set(names)) == len(names)
    back = decode(encoded, chosen)
    assert np.array_equal(np.isnan(back), np.isnan(matrix))
    for place, column in enumerate(form.modelled):
        scale = np.nanmax(np.abs(np.append(matrix[:, place], 1.0)))
        tolerance = {"date": 0.0, "datetime": 2e-6}.get(column.kind, 0.0 if column.size else 1e-11 * scale)
        assert np.nan_to_num(back[:, place]) == pytest.approx(np.nan_to_num(matrix[:, place]), rel=0, abs=tolerance)


def numbers(values: list[float], kind: str = "number") -> tuple[pa.Table, TableForm, Statistics]:
    """A table of one column of numbers, measured."""
    form = TableForm((Column("it", kind),), "it", "regression")  # type: ignore[arg-type]
    table = pa.table({"it": pa.array(values, form.schema().field("it").type), "row_id": ids(len(values))})
    form, statistics = measured(table, form)
    return table, form, statistics


def test_encoded_columns_have_the_scale_that_they_promise() -> None:
    """z-scores have mean 0 and deviation 1, min-max ends at 0 and 1, robust has its quartiles one apart, and
    quantile_normal is normal.
    """
    values = np.random.default_rng(0).lognormal(2.0, 1.0, 5000)
    table, form, statistics = numbers(values.tolist())
    matrix = to_matrix(table, form)
    made = {name: encode(matrix, encodings(form, statistics, numeric=name))[:, 0] for name in NUMBERS}
    assert (made["z_score"].mean(), made["z_score"].std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))
    assert (made["min_max"].min(), made["min_max"].max()) == (0.0, 1.0)
    quartiles = np.quantile(made["robust"], [0.25, 0.5, 0.75])
    assert quartiles[2] - quartiles[0] == pytest.approx(1, abs=0.01) and quartiles[1] == pytest.approx(0, abs=0.01)
    ordered = np.sort(made["quantile_normal"])
    assert np.abs(ordered).max() < 3.4 and ordered.std() == pytest.approx(1, abs=0.02)
    assert np.quantile(ordered, [0.1587, 0.8413]) == pytest.approx([-1, 1], abs=0.02)


def test_a_frequent_value_comes_back_from_all_of_its_share() -> None:
    """Sixty per cent of zeros stand at the middle of their share, and three fifths of normal numbers decode to zero."""
    values = [0.0] * 600 + np.random.default_rng(0).uniform(1, 2, 400).tolist()
    table, form, statistics = numbers(values)
    chosen = encodings(form, statistics)
    assert np.unique(encode(to_matrix(table, form)[:600], chosen)) == pytest.approx([ndtri(0.3)], abs=0.01)
    drawn = decode(np.random.default_rng(1).normal(size=(20_000, 1)), chosen)
    assert (drawn == 0).mean() == pytest.approx(0.6, abs=0.02)


def test_numbers_beyond_what_was_measured_are_held() -> None:
    """quantile_normal gives the ends for what is outside; the others carry on."""
    _, form, statistics = numbers([1.0, 2.0, 3.0])
    beyond = np.array([[-5.0], [9.0]])
    assert decode(encode(beyond, encodings(form, statistics)), encodings(form, statistics)).ravel().tolist() == [1, 3]
    plain = encodings(form, statistics, numeric="z_score")
    assert decode(encode(beyond, plain), plain) == pytest.approx(beyond)


def test_one_hot_has_a_place_for_the_rest() -> None:
    """A word that the vocabulary does not have is `other`; a missing one is all zeros; soft rows give the likeliest."""
    form = TableForm((Column("it", "category", ("a", "b")),), "it", "classification")
    statistics = Statistics.of(measure(pa.table({"it": ["a"], "row_id": ["0" * 40]}), form))
    chosen = encodings(form, statistics, category="one_hot")
    assert encode(np.array([[1.0], [2.0], [np.nan]]), chosen).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert decode(np.array([[0.2, 0.1, 0.7]]), chosen).tolist() == [[2.0]]


def test_signatures_do_not_depend_on_the_vocabulary() -> None:
    """A word's signature stays when words are added, and no two of many words share one."""
    words = [f"word {number}" for number in range(1001)]
    table = signatures(words)
    assert np.array_equal(table[:10], signatures(words[:10])) and len(np.unique(table, axis=0)) == 1001


def test_cyclic_dates_turn() -> None:
    """A week later the week's angle is the same; the year's is the same a year on."""
    table, form, statistics = numbers([0, 7, 365, 365 + 365], "date")
    made = encode(to_matrix(table, form), encodings(form, statistics, numeric="cyclic"))
    assert made[1, 1:3] == pytest.approx(made[0, 1:3]) and made[2, 3:5] == pytest.approx(made[0, 3:5])
    assert np.hypot(made[:, 1], made[:, 2]) == pytest.approx(1)


def test_a_method_that_does_not_fit_is_told() -> None:
    """With the column, its kind and what it takes."""
    _, form, statistics = numbers([1.0, 2.0])
    with pytest.raises(ValueError, match=r"column it is number and one_hot does not go with it: it takes z_score"):
        encodings(form, statistics, columns={"it": "one_hot"})

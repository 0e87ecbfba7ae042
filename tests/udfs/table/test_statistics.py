"""Statistics of tables: exact, the same under any partitioning, bounded."""

from __future__ import annotations

import datetime
import json
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.table.made import FORM, ids, tables
from udfs.table import tally as tallies
from udfs.table.form import Column, TableForm
from udfs.table.statistics import GRID, Statistics, from_bytes, measure, merge, to_bytes


def one_column(kind: str, values: pa.Array | list) -> tuple[pa.Table, TableForm]:
    """A table of one column and the form that goes with it."""
    form = TableForm((Column("it", kind),), "it", "regression")  # type: ignore[arg-type]
    array = values if isinstance(values, pa.Array) else pa.array(values, form.schema().field("it").type)
    return pa.table({"it": array, "row_id": ids(len(array))}), form


@settings(max_examples=40, deadline=None)
@given(tables(), st.data())
def test_statistics_are_the_same_under_any_partitioning(table: pa.Table, data: st.DataObject) -> None:
    """In whatever order rows come, batch by batch or part by part, carried as bytes or not, to the last bit; also
    where a column has more values than are kept.
    """
    order = data.draw(st.permutations(range(table.num_rows)))
    cuts = sorted(data.draw(st.lists(st.integers(0, table.num_rows), max_size=4)))
    kept = data.draw(st.sampled_from([2, 5, 20_000]))
    with mock.patch.object(tallies, "KEPT", kept):
        whole = measure(table, FORM)
        moved = table.take(pa.array(order))
        slices = [moved.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, table.num_rows], strict=True)]
        parts = merge([from_bytes(to_bytes(measure(part, FORM))) for part in reversed(slices)])
        folded = None
        for part in slices:
            folded = measure(part.combine_chunks(), FORM, folded)
        assert folded is not None
        assert to_bytes(whole) == to_bytes(parts) == to_bytes(folded)
        assert Statistics.of(whole) == Statistics.of(parts) == Statistics.of(folded)


def test_values_that_are_kept_are_counted_to_the_end() -> None:
    """Of more values than are kept, those of lowest hash have all of their cells, whichever batch they came in; one
    zero is the other.
    """
    values = [0.5, 1.5, 2.5, 3.5, -0.0, 0.25, 0.0]
    table, form = one_column("number", values * 3)
    with mock.patch.object(tallies, "KEPT", 3):
        whole, folded = measure(table, form), None
        for at in range(table.num_rows):
            folded = measure(table.slice(at, 1), form, folded)
    assert folded is not None and to_bytes(folded) == to_bytes(whole)
    assert set(whole["it"].distinct.counts.tolist()) <= {3, 6}
    every = measure(table, form)["it"].distinct
    assert every.distinct == 6 and sorted(every.counts.tolist()) == [3, 3, 3, 3, 3, 6]


@settings(max_examples=40, deadline=None)
@given(tables())
def test_statistics_survive_json(table: pa.Table) -> None:
    """`from_dict(as_dict)` through text is the same, with the same digest; the form takes its words from it."""
    statistics = Statistics.of(measure(table, FORM))
    told = json.loads(json.dumps({"rows": 3, **statistics.as_dict()}, allow_nan=False))
    back = Statistics.from_dict(told)
    assert back == statistics and back.digest == statistics.digest
    assert list(told["columns"]["sex"]["vocabulary"]) == list(statistics.columns["sex"].vocabulary)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9) | st.none(), min_size=1, max_size=60))
def test_numbers_agree_with_numpy(values: list[float | None]) -> None:
    """Counts, least, greatest, mean, deviation and quantiles are numpy's, the last two but for its rounding."""
    table, form = one_column("number", values)
    found = Statistics.of(measure(table, form)).columns["it"]
    told = np.array([value for value in values if value is not None])
    assert (found.rows, found.missing) == (len(values), len(values) - len(told))
    assert found.distinct == len(set(told.tolist())) and found.distinct_is_exact
    if not len(told):
        assert (found.min, found.max, found.mean, found.std, found.quantiles) == (None, None, None, None, ())
        return
    assert (found.min, found.max) == (told.min(), told.max())
    assert found.mean == pytest.approx(told.mean(), rel=1e-12, abs=1e-6)
    assert found.std == pytest.approx(told.std(), rel=1e-7, abs=1e-6)
    assert found.grid == pytest.approx(np.quantile(told, np.linspace(0, 1, GRID)), rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "", "é", None]), min_size=1, max_size=60))
def test_vocabularies_agree_with_pandas(values: list[str | None]) -> None:
    """Most frequent first, ties by name, each with its count; dictionary columns give the same."""
    table, form = one_column("category", values)
    found = Statistics.of(measure(table, form)).columns["it"]
    counts = pd.Series(values, dtype=object).value_counts()
    expected = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    assert list(zip(found.vocabulary, found.counts, strict=True)) == expected
    assert found.missing == sum(value is None for value in values) and found.distinct == len(expected)
    coded = table.set_column(0, "it", table.column("it").dictionary_encode())
    assert to_bytes(measure(coded, form)) == to_bytes(measure(table, form))


def test_marginals_follow_the_columns_own_order() -> None:
    """Shares stand at the codes of the form's vocabulary, what it does not have under `other`; booleans at 0 and 1."""
    table, form = one_column("category", ["a"] * 5 + ["b"] * 3 + ["c"] * 2 + [None])
    facts = Statistics.of(measure(table, form)).columns["it"]
    assert facts.marginal(Column("it", "category", ("b", "a", "z"))) == pytest.approx([0.3, 0.5, 0.0, 0.2])
    table, form = one_column("boolean", [True, False, False, None, False])
    assert Statistics.of(measure(table, form)).columns["it"].marginal(form.columns[0]) == pytest.approx([0.75, 0.25])


def test_frequent_numbers_are_values_of_their_own() -> None:
    """More than a twentieth of the cells that are not missing; the most frequent first."""
    table, form = one_column("number", [0.0] * 60 + [99.0] * 10 + [float(n) for n in range(1, 31)] + [None] * 50)
    assert Statistics.of(measure(table, form)).columns["it"].frequent == ((0.0, 0.6), (99.0, 0.1))


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([1.0, 2.0], 0), ([1.5, 2.25], 2), ([0.1 + 0.2], None), ([1 / 3], None), ([1e-6], 6), ([2.0**53 - 1, 0.001], 3)],
)
def test_decimals_are_the_digits_that_suffice(values: list[float], decimals: int | None) -> None:
    """Rounding to so many digits gives back every value; null where more than six would be needed."""
    table, form = one_column("number", values)
    assert Statistics.of(measure(table, form)).columns["it"].decimals == decimals


def test_numbers_that_are_not_finite_are_missing() -> None:
    """NaN and the infinities are counted as missing, and spoil nothing."""
    table, form = one_column("number", pa.array([1.0, float("nan"), float("inf"), -float("inf"), 3.0, None]))
    found = Statistics.of(measure(table, form)).columns["it"]
    assert (found.missing, found.mean, found.min, found.max) == (4, 2.0, 1.0, 3.0)


def test_numbers_near_the_end_of_the_floats_do_not_overflow() -> None:
    """Mean and deviation of the greatest floats are finite."""
    table, form = one_column("number", [1.7e308, 1.7e308, -1.7e308, -1.7e308])
    found = Statistics.of(measure(table, form)).columns["it"]
    assert found.mean == 0.0 and found.std == pytest.approx(1.7e308)
    assert np.isfinite(found.grid).all()


def test_dates_are_days_and_datetimes_seconds() -> None:
    """As the matrix has them."""
    table, form = one_column("date", [datetime.date(1970, 1, 2), datetime.date(1970, 1, 4)])
    assert Statistics.of(measure(table, form)).columns["it"].mean == 2.0
    table, form = one_column("datetime", [datetime.datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=datetime.UTC)])
    assert Statistics.of(measure(table, form)).columns["it"].max == 1.5


def test_a_million_values_are_held_in_bounds() -> None:
    """Far more values than are kept: their number is near, the frequent ones are found, and memory is bounded."""
    rows = 1_000_000
    numbers = np.arange(rows)
    often = numbers % 10 == 0  # a tenth of the rows have one of twenty words
    words = pa.array(np.where(often, numbers // 10 % 20, numbers + 100)).cast(pa.string())
    table, form = one_column("category", words)
    tally = None
    for at in range(0, rows, 100_000):
        tally = measure(table.slice(at, 100_000), form, tally)
    assert tally is not None
    assert len(to_bytes(tally)) < 2_000_000
    found = Statistics.of(tally).columns["it"]
    assert not found.distinct_is_exact and found.distinct == pytest.approx(900_020, rel=0.03)
    assert set(found.vocabulary) == {str(number) for number in range(20)}
    assert found.counts == pytest.approx([5000] * 20, rel=0.35)


def test_quantiles_of_many_values_are_near() -> None:
    """Of a column with more values than are kept, from a sample of its rows: within half a per cent of the rows."""
    values = np.random.default_rng(1).lognormal(size=200_000)
    table, form = one_column("number", pa.array(values))
    found = Statistics.of(measure(table, form)).columns["it"]
    assert found.distinct == pytest.approx(200_000, rel=0.03) and not found.distinct_is_exact
    assert (found.grid[0], found.grid[-1]) == (values.min(), values.max())
    share = np.searchsorted(np.sort(values), found.grid) / len(values)
    assert np.abs(share - np.linspace(0, 1, GRID)).max() < 0.012


def test_measures_of_other_columns_do_not_merge() -> None:
    """A column of another kind is not the same column."""
    one, two = (measure(*one_column(kind, [1])) for kind in ("integer", "number"))
    with pytest.raises(ValueError, match=r"it \(integer\) and it \(number\)"):
        merge([one, two])
    with pytest.raises(ValueError, match="no measures"):
        merge([])


def test_wide_tables_keep_less_of_each_column() -> None:
    """Ten times the columns take the same memory, and carry as much."""
    names = [f"c{number}" for number in range(100)]
    form = TableForm(tuple(Column(name, "number") for name in names), "c0", "regression")
    values = np.random.default_rng(0).normal(size=300)
    rows = pa.table(dict.fromkeys(names, values)).append_column("row_id", ids(300))
    with mock.patch.multiple(tallies, KEPT_CELLS=20_000, KEPT_LEAST=10):
        tally = measure(rows, form)
    assert {len(each.sample.words) for each in tally.values()} == {200}
    assert from_bytes(to_bytes(tally))["c9"].distinct.size == 200


def test_rows_without_ids_are_refused() -> None:
    """The sample goes by row ids: where there are none, or text that is none, it is told."""
    table, form = one_column("integer", [1, 2])
    with pytest.raises(ValueError, match="40 hex digits"):
        measure(table.set_column(1, "row_id", pa.array(["ab", "cd"])), form)
    with pytest.raises(ValueError, match="there is no row_id among it"):
        measure(table.select(["it"]), form)


def test_no_rows_give_statistics_too() -> None:
    """Of an empty table everything is null or none."""
    table, form = one_column("number", [])
    found = Statistics.of(measure(table, form))
    assert found.rows == 0 and found.columns["it"].mean is None

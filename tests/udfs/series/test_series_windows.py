"""Windows as rows hold them and as sources write them; lists of steps and of rules as one function."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pyarrow as pa
import pytest

from udfs import hashing, records
from udfs.names import StepError
from udfs.series.compiled import compile_series_rules, compile_series_steps
from udfs.series.windows import SERIES_TYPE, as_text, listed, read, stacked, written

SERIES = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32).astype(np.float64)
IDS = [records.real_id("waves", bytes([row])) for row in range(6)]


def test_a_window_written_and_read_is_the_same() -> None:
    gaps = SERIES[0].copy()
    gaps[2, 1] = np.nan
    values, reason, _ = read(written(gaps.ravel().tolist()), 8, 3)
    assert reason is None and np.array_equal(values, gaps, equal_nan=True)
    nested, _, _ = read(json.dumps(SERIES[1].tolist()), 8, 3)
    assert np.array_equal(nested, SERIES[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "wrong_length"),
        ("", "wrong_length"),
        ("[1, 2]", "wrong_length"),
        ("7", "not_numbers"),
        ("[1, 2, 3", "not_numbers"),
        ('[1, "much", 3, 4]', "not_numbers"),
        ("[1, true, 3, 4]", "not_numbers"),
        ("[[1, 2], [3]]", "not_numbers"),
        ("[1, 2, 3, 1e39]", "not_finite"),
        ("[1, 2, 3, Infinity]", "not_finite"),
    ],
)
def test_what_is_no_window_has_a_reason(text: str | None, reason: str) -> None:
    values, found, _ = read(text, 2, 2)
    assert values is None and found == reason


def test_numbers_are_written_one_way_whatever_a_source_wrote() -> None:
    """So that the same window has the same identity."""
    assert as_text(["1.0", "2", " 3e0 ", "?"]) == as_text([1, 2.0, 3, None]) == as_text([[1, 2], [3, None]])
    assert as_text(["much", 1]) == '["much", 1]' and as_text(None) is None


def test_columns_of_lists_are_stacks_of_windows() -> None:
    there = np.array([True, False, True, True, True, True])
    column = listed(SERIES, there)
    assert column.type == SERIES_TYPE and column.null_count == 1
    back = stacked(column, 8, 3)
    assert np.array_equal(back[there], SERIES[there]) and np.isnan(back[1]).all()
    assert np.array_equal(stacked(column.slice(2, 3), 8, 3), SERIES[2:5])
    with pytest.raises(ValueError, match="reshape"):
        stacked(column, 7, 3)


def test_equal_lists_have_equal_words_whatever_lies_beside_them() -> None:
    lists = [[0.0, 1.5], None, [-0.0, 1.5], [1.5, 0.0], [float("nan")], [0.0], [1.5]]
    words = hashing.cell_words(pa.array(lists, SERIES_TYPE)).tolist()
    assert words[0] == words[2] and len(set(words)) == 6
    alone = [hashing.cell_words(pa.array([each], SERIES_TYPE))[0] for each in lists]
    assert alone == words
    assert hashing.cell_words(pa.array(lists, SERIES_TYPE).slice(3, 2)).tolist() == words[3:5]


def test_rows_without_a_partner_are_not_mixed() -> None:
    compiled = compile_series_steps([("series.interpolate", {"p": 1.0})], 8, 3)
    paired = np.array([True, False, True, False, True, True])
    others = np.where(paired[:, None, None], SERIES[::-1], np.nan)
    made, own = compiled.apply(SERIES, IDS, 7, others=others, paired=paired)
    assert np.array_equal(made[~paired], SERIES[~paired]) and (own[~paired] == 1).all()
    assert (own[paired] < 1).all() and not np.isclose(made[paired], SERIES[paired]).all(axis=(1, 2)).any()


def test_a_compiled_list_pickles_and_tells_what_decides_its_rows() -> None:
    compiled = compile_series_steps(["series.jitter"], 8, 3)
    again = pickle.loads(pickle.dumps(compiled))
    assert np.array_equal(again.apply(SERIES, IDS, 7)[0], compiled.apply(SERIES, IDS, 7)[0])
    assert not np.array_equal(compiled.apply(SERIES, IDS, 8)[0], compiled.apply(SERIES, IDS, 7)[0])
    assert compiled.identity != compile_series_steps(["series.jitter"], 24, 1).identity


def test_rules_refuse_or_only_warn() -> None:
    flat = SERIES.copy()
    flat[1] = 3.0
    assert compile_series_rules(["series.reject_constant"])(flat)[0] == [None, "constant", None, None, None, None]
    warned = compile_series_rules([("series.reject_constant", {"severity": "warn"})])(flat)
    assert warned[0] == [None] * 6 and warned[1][1] == ["constant"]
    with pytest.raises(StepError, match="severity is refuse or warn"):
        compile_series_rules([("series.reject_constant", {"severity": "shout"})])
    with pytest.raises(StepError, match="share their partners"):
        compile_series_steps([("series.interpolate", {"partners": "nearest"}), "series.cut_mix"], 8, 3)

"""Hashes of many rows at once."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa

from udfs import hashing, records

ROWS = pa.table(
    {
        "number": pa.array([1.5, None, float("nan"), -0.0], pa.float64()),
        "whole": pa.array([1, 2, None, 2**62], pa.int64()),
        "text": pa.array(["a", "", None, "a"], pa.string()),
        "flag": pa.array([True, None, False, True]),
        "day": pa.array([datetime.date(2024, 2, 29), None, datetime.date(1, 1, 1), None], pa.date32()),
        "list": pa.array([["x"], [], None, ["x", "y"]], pa.list_(pa.string())),
    }
)


def test_a_rows_hash_does_not_depend_on_its_batch() -> None:
    """Rows hashed alone, in chunks, sliced and dictionary-encoded have the hashes of the whole."""
    whole = records.row_hashes(ROWS).to_pylist()
    assert [records.row_hashes(ROWS.slice(row, 1)).to_pylist()[0] for row in range(4)] == whole
    chunks = pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(1, 3)])
    assert records.row_hashes(chunks).to_pylist() == whole
    coded = ROWS.set_column(2, "text", ROWS["text"].combine_chunks().dictionary_encode())
    assert records.row_hashes(coded).to_pylist() == whole
    assert records.row_hashes(ROWS.select(ROWS.schema.names[::-1])).to_pylist() == whole


def test_every_cell_counts() -> None:
    """Another value in any column, null for empty, and cells that changed places give another hash."""
    one = {"a": ["x"], "b": ["y"], "n": [0.0], "list": [["x"]]}
    others = [
        {**one, "a": ["z"]},
        {**one, "a": [""]},
        {**one, "a": pa.array([None], pa.string())},
        {**one, "n": [None]},
        {**one, "n": [1e-300]},
        {**one, "list": [[]]},
        {**one, "a": ["y"], "b": ["x"]},
    ]
    schema = pa.schema({"a": pa.string(), "b": pa.string(), "n": pa.float64(), "list": pa.list_(pa.string())})
    found = {records.row_hashes(pa.table(each, schema=schema))[0].as_py() for each in [one, *others]}
    assert len(found) == 1 + len(others)


def test_numbered_ids_are_ids_and_never_meet() -> None:
    """40 hex digits each, all different, those of any part the same as those of the whole."""
    maker = records.maker("test")
    whole = hashing.numbered_ids(maker, "yes", 0, 50_000).to_pylist()
    assert all(len(each) == 40 and each.startswith(maker) for each in whole)
    assert len(set(whole)) == 50_000
    assert hashing.numbered_ids(maker, "yes", 1000, 1010).to_pylist() == whole[1000:1010]
    assert not set(whole) & set(hashing.numbered_ids(maker, "no", 0, 50_000).to_pylist())
    ones = np.array([[int(digit, 16) for digit in each[16:]] for each in whole[:2000]])
    assert abs(ones.mean() - 7.5) < 0.1


def test_records_are_hashed_whatever_the_order_of_columns_and_empty_cells_count_for_nothing() -> None:
    salts = (hashing.word_of("one"), hashing.word_of("two"))
    rows = pa.table({"a": ["x", "y", "x"], "b": ["1", None, "2"]})
    one, two = hashing.record_words(rows, ["a", "b"], salts)
    assert len({*one.tolist(), *two.tolist()}) == 6
    turned = hashing.record_words(rows, ["b", "a"], salts)
    assert [words.tolist() for words in turned] == [one.tolist(), two.tolist()]
    more = rows.append_column("c", pa.array(["", None, "new"]))
    (with_more,) = hashing.record_words(more, ["a", "b", "c"], salts[:1])
    assert (with_more == one).tolist() == [True, True, False]
    swapped = pa.table({"a": ["1"], "b": ["x"]})
    assert hashing.record_words(swapped, ["a", "b"], salts)[0][0] != one[0]

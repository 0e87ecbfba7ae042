"""Ids and hashes cover what they must, and nothing else."""

from __future__ import annotations

import pyarrow as pa
import pytest

from udfs import records


def table(**changed: object) -> pa.Table:
    """One image row with some columns changed."""
    row = {
        "row_id": records.real_id("a", b"x"),
        "row_origin": "real",
        "row_parents": [],
        "row_split": "train",
        "row_source": "a#1",
        "row_label_source": "given",
        "row_label_confidence": None,
        "row_flags": [],
        "row_hash": None,
        "row_group": None,
        "label": "1",
        "soft_label": None,
        "image": b"x",
    }
    return pa.Table.from_pylist([{**row, **changed}], schema=records.image_schema())


def test_ids_do_not_run_into_each_other() -> None:
    """Parts are hashed with their lengths and kinds."""
    assert records.maker("ab", "c") != records.maker("a", "bc")
    assert records.maker("1") != records.maker(1)
    assert records.which(b"1") != records.which("1")
    assert len(records.real_id("a", b"x")) == 40


def test_a_real_id_ignores_the_label_and_the_file() -> None:
    """The id is the source's name and the record.

    The same record elsewhere in the source keeps it, its second copy has another.
    """
    assert records.real_id("a", b"x") == records.real_id("a", b"x", 0)
    assert len({records.real_id("a", b"x"), records.real_id("a", b"x", 1), records.real_id("b", b"x")}) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"label": "2"},
        {"label": None},
        {"label": ""},
        {"image": b"y"},
        {"image": None},
        {"row_split": "test"},
        {"row_flags": ["outlier"]},
        {"soft_label": [("1", 0.5), ("2", 0.5)]},
        {"row_label_source": "model"},
        {"row_label_confidence": 0.5},
    ],
)
def test_the_hash_covers_payload_label_and_split(changed: dict[str, object]) -> None:
    """Each of these changes the hash."""
    assert records.row_hashes(table(**changed)) != records.row_hashes(table())


@pytest.mark.parametrize("changed", [{"row_source": "b#9"}, {"row_hash": "f" * 16}, {"row_group": "g"}])
def test_the_hash_leaves_out_where_a_row_stood(changed: dict[str, object]) -> None:
    """A line inserted above, or a renamed file, touches no other row."""
    assert records.row_hashes(table(**changed)) == records.row_hashes(table())


def test_the_hash_does_not_depend_on_column_order() -> None:
    """Engines may hand columns in another order."""
    whole = table()
    assert records.row_hashes(whole.select(sorted(whole.schema.names))) == records.row_hashes(whole)


def test_conform_orders_casts_and_fills() -> None:
    """Columns come in the schema's order.

    A missing nullable one is null; an unknown or a missing required one is an error.
    """
    whole = table()
    part = whole.select(["image", "label", "row_origin", "row_id"])
    shaped = records.conform(part, records.image_schema())
    assert shaped.schema == records.image_schema()
    assert shaped.column("row_split").null_count == 1
    with pytest.raises(ValueError, match="extra"):
        records.conform(whole.append_column("extra", pa.array([1])), records.image_schema())
    with pytest.raises(ValueError, match="row_id"):
        records.conform(whole.drop_columns(["row_id"]), records.image_schema())


def test_sampled_ids_are_what_the_contract_says_of_each() -> None:
    """A series of ids at once is the series of ids one by one."""
    for label in ("7", "a \u00fc\u2028 label", ""):
        one_by_one = ["m" * 16 + records.which(label, index) for index in range(9, 2000, 331)]
        assert records.sampled_ids("m" * 16, label, range(9, 2000, 331)) == one_by_one


def test_ids_of_children_at_once_are_those_of_each() -> None:
    """Whatever stands in a parent's id: quotes, controls and letters beyond ASCII are told as JSON tells them."""
    parents = ["0f" * 20, 'a"b\\c', "\u00fc\u2028\n", "", "\U0001f600"]
    assert records.child_ids("m" * 16, parents) == [records.child_id("m" * 16, [parent]) for parent in parents]

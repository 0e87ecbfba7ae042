"""A compiled list of table steps: from batch to batch, by identity alone."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.udfs.table.made import ids, measured
from tests.udfs.table.test_steps import FORM, plain_table
from udfs import names, records
from udfs.names import StepError
from udfs.table.compiled import CompiledTable, compile_table_steps
from udfs.table.form import OTHER, Column, TableForm

MAKER = records.maker("test")
TABLE = plain_table(120)
LIST: list[Any] = [
    ("table.gaussian_jitter", {"std": 0.2, "p": 0.8}),
    "table.category_swap",
    ("table.column_dropout", {"columns": ["rate"], "p": 0.1}),
]
MIXES: list[Any] = [("table.gaussian_jitter", {"std": 0.1}), ("table.mixup", {"p": 0.6, "share": [0.2, 0.7]})]


def compiled_of(steps: list[Any], words: int = 3) -> CompiledTable:
    """Compiled against the table's own statistics."""
    form, statistics = measured(TABLE, FORM, words)
    return compile_table_steps(steps, form=form, statistics=statistics)


def batch(**more: Any) -> pa.RecordBatch:
    """Children before the steps: their primary ids, their parents' payload, and a partner beside, but for some."""
    parents = TABLE.column("row_id").to_pylist()
    payload = TABLE.select(FORM.schema().names)
    order = [None if row % 10 == 0 else (row + 7) % len(parents) for row in range(len(parents))]
    children = payload.append_column("row_id", pa.array([records.child_id(MAKER, [parent]) for parent in parents]))
    children = children.append_column("row_parents", pa.array([[parent] for parent in parents]))
    children = children.append_column("partner_id", pa.array([row if row is None else parents[row] for row in order]))
    partners = pa.array(payload.to_struct_array().combine_chunks().take(pa.array(order, pa.int64())))
    return children.append_column("partner_row", partners).combine_chunks().to_batches()[0]


@pytest.mark.parametrize("steps", [LIST, MIXES, [("table.smote_nc", {})], [("table.knn", {"p": 0.5})]])
def test_rows_do_not_depend_on_their_batch(steps: list[Any]) -> None:
    """Pickled or not, whole, in parts or in another order: the same rows."""
    compiled = compiled_of(steps)
    whole = compiled(batch(), 7)
    assert whole.num_rows == TABLE.num_rows and "partner_row" not in (whole.schema.names if len(steps) < 3 else [])
    again = pickle.loads(pickle.dumps(compiled))
    order = np.random.default_rng(0).permutation(TABLE.num_rows)
    moved = batch().take(pa.array(order))
    parts = [again(moved.slice(at, size), 7) for at, size in ((0, 1), (1, 70), (71, 49))]
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([whole.take(pa.array(order))]))
    assert not compiled(batch(), 8).equals(whole)
    assert compiled(batch().slice(0, 0), 7).schema == whole.schema


def test_types_and_untouched_cells_stay() -> None:
    """A word outside the vocabulary and a whole number that no float holds come out as they went in."""
    form = TableForm((*FORM.columns, Column("big", "integer"), Column("key", "id")), "label", "classification", ("a",))
    big = [2**60 + 1 + row for row in range(TABLE.num_rows)]
    table = TABLE.append_column("big", pa.array(big)).append_column("key", TABLE.column("row_id"))
    form, statistics = measured(table, form, 3)
    steps: list[Any] = [("table.gaussian_jitter", {"columns": ["rate"]}), ("table.category_swap", {"columns": ["job"]})]
    made = compile_table_steps(steps, form=form, statistics=statistics)(table.combine_chunks().to_batches()[0])
    jobs = made.column("job").to_pylist()
    assert "rare" in jobs and OTHER not in jobs and jobs != table.column("job").to_pylist()
    assert made.schema == table.schema
    rest = ["rate", "job"]
    assert made.drop_columns(rest).equals(table.drop_columns(rest).combine_chunks().to_batches()[0])
    assert made.column("rate") != table.column("rate").combine_chunks()


def test_mixed_rows_tell_of_both_parents() -> None:
    """Ids and parents of both; a soft label by the shares where labels differ, and the label of the larger share."""
    made = compiled_of(MIXES)(batch(), 7).to_pylist()
    labels = dict(zip(TABLE.column("row_id").to_pylist(), TABLE.column("label").to_pylist(), strict=True))
    kinds = set()
    for before, row in zip(batch().to_pylist(), made, strict=True):
        parents = row["row_parents"]
        assert parents[0] == before["row_parents"][0] and row["row_id"] == records.child_id(MAKER, parents)
        own = labels[parents[0]]
        kinds.add(len(parents))
        if len(parents) == 1:
            assert row["label"] == own and row["soft_label"] is None
            continue
        assert parents[1] == before["partner_id"]
        if labels[parents[1]] == own:
            assert row["label"] == own and row["soft_label"] is None
        else:
            shares = dict(row["soft_label"])
            assert sum(shares.values()) == pytest.approx(1) and 0.3 <= shares[own] <= 0.8
            assert row["label"] == max(shares, key=lambda label: shares[label])
    assert kinds == {1, 2}


def test_nearest_partners_mix_no_labels() -> None:
    """They are of the same label: there is no soft label, and no label changes."""
    compiled = compiled_of(["table.smote_nc"])
    made = compiled(batch(), 7)
    assert compiled.needs_partners == ["nearest"] and "soft_label" not in made.schema.names
    assert made.column("label").equals(batch().column("label"))


def test_labels_of_any_type_are_mixed() -> None:
    """A boolean label stays one."""
    form = TableForm((Column("x", "number"), Column("label", "boolean")), "label", "classification", ("false", "true"))
    rows = {"x": [0.5, 4.5], "label": [True, False]}
    table = pa.table({**rows, "row_id": ids(2), "row_parents": [[each] for each in ids(2).to_pylist()]})
    table = table.append_column("partner_id", ids(2, 5))
    table = table.append_column("partner_row", pa.array([{"x": 2.5, "label": False}] * 2))
    form, statistics = measured(table, form)
    steps: list[Any] = [("table.mixup", {"share": [0.75, 0.75], "p": 1.0})]
    made = compile_table_steps(steps, form=form, statistics=statistics)(table.to_batches()[0])
    assert made.column("label").to_pylist() == [False, False] and made.column("x").to_pylist() == [2.0, 3.0]
    assert [dict(soft) if soft else None for soft in made.column("soft_label").to_pylist()] == [
        {"false": 0.75, "true": 0.25},
        None,
    ]


def test_the_identity_covers_all_that_decides() -> None:
    """Steps, options, statistics and vocabulary; not what merely runs it."""
    compiled = compiled_of(LIST)
    assert compiled.identity == pickle.loads(pickle.dumps(compiled)).identity
    facts = compiled.statistics.columns
    other = replace(compiled.statistics, columns={**facts, "age": replace(facts["age"], std=1.0)})
    changed = [
        compiled_of(LIST[:2]),
        compiled_of([("table.gaussian_jitter", {"std": 0.21, "p": 0.8}), *LIST[1:]]),
        compiled_of(LIST, words=2),
        replace(compiled, statistics=other),
    ]
    assert len({str(each.identity) for each in [compiled, *changed]}) == 5


def test_explain_tells_what_each_step_made() -> None:
    """The last step's cells are those of the row; a step that changed nothing did not fire."""
    compiled = compiled_of(MIXES)
    made = {row["row_parents"][0]: row for row in compiled(batch(), 7).to_pylist()}
    for before, told in zip(batch().to_pylist(), compiled.explain(batch(), 7), strict=True):
        assert told["row_id"] == before["row_id"]
        assert [step["step"] for step in told["steps"]] == ["table.gaussian_jitter", "table.mixup"]
        cells = {name: before[name] for name in FORM.schema().names}
        for step in told["steps"]:
            assert step["fired"] == bool(step["parameters"])
            cells |= {name: after for name, (_, after) in step["parameters"].items()}
        row = made[before["row_parents"][0]]
        unnamed = before["job"] == "rare"
        told_names = [name for name in cells if name != "label" and not (name == "job" and unnamed)]
        assert {name: cells[name] for name in told_names} == {name: row[name] for name in told_names}


@pytest.mark.parametrize(
    ("steps", "message", "place"),
    [
        (["table.gausian_jitter"], r"The nearest is table.gaussian_jitter", 0),
        (["image.rotate"], r"image.rotate is for images and these are tables, which have table.borderline_smote", 0),
        (
            [LIST[1], ("table.column_dropout", {"columns": ["agee"]})],
            r"agee is not a modelled column; there are age",
            1,
        ),
        ([("table.gaussian_jitter", {"columns": ["label"]})], r"label is the label, which no step changes", 0),
        ([("table.gaussian_jitter", {"std": -1})], r"needs a number of 0 to 10; it has -1", 0),
        ([("table.smote", {"partners": "far"})], r"partners is one of any, same_label, nearest, borderline", 0),
        (["table.smote", "table.mixup"], r"share their partners, but they ask for any and nearest", None),
    ],
)
def test_mistakes_are_told_before_anything_runs(steps: list[Any], message: str, place: int | None) -> None:
    """With the place in the list; statistics are not needed for it."""
    with pytest.raises(StepError, match=message) as told:
        compile_table_steps(steps, form=FORM)
    assert told.value.place == place


def test_every_step_compiles_without_statistics() -> None:
    """So that a recipe can be checked before anything was measured."""
    for name in names.step_names("table"):
        assert compile_table_steps([name], form=FORM).steps[0].name == name

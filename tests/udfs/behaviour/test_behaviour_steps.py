"""Steps and rules of behaviour: what they promise of every sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from udfs import behaviour, names, records
from udfs.behaviour.compiled import compile_behaviour_rules, compile_behaviour_steps, lists_of, sequences_of
from udfs.behaviour.values import Events, Sequences
from udfs.names import StepError
from udfs.rng import RowRandom

NEAR = {f"i{number}": [f"i{(number + step) % 40}" for step in range(1, 8)] for number in range(40)}
CHANGING = [name for name in names.step_names("behaviour") if names.kind_of(names.resolve(name)) == "random"]


def user(length: int, first: int = 0) -> Events:
    items = tuple(f"i{(first + 3 * place) % 40}" for place in range(length))
    return Events(items, np.arange(length) % 5 + 1.0, np.cumsum(np.arange(length) % 4 * 30).astype(np.int64))


def users(count: int = 60) -> Sequences:
    return Sequences([None if row == 7 else user(3 + row % 17, row) for row in range(count)], NEAR)


def ids(count: int = 60) -> list[str]:
    return [records.child_id(records.maker("test"), [str(row)]) for row in range(count)]


@pytest.mark.parametrize("name", CHANGING)
def test_a_step_gives_sound_sequences(name: str) -> None:
    """As many users, null for null, three columns of one length, times that never fall, three events or more."""
    before = users()
    after = names.resolve(name)(RowRandom(ids(), 7, name), before)
    assert len(after) == len(before) and after.users[7] is None
    for _, each in after.there():
        assert len(each.items) == len(each.ratings) == len(each.times) >= 3 and (np.diff(each.times) >= 0).all()
    assert (
        sum(
            a is not None and b is not None and a.items != b.items
            for a, b in zip(before.users, after.users, strict=True)
        )
        > 15
    )


@pytest.mark.parametrize("name", CHANGING)
def test_a_sequence_is_a_function_of_its_id(name: str) -> None:
    """Alone or among others, in any order."""
    compiled, whole = compile_behaviour_steps([name], NEAR), users()
    made = compiled.apply(whole, ids(), 7).users
    for row in (3, 20, 59):
        (alone,) = compiled.apply(Sequences([whole.users[row]]), [ids()[row]], 7).users
        assert alone is not None and made[row] is not None and alone.items == made[row].items
    other = compiled.apply(whole, ids(), 8).users
    assert any(a is not None and b is not None and a.items != b.items for a, b in zip(made, other, strict=True))


def test_crop_keeps_a_run_of_the_length_asked() -> None:
    """Neighbours stay neighbours."""
    whole = Sequences([user(40, row) for row in range(20)])
    for row, each in behaviour.crop(RowRandom(ids(20), 1, "crop"), whole, share=(0.5, 0.5)).there():
        text, part = ",".join(whole.users[row].items), ",".join(each.items)  # type: ignore[union-attr]
        assert len(each) == 20 and part in text


def test_reorder_moves_within_spans_and_keeps_times() -> None:
    """No event leaves its span; none is lost."""
    whole = Sequences([user(16, row) for row in range(20)])
    for row, each in behaviour.reorder(RowRandom(ids(20), 1, "reorder"), whole, span=4, p=1.0).there():
        before = whole.users[row]
        assert before is not None and (each.times == before.times).all()
        for at in range(0, 16, 4):
            assert sorted(each.items[at : at + 4]) == sorted(before.items[at : at + 4])


def test_substitute_takes_what_meets_the_item_and_is_not_had() -> None:
    """From the first `among`; an item that is known of no other stays."""
    whole = Sequences([Events(("i0", "i20", "strange"), np.ones(3), np.arange(3))], NEAR)
    (made,) = behaviour.substitute(RowRandom(ids(1), 1, "s"), whole, p=1.0, among=2).users
    assert made is not None and made.items[0] in ("i1", "i2") and made.items[1] in ("i21", "i22")
    assert made.items[2] == "strange"


def test_rules_refuse_what_they_name() -> None:
    """The first reason counts; a warning flags."""
    same = Events(tuple(f"i{n}" for n in range(30)), np.full(30, 4.0), np.arange(30) * 100)
    burst = Events(tuple(f"i{n}" for n in range(30)), np.arange(30) % 5 + 1.0, np.zeros(30, np.int64))
    loop = Events(("i1",) * 8 + ("i2", "i3"), np.arange(10) % 5 + 1.0, np.arange(10) * 100)
    rules = compile_behaviour_rules(
        [
            ("behaviour.reject_one_rating", {"min_events": 20}),
            ("behaviour.reject_bursts", {"seconds": 5, "max_events": 20}),
            ("behaviour.reject_repeats", {"max_share": 0.5, "severity": "warn"}),
        ]
    )
    reasons, flags = rules(Sequences([same, burst, loop, user(30), None]))
    assert reasons == ["one_rating", "burst", None, None, None] and flags == [[], [], ["repeats"], [], []]


def test_children_are_nobody_of_the_source() -> None:
    """Events of a child are told apart from those of its parent."""
    schema = records.behaviour_schema({"age": "integer"})
    told = {"row_id": ids(5), "row_origin": ["augmented"] * 5, "user": list("abcde"), "age": [1] * 5}
    batch = records.conform(pa.table({**told, **lists_of(Sequences([user(9, row) for row in range(5)]))}), schema)
    (rows,) = batch.combine_chunks().to_batches()
    made = compile_behaviour_steps(["behaviour.crop"])(rows, 7)
    assert made.column("user").null_count == 5 and made.column("age").to_pylist() == [1] * 5
    assert len(sequences_of(made)) == 5


def test_what_items_meet_is_part_of_who_a_child_is() -> None:
    """Other statistics make other rows, so they have another maker."""
    one, other = (compile_behaviour_steps(["behaviour.crop"], near) for near in (NEAR, {}))
    assert one.identity != other.identity


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (["behaviour.crops"], "The nearest is behaviour.crop"),
        ([("behaviour.substitute", {"among": 50})], "among"),
        (["text.word_swap"], "is for texts and these are behaviour"),
        (["behaviour.reject_bursts"], "belongs under clean.rules"),
    ],
)
def test_a_wrong_step_is_told(steps: Any, told: str) -> None:
    """In a sentence."""
    with pytest.raises(StepError, match=told):
        compile_behaviour_steps(steps)

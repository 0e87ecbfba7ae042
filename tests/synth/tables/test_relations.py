"""Sums, inequalities and groups of columns: read from rules, found in rows, kept whatever a model draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from conf.schema.where import parse
from synth.models.drawing import Drawer
from synth.tables import limits, relations
from synth.tables.drawing import Drawing
from synth.tables.limits import Limits
from synth.tables.relations import Relation
from synth.tables.tokens import TableTokens, measure
from udfs.table.form import Column, Matrix, TableForm

NAMES = {"a": 0, "b": 1, "c": 2}
RULES = ["total = net + tax", "tax <= net", "first <= last"]
COLUMNS = ("total", "net", "tax", "first", "last", "red", "green", "blue", "label")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <= b", [Relation(((0, 1.0), (1, -1.0)), "<=", 0.0)]),
        ("a > b", [Relation(((0, -1.0), (1, 1.0)), "<", 0.0)]),
        ("c = a + b", [Relation(((0, -1.0), (1, -1.0), (2, 1.0)), "=", 0.0)]),
        ("a + 2 * b - 3 == c * 4", [Relation(((0, 1.0), (1, 2.0), (2, -4.0)), "=", 3.0)]),
        ("a + b + c = 1", [Relation(((0, 1.0), (1, 1.0), (2, 1.0)), "=", 1.0)]),
        ("-a >= -1e2", [Relation(((0, 1.0),), "<=", 100.0)]),
        ("abs(c - a - b) < 0.01", [Relation(((0, -1.0), (1, -1.0), (2, 1.0)), "=", 0.0)]),
        ("a <= b AND b <= c", [Relation(((0, 1.0), (1, -1.0)), "<=", 0.0), Relation(((1, 1.0), (2, -1.0)), "<=", 0.0)]),
    ],
)
def test_sums_and_comparisons_are_read(text: str, expected: list[Relation]) -> None:
    assert relations.of_expression(text, NAMES) == expected


@pytest.mark.parametrize(
    "text",
    ["a = 0 OR b = 0", "a BETWEEN b AND c", "a * b = c", "a + = b", "a b = c", "ln(a) < b", "a <= other", "a", "",
     "a <= b <= c", "a / 2 = b", "(a + b) = c", "a - a = 0"],
)  # fmt: skip
def test_what_says_more_than_sums_is_left_to_the_gate(text: str) -> None:
    assert relations.of_expression(text, NAMES) == []


def rows(count: int = 3000, seed: int = 0) -> Matrix:
    """float64[count, 9] of COLUMNS that keep RULES, red, green and blue with one 1 in each row; some `last` missing."""
    random = np.random.default_rng(seed)
    net = np.round(random.exponential(100, count), 2)
    tax = np.round(net * random.uniform(0, 0.5, count), 2)
    first = random.integers(0, 60, count).astype(float)
    last = np.where(random.random(count) < 0.2, np.nan, first + random.integers(0, 9, count))
    colour = np.eye(3)[random.integers(0, 3, count)]
    label = random.integers(0, 2, count)
    return np.column_stack([np.round(net + tax, 2), net, tax, first, last, colour, label])


def form() -> TableForm:
    """The form of `rows`."""
    decimals = (2, 2, 2, 0, 0, 0, 0, 0)
    columns = [Column(name, "number", decimals=each) for name, each in zip(COLUMNS, decimals, strict=False)]
    return TableForm((*columns, Column("label", "category", ("no", "yes"))), "label", "classification", ("no", "yes"))


class Careless(Drawer):
    """Draws each column by how frequent its tokens are, whatever the others are."""

    def __init__(self, tokens: TableTokens) -> None:
        super().__init__([torch.from_numpy(column.count > 0) for column in tokens.columns])
        self.frequent = [torch.from_numpy(column.count).clamp_min(1e-9).log().float() for column in tokens.columns]

    def logits(self, column: int, tokens: Tensor, known: Tensor, block: Any) -> Tensor:
        return self.frequent[column].expand(len(tokens), -1)


def limited(where: str = "") -> Limits:
    """The limits of a recipe with RULES over `rows`."""
    matrix = rows()
    tokens = measure(matrix, form())
    names = {COLUMNS[place]: number for number, place in enumerate(tokens.places)}
    found = [each for text in RULES for each in relations.of_expression(text, names)]
    spans = limits.asked(parse(where), tokens, form(), "where") if where else {}
    found += relations.groups(matrix[:, list(tokens.places)], tokens.columns)
    return Limits(tokens, spans, relations.with_implied(found))


def drawn(held: Limits, count: int = 4000, known: Matrix | None = None) -> Matrix:
    """float64[count, 9]: rows by a careless model."""
    random, width = np.random.default_rng(1), len(held.tokens.columns)
    given = None
    if known is not None:
        given = np.where(np.isnan(known[:, list(held.tokens.places)]), -1, held.tokens.encode(known))
    drawing = Drawing(held, random.random((count, width)), given, known)
    tokens = Careless(held.tokens).sample(
        torch.from_numpy(random.random((count, width))),
        None if given is None else torch.from_numpy(given),
        drawing.narrow,
        first=drawing.first,
    )
    found = np.empty((count, width))
    for number, place in enumerate(held.tokens.places):
        found[:, place] = drawing.settled(number, tokens[:, number].numpy())
    return found


def assert_kept(made: Matrix) -> None:
    total, net, tax, first, last = made[:, :5].T
    assert np.allclose(total, net + tax, atol=1e-6) and (tax <= net + 1e-9).all()
    assert np.array_equal(made[:, :3], np.round(made[:, :3], 2))
    assert ((first <= last) | np.isnan(last)).all()
    assert (made[:, 5:8].sum(1) == 1).all() and np.isin(made[:, 5:8], [0, 1]).all()


def test_a_group_of_which_one_is_1_is_found_and_no_other() -> None:
    matrix = rows()
    tokens = measure(matrix, form())
    found = relations.groups(matrix[:, list(tokens.places)], tokens.columns)
    places = [tokens.places.index(COLUMNS.index(name)) for name in ("red", "green", "blue")]
    assert found == [Relation(tuple((place, 1.0) for place in places), "=", 1.0)]
    matrix[7, 5:8] = 0
    assert relations.groups(matrix[:, list(tokens.places)], tokens.columns) == []


def test_a_careless_model_keeps_sums_inequalities_and_groups() -> None:
    """Without the relations it keeps none of them: what holds them is the drawing."""
    made = drawn(limited())
    assert_kept(made)
    assert 0.1 < np.isnan(made[:, 4]).mean() < 0.6 and (made[:, 5:8].mean(0) > 0.2).all()
    free = drawn(Limits(limited().tokens))
    assert (np.abs(free[:, 0] - free[:, 1] - free[:, 2]) > 1).mean() > 0.5 and (free[:, 5:8].sum(1) != 1).any()


@pytest.mark.parametrize("where", ["total>=200,total<300", "tax>30", "red=1", "blue=0,first>50", "net<10"])
def test_conditions_and_relations_hold_together(where: str) -> None:
    made = drawn(limited(where))
    assert_kept(made)
    for condition in parse(where):
        values, asked = made[:, COLUMNS.index(condition.column)], float(condition.values[0])
        met = {">=": values >= asked, ">": values > asked, "<": values < asked, "=": values == asked}
        assert met[condition.op].all()


@pytest.mark.parametrize(
    "hidden", [("total",), ("net",), ("tax",), ("net", "tax"), ("first", "green"), ("last",), ("red", "blue")]
)
def test_filled_cells_keep_what_the_others_ask(hidden: tuple[str, ...]) -> None:
    """Wherever the hole is in the order of drawing; the last one of a sum is what the others leave."""
    whole = rows(500, seed=2)
    whole = whole[~np.isnan(whole[:, 4])]
    known = whole.copy()
    places = [COLUMNS.index(name) for name in hidden]
    known[:, places] = np.nan
    filled = drawn(limited(), len(known), known)
    assert_kept(filled)
    if len(hidden) == 1 and hidden[0] in ("total", "net", "tax"):
        assert np.allclose(filled, whole, atol=1e-6)
    others = [place for place in range(len(COLUMNS)) if place not in places]
    assert np.array_equal(filled[:, others], whole[:, others])

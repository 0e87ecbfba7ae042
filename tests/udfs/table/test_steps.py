"""The contract that every step of tables keeps, found by walking the names; and what each does."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.udfs.table.made import ids, measured
from udfs import names, table
from udfs.rng import RowRandom
from udfs.table.form import Column, Matrix, TableForm, to_matrix
from udfs.table.values import Rows

STEPS = names.step_names("table")
MIXING = [name for name in STEPS if names.kind_of(names.resolve(name)) == "mixing"]
FORM = TableForm(
    (
        Column("age", "integer", low=17, high=90),
        Column("gain", "integer"),
        Column("rate", "number"),
        Column("job", "category"),
        Column("member", "boolean"),
        Column("born", "date"),
        Column("label", "category"),
    ),
    label="label",
    task="classification",
    classes=("no", "yes"),
)
AGE, GAIN, RATE, JOB, MEMBER, BORN, LABEL = range(7)


def plain_table(count: int = 400) -> pa.Table:
    """Rows with a zero that most have, two decimals, a word too rare for the vocabulary, and missing cells."""
    random = np.random.default_rng(0)
    cells: dict[str, Any] = {
        "age": random.integers(17, 91, count),
        "gain": np.where(random.random(count) < 0.7, 0, random.integers(1000, 9000, count)),
        "rate": np.round(random.normal(10, 3, count), 2),
        "job": np.where(
            np.arange(count) % 97 == 3, "rare", random.choice(["clerk", "cook", "smith"], count, p=[0.6, 0.3, 0.1])
        ),
        "member": random.random(count) < 0.25,
        "born": random.integers(0, 20_000, count).astype("datetime64[D]"),
        "label": random.choice(["no", "yes"], count),
    }
    holes = {name: random.random(count) < (0.0 if name == "label" else 0.1) for name in cells}
    arrays = [pa.array(cells[name], FORM.schema().field(name).type, mask=holes[name]) for name in FORM.schema().names]
    return pa.table(arrays, names=FORM.schema().names).append_column("row_id", ids(count))


def rows_of(source: pa.Table) -> Rows:
    """The rows with their statistics; three words are in the vocabulary."""
    form, statistics = measured(source, FORM, words=3)
    return Rows(to_matrix(source, form), form, statistics)


ROWS = rows_of(plain_table())
IDS = ids(len(ROWS)).to_pylist()


def run(name: str, rows: Rows = ROWS, row_ids: list[str] = IDS, others: Matrix | None = None, **options: Any) -> Matrix:
    """One step by its name; partners are the rows in another order."""
    function, random = names.resolve(name), RowRandom(row_ids, 5, name, 2)
    if name in MIXING:
        partners = rows.with_matrix(partners_of(rows.matrix) if others is None else others)
        return function(random, rows, partners, **options)[0].matrix
    return function(random, rows, **options).matrix


def partners_of(matrix: Matrix) -> Matrix:
    """Another row for each."""
    return np.roll(matrix, -1, axis=0)


def alike(first: Matrix, second: Matrix) -> Any:
    """Equal cells, missing ones too."""
    return (first == second) | (np.isnan(first) & np.isnan(second))


@pytest.mark.parametrize("name", STEPS)
def test_a_step_keeps_the_contract(name: str) -> None:
    """Same shape; input unchanged; the same again; a row does not depend on its batch; no rows give none."""
    before, partners = ROWS.matrix.copy(), partners_of(ROWS.matrix)
    made = run(name)
    assert alike(ROWS.matrix, before).all(), "the input was changed"
    assert made.shape == before.shape and made.dtype == np.float64
    assert alike(run(name), made).all(), "not the same a second time"
    order = np.random.default_rng(1).permutation(len(before))[:50]
    some = run(name, ROWS.with_matrix(before[order]), [IDS[row] for row in order], partners[order])
    assert alike(some, made[order]).all(), "depends on the order or the batch"
    assert run(name, ROWS.with_matrix(before[:0]), [], partners[:0]).shape == (0, 7)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_makes_only_what_columns_may_hold(name: str) -> None:
    """Labels stay; numbers are whole where they were, with their decimals and within their bounds; codes are words of
    the vocabulary; nothing goes missing but by dropout, and nothing missing is filled.
    """
    made = run(name)
    assert (made[:, LABEL] == ROWS.matrix[:, LABEL]).all()
    changed = ~alike(made, ROWS.matrix)
    assert changed.any()
    if name != "table.column_dropout":
        assert (np.isnan(made) == np.isnan(ROWS.matrix)).all()
    for place, column in enumerate(ROWS.form.modelled):
        cells = made[changed[:, place] & ~np.isnan(made[:, place]), place]
        if column.kind in ("integer", "date"):
            assert (cells == np.rint(cells)).all()
        if column.kind == "number":
            assert (cells == np.round(cells, 2)).all()
        if column.size:
            assert np.isin(cells, range(len(column.vocabulary) or 2)).all()
        if column.is_numeric:
            facts = ROWS.facts(column)
            assert ((cells >= (column.low or facts.min)) & (cells <= (column.high or facts.max))).all()


@pytest.mark.parametrize("name", STEPS)
def test_at_p_0_nothing_changes(name: str) -> None:
    """Not a cell."""
    assert alike(run(name, p=0.0), ROWS.matrix).all()


@pytest.mark.parametrize("name", STEPS)
def test_rows_and_seeds_draw_apart(name: str) -> None:
    """Equal rows under different ids, and another seed, come out different."""
    whole = np.flatnonzero(~np.isnan(ROWS.matrix).any(axis=1))[0]
    rows = ROWS.with_matrix(np.repeat(ROWS.matrix[[whole]], 400, axis=0))
    others = np.repeat(ROWS.matrix[[whole]] + [[9, 500, 3, -1, 0, 300, 0]], 400, axis=0)
    others[:, JOB] = (ROWS.matrix[whole, JOB] + 1) % 3
    made = run(name, rows, IDS, others, p=0.6)
    assert len(np.unique(made, axis=0)) > 3
    function = names.resolve(name)
    args = (rows, rows.with_matrix(others)) if name in MIXING else (rows,)
    again = function(RowRandom(IDS, 6, name, 2), *args, p=0.6)
    assert not alike(made, again[0].matrix if name in MIXING else again.matrix).all()


@pytest.mark.parametrize("name", MIXING)
def test_a_mixing_step_draws_first_whether_it_fires(name: str) -> None:
    """Those who choose partners rely on it: only rows that fire get one."""
    _, share = names.resolve(name)(RowRandom(IDS, 5, name, 2), ROWS, ROWS, p=0.4)
    assert ((share > 0) == RowRandom(IDS, 5, name, 2).bernoulli(0.4)).all()


@pytest.mark.parametrize("name", STEPS)
def test_every_option_has_a_default_and_a_line_in_the_listing(name: str) -> None:
    """`seedbed list steps` tells of it, and it can be written without options."""
    assert len(dict(names.listing())[name]) > 20
    options = [p for p in inspect.signature(names.resolve(name)).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert options and all(option.default is not option.empty for option in options)
    assert names.complete_options(name, {})


def test_jitter_goes_by_the_columns_scale() -> None:
    """The spread of the changes is the asked part of each column's deviation."""
    made = run("table.gaussian_jitter", std=0.1)
    for place in (RATE, BORN):
        facts = ROWS.facts(ROWS.form.modelled[place])
        moved = made[:, place] - ROWS.matrix[:, place]
        assert np.nanstd(moved) == pytest.approx(0.1 * (facts.std or 0), rel=0.15)
    only = run("table.gaussian_jitter", columns=("rate",))
    assert alike(np.delete(only, RATE, 1), np.delete(ROWS.matrix, RATE, 1)).all()


def test_inflated_values_are_kept_apart() -> None:
    """A zero that most rows have is not jittered, and nothing between it and another value is made of the two."""
    zero = ROWS.matrix[:, GAIN] == 0
    assert ROWS.facts(ROWS.form.modelled[GAIN]).inflated == (0.0,)
    assert (run("table.gaussian_jitter", std=1.0)[zero, GAIN] == 0).all()
    partners = partners_of(ROWS.matrix)
    for name in ("table.smote", "table.smote_nc", "table.mixup"):
        made = run(name, p=1.0)[:, GAIN]
        either = zero | (partners[:, GAIN] == 0)
        own, other = ROWS.matrix[:, GAIN], partners[:, GAIN]
        assert (alike(made, own) | alike(made, other))[either].all()
        assert not (alike(made, own) | alike(made, other))[~either].all()


def test_swaps_follow_the_marginal() -> None:
    """Drawn anew in every row, categories are as frequent as before; what has no name is never drawn."""
    rows = ROWS.with_matrix(np.tile(ROWS.matrix, (20, 1)))
    made = run("table.category_swap", rows, ids(len(rows)).to_pylist(), p=1.0)
    told = made[~np.isnan(made[:, JOB]), JOB]
    facts = ROWS.facts(ROWS.form.modelled[JOB])
    assert told.max() < 3
    assert np.bincount(told.astype(int), minlength=4) / len(told) == pytest.approx(
        [*(np.array(facts.counts) / sum(facts.counts)), 0.0], abs=0.02
    )
    assert np.nanmean(made[:, MEMBER]) == pytest.approx(ROWS.facts(ROWS.form.modelled[MEMBER]).mean, abs=0.02)


def test_dropout_empties_its_share() -> None:
    """Of the named columns alone."""
    made = run("table.column_dropout", columns=("age", "job"), p=0.5)
    was_there = ~np.isnan(ROWS.matrix)
    gone = (np.isnan(made) & was_there).sum(axis=0) / was_there.sum(axis=0)
    assert gone[[AGE, JOB]] == pytest.approx([0.5, 0.5], abs=0.1) and gone.sum() == gone[[AGE, JOB]].sum()


def test_smote_goes_between_and_leaves_categories() -> None:
    """Numbers lie between the two rows, all at one share; categories are the row's own."""
    partners = partners_of(ROWS.matrix)
    mixed, share = table.smote(RowRandom(IDS, 1, "x"), ROWS, ROWS.with_matrix(partners))
    own, other = ROWS.matrix[:, RATE], partners[:, RATE]
    both = ~np.isnan(own) & ~np.isnan(other)
    assert mixed.matrix[both, RATE] == pytest.approx((own + share * (other - own))[both], abs=0.006)
    assert alike(mixed.matrix[:, JOB], ROWS.matrix[:, JOB]).all()


def test_categories_are_drawn_by_share() -> None:
    """A partner's category comes as often as its share says; `knn` takes numbers so too, and blends none."""
    partners = ROWS.matrix.copy()
    partners[:, JOB] = (partners[:, JOB] + 1) % 3
    partners[:, AGE] = 107 - partners[:, AGE]
    for step in (table.smote_nc, table.mixup, table.knn):
        mixed, share = step(RowRandom(IDS, 1, "x"), ROWS, ROWS.with_matrix(partners), share=(0.3, 0.3), p=1.0)
        named = ROWS.matrix[:, JOB] < 3
        assert (mixed.matrix[:, JOB] != ROWS.matrix[:, JOB])[named].mean() == pytest.approx(0.3, abs=0.08)
        assert (share == 0.3).all()
    assert (alike(mixed.matrix, ROWS.matrix) | alike(mixed.matrix, partners)).all()


def test_what_a_partner_lacks_is_not_taken() -> None:
    """A partner whose cells are missing, or outside the vocabulary, changes nothing."""
    nothing = np.full_like(ROWS.matrix, np.nan)
    nothing[:, JOB] = 3.0
    for name in MIXING:
        assert alike(run(name, others=nothing), ROWS.matrix).all()


def test_a_regressions_label_is_mixed_like_its_features() -> None:
    """Half the way to the partner, the number to be learnt is half the way too."""
    form = TableForm((Column("x", "number"), Column("y", "number")), "y", "regression")
    source = pa.table({"x": [0.0, 1.0, 2.0], "y": [0.0, 10.0, 20.0], "row_id": ids(3)})
    form, statistics = measured(source, form)
    rows = Rows(to_matrix(source, form), form, statistics)
    partners = rows.with_matrix(rows.matrix[[2, 2, 2]])
    mixed, _ = table.smote(RowRandom(IDS[:3], 1, "x"), rows, partners, share=(0.5, 0.5))
    assert mixed.matrix.tolist() == [[1.0, 10.0], [2.0, 15.0], [2.0, 20.0]]

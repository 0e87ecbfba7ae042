"""The generator of tables: its likelihood is one, any columns may be given, and rows do not depend on their batch."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from synth.models.ar_draw import ArDrawer
from synth.models.table_ar import Config, TableAr
from synth.tables.tokens import TableTokens
from tests.synth.tables.mixtures import FORM, matrix, model_of
from udfs.table.form import Column, TableForm

SMALL = Config(hidden=32, embedding=8, cosines=8, learning_rate=1e-2)


@pytest.fixture(scope="module")
def fitted() -> tuple[TableTokens, TableAr]:
    return model_of(matrix(2000), FORM, SMALL)


def drawer_of(tokens: TableTokens, model: TableAr) -> ArDrawer:
    return model.drawer([torch.from_numpy(column.count > 0) for column in tokens.columns])


def uniforms_of(rows: int, columns: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).random((rows, columns)))


def test_the_probabilities_of_all_rows_add_up_to_one() -> None:
    """In the table's order and in one where the last column comes first."""
    form = TableForm(tuple(Column(name, "category", ("x", "y")) for name in "abc"), "c", "classification", ("x", "y"))
    rows = np.random.default_rng(0).integers(0, 2, (400, 3)).astype(np.float64)
    rows[:, 1] = np.where(np.random.default_rng(1).random(400) < 0.8, rows[:, 0], rows[:, 1])
    tokens, model = model_of(rows, form, SMALL, steps=60)
    everything = torch.tensor(list(product(*[range(size) for size in tokens.sizes])))
    for first in (torch.tensor([False, False, False]), torch.tensor([False, False, True])):
        rank = model.ranks(torch.tensor(False), first.expand(len(everything), -1)[:, model.inner])
        told = model(everything[:, model.inner], rank).sum(0)
        assert torch.logsumexp(told, 0).item() == pytest.approx(0, abs=1e-4)


def test_likelihood_tells_rows_from_rows_whose_columns_were_shuffled(fitted: tuple[TableTokens, TableAr]) -> None:
    tokens, model = fitted
    fresh = tokens.encode(matrix(1000, seed=9))
    shuffled = np.stack([np.random.default_rng(c).permutation(fresh[:, c]) for c in range(fresh.shape[1])], 1)
    real, false = (model.log_likelihood(torch.from_numpy(each)) for each in (fresh, shuffled))
    assert real.mean() > false.mean() + 0.2
    assert model.held_out({"tokens": torch.from_numpy(fresh)}) < model.held_out({"tokens": torch.from_numpy(shuffled)})


def test_what_is_drawn_has_the_probabilities_that_the_model_says(fitted: tuple[TableTokens, TableAr]) -> None:
    """The folded sums of the drawer against the model's own forward pass."""
    tokens, model = fitted
    drawer = drawer_of(tokens, model)
    rows = torch.from_numpy(tokens.encode(matrix(50)))
    known = torch.rand(rows.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    for column in range(model.columns):
        known[:, column] = False
        logits = drawer.logits(column, rows, known)
        logits = logits.expand(len(rows), -1)  # one for all where no row has a known column
        told = torch.log_softmax(logits, 1).gather(1, rows[:, column, None])[:, 0]
        rank = torch.where(known, 0, 2)
        rank[:, column] = 1
        expected = model(rows[:, model.inner], rank[:, model.inner])[model.inner.tolist().index(column)]
        torch.testing.assert_close(told, expected, atol=2e-5, rtol=1e-4)


def test_a_wide_table_is_drawn_as_a_narrow_one_is(
    fitted: tuple[TableTokens, TableAr], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables that are not kept are worked out again, and are the same."""
    tokens, model = fitted
    uniforms = uniforms_of(500, model.columns)
    kept = drawer_of(tokens, model).sample(uniforms)
    monkeypatch.setattr("synth.models.ar_draw.MAX_KEPT_BYTES", 0)
    assert torch.equal(drawer_of(tokens, model).sample(uniforms), kept)


def test_some_columns_of_a_wide_table_are_learnt_as_all_of_them_are(fitted: tuple[TableTokens, TableAr]) -> None:
    tokens, model = fitted
    rows = torch.from_numpy(tokens.encode(matrix(60)))[:, model.inner]
    rank = model.inner.expand(len(rows), -1)
    some = torch.tensor([0, 2, 4])
    torch.testing.assert_close(model(rows, rank, some), model(rows, rank)[some])


def test_a_table_of_many_columns_trains_and_draws_by_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty columns, each doubled; with at most twelve neighbours each still finds its double."""
    monkeypatch.setattr("synth.models.table_ar.WIDE", 16)
    base = np.random.default_rng(0).integers(0, 4, (1500, 20)).astype(np.float64)
    noisy = np.where(np.random.default_rng(1).random(base.shape) < 0.1, (base + 1) % 4, base)
    rows = np.concatenate([base, noisy], 1)
    form = TableForm(
        tuple(Column(f"c{place}", "category", tuple("abcd")) for place in range(40)),
        "c39",
        "classification",
        tuple("abcd"),
    )
    tokens, model = model_of(
        rows, form, Config(hidden=16, embedding=4, cosines=4, learning_rate=2e-2, neighbours=12), 200
    )
    assert model.looks_at.shape == (40, 12)
    drawn = drawer_of(tokens, model).sample(uniforms_of(1000, 40)).numpy()
    assert (drawn[:, :20] == drawn[:, 20:]).mean() > 0.75

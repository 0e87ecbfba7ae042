"""Draws belong to rows: not to batches, order or calls elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from udfs.records import real_id
from udfs.rng import RowRandom

IDS = [real_id("source", bytes([place % 256, place // 256])) for place in range(4000)]


def test_a_row_draws_the_same_in_any_batch_and_order() -> None:
    """Draws of a shuffled part equal the whole's draws of those rows, for every kind of draw."""
    rows = np.random.default_rng(0).permutation(len(IDS))[:777]
    for draw in (
        lambda r: r.uniform(size=(3,)),
        lambda r: r.normal(),
        lambda r: r.integers(0, 9),
        lambda r: r.permutation(5),
        lambda r: r.bernoulli(0.3),
    ):
        whole = draw(RowRandom(IDS, 7, "step", 2))
        part = draw(RowRandom([IDS[row] for row in rows], 7, "step", 2))
        assert np.array_equal(whole[rows], part)


def test_take_continues_the_same_draws() -> None:
    """After a draw by the whole, a part draws what the whole would have drawn next."""
    whole, twin = RowRandom(IDS, 1, "s"), RowRandom(IDS, 1, "s")
    whole.uniform()
    twin.uniform()
    mask = np.arange(len(IDS)) % 3 == 0
    assert np.array_equal(whole.uniform()[mask], twin.take(mask).uniform())


@pytest.mark.parametrize("other", [(8, "step", 0), (7, "stop", 0), (7, "step", 1)])
def test_seed_step_and_place_each_change_the_draws(other: tuple[int, str, int]) -> None:
    """Streams of another seed, step or place are unrelated."""
    first, second = RowRandom(IDS, 7, "step", 0).uniform(), RowRandom(IDS, *other).uniform()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.06
    assert not np.any(first == second)


def test_draws_have_the_distribution_they_name() -> None:
    """Uniform by Kolmogorov and Smirnov's distance, normal by moments, successive draws uncorrelated."""
    random = RowRandom(IDS, 3, "distribution")
    uniform = random.uniform(size=(25,))
    empirical = np.arange(1, uniform.size + 1) / uniform.size
    assert np.abs(np.sort(uniform.ravel()) - empirical).max() < 1.63 / np.sqrt(uniform.size)
    normal = random.normal(2.0, 3.0, size=(25,))
    assert abs(normal.mean() - 2.0) < 0.05
    assert abs(normal.std() - 3.0) < 0.05
    across = np.corrcoef(uniform.T)
    assert np.abs(across - np.eye(25)).max() < 0.08


def test_integers_and_permutations_cover_their_range() -> None:
    """Every value occurs; every permutation is one."""
    random = RowRandom(IDS, 3, "whole")
    assert set(random.integers(2, 7)) == {2, 3, 4, 5, 6}
    assert np.array_equal(np.sort(random.permutation(6), axis=1), np.tile(np.arange(6), (len(IDS), 1)))


@pytest.mark.parametrize("counts", [(3, 0, 5, 1, 0), (0, 0, 0, 0, 0), (40, 1, 40, 0, 7)])
def test_ragged_draws_are_those_of_whole_rows_and_those_below_are_found(counts: tuple[int, ...]) -> None:
    """Row by row the first of what `uniform` draws, and the places of those that are below a probability."""
    ids = IDS[: len(counts)]
    drawn, whole = RowRandom(ids, 7, "s").ragged(counts), RowRandom(ids, 7, "s").uniform(size=(40,))
    below = RowRandom(ids, 7, "s").ragged_below(counts, 0.4)
    for row, count in enumerate(counts):
        assert drawn[row].tolist() == whole[row, :count].tolist()
        assert below[row] == np.flatnonzero(whole[row, :count] < 0.4).tolist()


def test_no_rows_draw_nothing() -> None:
    """An empty batch is no special case."""
    assert RowRandom([], 1, "none").normal(size=(4,)).shape == (0, 4)
    assert RowRandom([], 1, "none").ragged([]) == RowRandom([], 1, "none").ragged_below([], 0.5) == []

"""The headline's arithmetic, on curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from synth.worth import curve_sizes, drawn, gain, headline, monotone, nested, rounded, worth

SIZES = [25, 50, 100, 200, 400, 800]


def power_law(sizes: list[int]) -> np.ndarray:
    return 0.9 * np.array(sizes, float) ** -0.5


def test_a_set_that_errs_as_often_as_n_real_rows_is_worth_n() -> None:
    for rows in (30, 100, 230, 790):
        assert worth(SIZES, power_law(SIZES), 0.9 * rows**-0.5) == pytest.approx(rows, rel=0.03)


def test_beyond_the_curve_a_power_law_goes_on_and_never_beyond_sight() -> None:
    assert worth(SIZES, power_law(SIZES), 0.9 * 1600**-0.5) == pytest.approx(1600, rel=0.01)
    assert worth(SIZES, power_law(SIZES), 1e-6) == pytest.approx(8000)
    assert worth(SIZES, np.full(6, 0.1), 0.05) <= 8000, "a flat curve promises no infinity"
    assert worth(SIZES, power_law(SIZES), 0.9) == 25, "worse than the smallest set"


def test_where_many_numbers_err_as_often_the_nearest_to_the_rows_that_there_are_is_told() -> None:
    """A curve that lies at no error at all tells nothing of a grown set that makes none either: no gain, no loss."""
    assert worth(SIZES, np.zeros(6), 0.0, 400) == 400
    assert worth(SIZES, np.array([0.3, 0.2, 0.1, 0.1, 0.1, 0.0]), 0.1, 25) == 100
    found = drawn({name: np.zeros((3, 50), bool) for name in ("real", "all", *(f"curve.{n}" for n in SIZES))}, 0)
    assert headline(found, SIZES, "all", "svc", 400)["interval"] == [400, 400]
    assert gain(found, "all") == {"error_cut": 0.0, "interval": [0.0, 0.0]}


def test_a_bump_in_the_curve_does_not_make_worth_jump() -> None:
    bumped = power_law(SIZES)
    bumped[2], bumped[3] = bumped[3], bumped[2]
    flat = monotone(bumped)
    assert (np.diff(flat) <= 1e-12).all()
    assert flat[2] == flat[3] == pytest.approx(bumped[2:4].mean())
    np.testing.assert_array_equal(monotone(power_law(SIZES)), power_law(SIZES))


def answers(random: np.random.Generator, error: float, seeds: int = 3, rows: int = 800) -> np.ndarray:
    """Wrong answers that are shared in part, as hard rows are hard for all."""
    hard = np.linspace(0, 1, rows)
    return hard[None] + random.normal(0, 0.05, (seeds, rows)) < error


def test_the_headline_finds_the_worth_and_its_interval_holds_it() -> None:
    held = 0
    for trial in range(20):
        random = np.random.default_rng(trial)
        wrong = {f"curve.{size}": answers(random, error) for size, error in zip(SIZES, power_law(SIZES), strict=True)}
        wrong["all"] = answers(random, 0.9 * 230**-0.5)
        told = headline(drawn(wrong, trial), SIZES, "all", "svc", 100)
        assert 150 <= told["worth"] <= 370
        assert not told["extrapolated"]
        held += told["interval"][0] <= 230 <= told["interval"][1]
    assert held >= 17, "a 95 % interval"
    assert told["text"].startswith("your 100 rows now work like ")


def test_what_lies_beyond_the_curve_is_called_extrapolated() -> None:
    random = np.random.default_rng(0)
    wrong = {f"curve.{size}": answers(random, 0.9 * size**-0.5) for size in SIZES}
    told = headline(drawn({**wrong, "all": answers(random, 0.015)}, 0), SIZES, "all", "cnn", 100)
    assert told["extrapolated"]
    assert told["text"].endswith("extrapolated)")


def test_gain_is_a_share_of_the_errors_with_a_paired_interval() -> None:
    random = np.random.default_rng(1)
    hard = random.random(2000) < 0.1
    better = hard & (np.arange(2000) % 4 != 0)
    found = drawn({"real": np.stack([hard] * 3), "all": np.stack([better] * 3), "same": np.stack([hard] * 3)}, 0)
    told = gain(found, "all")
    assert told["error_cut"] == pytest.approx(1 - better.sum() / hard.sum())
    assert 0 < told["interval"][0] < told["error_cut"] < told["interval"][1]
    assert gain(found, "same") == {"error_cut": 0.0, "interval": [0.0, 0.0]}, "paired: equal answers differ in no draw"


def test_the_bootstrap_covers_seeds_too() -> None:
    wrong = np.zeros((3, 500), bool)
    wrong[0, :100] = True  # one seed went wrong
    lucky = np.zeros((3, 500), bool)
    lucky[:, :33] = True
    found = drawn({"real": wrong, "all": lucky}, 0)
    assert found.draws["real"].std() > 0.05 > found.draws["all"].std()


@pytest.mark.parametrize(
    ("train", "reserve", "points"), [(100, 600, 5), (1000, 0, 4), (20, 0, 3), (30, 5000, 12), (1, 0, 2)]
)
def test_curves_hold_the_train_rows_and_all_real_rows(train: int, reserve: int, points: int) -> None:
    sizes = curve_sizes(train, reserve, points, 10)
    assert train in sizes
    assert max(sizes) == train + reserve
    assert sizes == sorted(set(sizes))
    assert len(sizes) <= points + 1


def test_sets_are_nested_balanced_and_take_train_rows_first() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 300)
    sets = {size: nested(labels, 100, size, seed=2) for size in (8, 40, 100, 200, 300)}
    for small, large in zip(list(sets)[:-1], list(sets)[1:], strict=True):
        assert set(sets[small]) < set(sets[large])
    assert sets[100].tolist() == list(range(100))
    assert np.bincount(labels[sets[8]]).tolist() == [2, 2, 2, 2]
    assert sets[40].tolist() != nested(labels, 100, 40, seed=3).tolist()


def test_numbers_are_said_no_more_precisely_than_they_are_known() -> None:
    assert [rounded(each) for each in (7.4, 99.2, 234.4, 1876, 12345)] == [7, 99, 230, 1900, 12000]

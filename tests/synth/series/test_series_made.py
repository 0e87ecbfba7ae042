"""What made windows are told by: nothing where they are real; shifts, shuffled time, copies where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from synth.series.likeness import privacy_of, quality_of
from synth.series.looks import POINTS, looks
from synth.series.timegan_protocol import discriminative, predictive
from synth.series.two_sample import BLOCK_STEPS, FOLDS, across_time, ceiling_across_time, time_folds, told_apart
from tests.udfs.series.test_series_likeness import waves


def test_real_windows_are_not_told_from_real_ones_and_shifted_or_shuffled_ones_are() -> None:
    made, known, unseen = waves(400), waves(400, seed=1), waves(400, seed=2)
    alike = told_apart(made, known, unseen)
    assert alike is not None and abs(alike["auc"] - 0.5) < 0.08 and alike["rows"] == 200
    assert alike == told_apart(made, known, unseen)
    shuffled = np.random.default_rng(3).permuted(made, axis=1)
    for wrong in (made + 0.6, shuffled):
        told = told_apart(wrong, known, unseen)
        assert told is not None and told["auc"] > 0.9 and told["score"] == 1 - 2 * (told["auc"] - 0.5)
    assert told_apart(made[:30], known, unseen) is None


def test_windows_that_overlap_do_not_raise_the_ceiling() -> None:
    """Real windows in the place of made ones: those of one recording are not on both sides, to be known again."""
    random = np.random.default_rng(0)

    def of_recordings(count: int) -> np.ndarray:
        walks = 2 * random.normal(size=(count, 1, 2)) + 0.3 * random.normal(size=(count, 120, 2)).cumsum(1)
        return np.concatenate([walks[:, at : at + 24] for at in range(0, 96, 2)])  # a recording every `count` rows

    stands, known, unseen = of_recordings(10), of_recordings(30), of_recordings(10)
    order = random.permutation(len(stands))
    stands, groups = stands[order], order % 10
    overlapping, apart = told_apart(stands, known, unseen), told_apart(stands, known, unseen, groups=groups)
    assert overlapping is not None and apart is not None and overlapping["auc"] - apart["auc"] > 0.1
    assert told_apart(stands, known, unseen, groups=np.arange(len(stands))) == overlapping


def test_a_channel_that_no_window_has_tells_nothing() -> None:
    """A sensor that was dead all along, where what is missing is kept."""
    sets = [np.concatenate([waves(80, seed=seed), np.full((80, *waves(1).shape[1:]), np.nan)], 2) for seed in range(3)]
    told = told_apart(sets[0], sets[1], sets[2])
    assert told is not None and 0.2 < told["auc"] < 0.8


def test_windows_that_are_all_the_same_lie_on_no_plane() -> None:
    same = np.ones((10, 8, 2))
    assert looks({"train": same, "test": same}, ["left", "right"], seed=0)["planes"] == {}


def test_published_scores_are_about_0_for_real_windows_and_tell_shifted_ones() -> None:
    real, other = (np.repeat(waves(800, seed=seed), 3, axis=2) for seed in range(2))  # six channels: three units
    assert discriminative(real, other, seed=0, steps=60) < 0.09
    assert discriminative(real, other + 3, seed=0, steps=200) > 0.4
    once = predictive(other, real, seed=0, steps=80)
    assert once == predictive(other, real, seed=0, steps=80)
    assert predictive(other[:, :, :1], real[:, :, :1], seed=0, steps=20) > 0  # one channel tells itself
    assert predictive(1 - other, real, seed=0, steps=80) > once


def test_windows_that_overlap_are_never_on_both_sides() -> None:
    starts, steps = np.arange(5 * BLOCK_STEPS), 24
    asked_once = np.zeros(len(starts), int)
    for learned, asked in time_folds(starts, steps):
        covered = set((starts[asked][:, None] + np.arange(steps)).ravel().tolist())
        assert not covered & set((starts[learned][:, None] + np.arange(steps)).ravel().tolist())
        assert len(learned) + len(asked) > 0.7 * len(starts)
        asked_once[asked] += 1
    assert (asked_once == 1).all()


def test_real_windows_of_one_recording_are_not_told_across_time() -> None:
    random = np.random.default_rng(0)
    count = 12 * FOLDS * BLOCK_STEPS
    values = np.stack([np.sin(np.arange(count) / 4), np.cos(np.arange(count) / 4)], 1) + random.normal(size=(count, 2))
    windows = np.lib.stride_tricks.sliding_window_view(values, 12, axis=0).transpose(0, 2, 1)[::2]
    starts = 2 * np.arange(len(windows))
    assert abs(ceiling_across_time(windows, starts)["auc"] - 0.5) < 0.05
    told = across_time(np.random.default_rng(1).permuted(windows[::6], axis=1), windows[::3], starts[::3])
    assert told["auc"] > 0.8 and told["spread"] < 0.05


def test_copies_and_near_copies_are_told_by_nearest_distances() -> None:
    train, held_out = waves(300), waves(300, seed=1)
    fresh = privacy_of(waves(300, seed=2), train, held_out)
    assert fresh is not None and fresh["copies"] == fresh["near_copies"] == 0 and abs(fresh["dcr_share"] - 0.5) < 0.1
    exact = privacy_of(np.concatenate([train[:100], waves(100, seed=2)]), train, held_out)
    near = privacy_of(train + 0.01, train, held_out)
    assert exact is not None and exact["copies"] == 0.5 and exact["dcr_share"] > 0.7
    assert near is not None and near["copies"] == 0 and near["near_copies"] == 1 and near["dcr_share"] == 1
    assert privacy_of(train[:5], train, held_out) is None


def test_a_collapsed_generator_has_precision_and_no_coverage() -> None:
    train, test = waves(300), waves(300, seed=1)
    collapsed = np.repeat(waves(3, seed=2), 100, axis=0) + 0.01
    like, flat = quality_of(waves(300, seed=3), train, test), quality_of(collapsed, train, test)
    assert like is not None and flat is not None
    assert like["coverage"] > 0.9 and flat["coverage"] < 0.3
    assert like["ks"] < 0.05 < flat["ks"]
    assert quality_of(train[:4], train, test) is None


def test_what_the_report_draws_is_bounded_and_the_same_each_time() -> None:
    sets = {"train": waves(320, steps=300), "made": waves(310, seed=1, steps=300), "none": waves(1)[:0]}
    sets["train"][:, 7] = np.nan
    told = looks(sets, ["left", "right"], seed=0)
    assert set(told["bands"]) == {"train", "made"} and len(told["planes"]["tsne"]["made"]) == POINTS
    assert len(told["bands"]["made"]["channels"][0][0]) == 100 == len(told["spectra"]["train"][0])
    low, *_, high = told["bands"]["made"]["channels"][1]
    assert all(a < b for a, b in zip(low, high, strict=True))
    assert told == looks(sets, ["left", "right"], seed=0)
    assert looks({"train": waves(0), "made": waves(9)}, ["left", "right"], 0) == {}


@pytest.mark.parametrize("count", [3, 6])
def test_few_windows_are_drawn_where_they_can_be(count: int) -> None:
    told = looks({"train": waves(count), "made": waves(2, seed=1)}, ["left", "right"], seed=0)
    assert bool(told["planes"]) == (count > 4)

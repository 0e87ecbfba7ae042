"""The judges learn, are repeatable, and are tuned without peeking."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from synth import judges
from synth.judges import Effort, Rows
from synth.judges.folds import folds, tuning_rows

QUICK = Effort(steps=250, batch_size=32)


def digits() -> tuple[Rows, Rows]:
    """150 rows to learn from and 600 to be asked about."""
    bunch = load_digits()
    images = np.round(bunch.images * 255 / 16).astype(np.uint8)[..., None]
    order = np.random.default_rng(0).permutation(len(images))
    rows = Rows(images[order], bunch.target[order].astype(np.int64))
    return rows.take(np.arange(150)), rows.take(np.arange(150, 750))


def error(judge: judges.Judge, rows: Rows) -> float:
    return float((judge.predict_proba(rows.images).argmax(1) != rows.labels).mean())


@pytest.mark.parametrize(("kind", "bar"), [("cnn", 0.16), ("svc", 0.10), ("linear", 0.15)])
def test_each_judge_learns_digits_and_says_how_sure_it_is(kind: str, bar: float) -> None:
    learn, ask = digits()
    judge = judges.fit(kind, learn, 10, QUICK)
    said = judge.predict_proba(ask.images)
    assert error(judge, ask) <= bar
    np.testing.assert_allclose(said.sum(1), 1, atol=1e-9)
    assert said.min() >= 0
    right = said[np.arange(len(ask)), ask.labels]
    assert -np.log(np.maximum(right, 1e-9)).mean() < 0.8, "confidence is calibrated, roughly"


@pytest.mark.parametrize("kind", judges.KINDS)
def test_the_same_rows_and_seed_give_the_same_judge(kind: str) -> None:
    learn, ask = digits()
    first, again = (judges.fit(kind, learn, 10, Effort(steps=30, batch_size=32), seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(ask.images), again.predict_proba(ask.images))


def test_a_judge_leaves_the_process_random_state_alone() -> None:
    import torch

    learn, _ = digits()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    judges.fit("cnn", learn, 10, Effort(steps=3))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("kind", judges.KINDS)
@pytest.mark.parametrize("labels", [[4] * 6, [4, 4, 4, 7, 7, 7], [4, 4, 4, 4, 4, 7]])
def test_judges_stand_one_label_two_labels_and_single_rows(kind: str, labels: list[int]) -> None:
    learn, ask = digits()
    places = [int(np.flatnonzero(learn.labels == label)[turn]) for turn, label in enumerate(labels)]
    said = judges.fit(kind, learn.take(np.array(places)), 10, Effort(steps=60, batch_size=8)).predict_proba(ask.images)
    assert np.isin(said.argmax(1), labels).mean() > 0.95
    assert judges.fit(kind, learn.take(np.array(places)), 10, Effort(steps=2)).predict_proba(ask.images[:0]).shape == (
        0,
        10,
    )


def test_soft_labels_teach_what_they_say() -> None:
    """Rows labelled half 3, half 8 make a judge that is torn between the two."""
    learn, ask = digits()
    half = np.eye(10)[learn.labels]
    torn = np.isin(learn.labels, [3, 8])
    half[torn] = (np.eye(10)[3] + np.eye(10)[8]) / 2
    said = judges.fit("cnn", Rows(learn.images, learn.labels, soft=half), 10, QUICK).predict_proba(ask.images)
    both = said[np.isin(ask.labels, [3, 8])][:, [3, 8]]
    assert np.abs(both - 0.5).mean() < 0.15, "row by row; hard labels would give one of the two nearly all"
    assert both.sum(1).mean() > 0.8


def test_the_number_of_steps_does_not_depend_on_the_rows() -> None:
    from synth.judges.cnn import batches

    for count in (5, 100, 5000):
        found = list(batches(count, Effort(steps=40, batch_size=64), seed=0))
        assert [len(batch) for batch in found] == [64] * 40
        shown = np.bincount(np.concatenate(found), minlength=count)
        assert shown.max() - shown.min() <= 1, "every row as often as every other"


@pytest.mark.parametrize("size", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (20, 48, 3), (64, 64, 1), (128, 128, 3)])
def test_nets_are_sized_from_the_image(size: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, *size)).astype(np.uint8)
    judge = judges.fit("cnn", Rows(images, np.arange(6) % 3), 3, Effort(steps=2, batch_size=4))
    assert judge.predict_proba(images).shape == (6, 3)
    weights = sum(each.numel() for each in judge.net.parameters())
    assert weights < 500_000
    for kind in ("svc", "linear"):
        assert judges.fit(kind, Rows(images, np.arange(6) % 3), 3, Effort()).predict_proba(images).shape == (6, 3)


def test_children_of_one_parent_share_a_fold() -> None:
    groups = np.repeat(np.arange(40), 7)
    labels = np.repeat(np.arange(40) % 4, 7)
    fold = folds(labels, groups, 5, seed=1)
    for group in range(40):
        assert len(set(fold[groups == group])) == 1
    table = np.array([[np.sum((fold == f) & (labels == c)) for c in range(4)] for f in range(5)])
    assert table.max() - table.min() == 0, "labels are spread evenly"


def test_copies_do_not_fool_the_tuning() -> None:
    """Eight plain copies of each row: the tuned machine stays about as regularised as without them (noise labels, so
    that it matters).
    """
    random = np.random.default_rng(5)
    learn, _ = digits()
    labels = np.where(random.random(len(learn)) < 0.4, random.integers(0, 10, len(learn)), learn.labels)
    alone = Rows(learn.images, labels)
    groups = np.tile(np.arange(len(learn)), 8)
    copied = Rows(np.tile(learn.images, (8, 1, 1, 1)), np.tile(labels, 8), groups=groups)
    ungrouped = Rows(copied.images, copied.labels)
    temperature = [judges.fit("svc", rows, 10, Effort()).temperature for rows in (alone, copied, ungrouped)]
    assert temperature[1] > 2 * temperature[2], "ungrouped copies make the judge sure of noise; grouped ones do not"
    assert 0.4 < temperature[1] / temperature[0] < 2.5


def test_tuning_prefers_real_rows_and_keeps_its_bound() -> None:
    images = np.zeros((3000, 8, 8, 1), np.uint8)
    real = np.arange(3000) < 100
    chosen = tuning_rows(Rows(images, np.zeros(3000, np.int64), real=real), 1000)
    assert len(chosen) == len(set(chosen)) == 1000
    assert real[chosen].sum() == 100
    assert len(tuning_rows(Rows(images, np.zeros(3000, np.int64), real=~real), 1000)) == 1000
    assert len(tuning_rows(Rows(images[:50], np.zeros(50, np.int64)), 1000)) == 50


def test_augmenting_on_the_fly_reaches_the_judge_and_is_repeatable() -> None:
    learn, ask = digits()

    def shifted(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return np.roll(images, int(random.integers(-1, 2)), axis=2)

    plain = judges.fit("cnn", learn, 10, QUICK)
    first, again = (judges.fit("cnn", learn, 10, QUICK, augment=shifted) for _ in range(2))
    moved = np.roll(ask.images, 1, axis=2)
    np.testing.assert_array_equal(first.predict_proba(moved), again.predict_proba(moved))
    assert error(first, Rows(moved, ask.labels)) < 0.7 * error(plain, Rows(moved, ask.labels))

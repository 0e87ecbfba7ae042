"""Labels by vote: sure enough, not surer than true, and the same votes every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import runs
from synth import label
from synth.arms import to_pool
from synth.label import with_copies
from synth.surety import calibrated, histogram, temperature_of, threshold, vetoed
from tests.synth import staged

STEPS = "steps: [image.affine: {rotate_degrees: [-8, 8]}]"
LABELLING = (
    ("reserve: 300, rest: test", "test: 500, rest: unlabelled"),
    ("steps: [image.horizontal_flip]}", STEPS + "}\nlabel: {judges: 3, precision: 0.98, steps: 500, copies: 6}"),
)


def said(random: np.random.Generator, count: int, skew: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two labels and the truth; told with logits `skew` times too large."""
    odds = random.normal(0, 4, count)
    truth = (random.random(count) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    told = 1 / (1 + np.exp(-odds * skew))
    return np.stack([1 - told, told], 1), truth


def test_the_threshold_reaches_the_precision_that_was_asked_for() -> None:
    """Over many draws of a small val, judges three times too sure: the labels taken are as right as promised."""
    reached, taken = [], []
    for trial in range(30):
        random = np.random.default_rng(trial)
        val, val_truth = said(random, 500, skew=3)
        asked, truth = said(random, 20000, skew=3)
        temperature = temperature_of(val, val_truth, trial)
        sure, sure_val = calibrated(asked, temperature), calibrated(val, temperature)
        right = sure_val.argmax(1) == val_truth
        least = threshold(histogram(sure.max(1)), sure_val.max(1), right, 0.99)
        kept = sure.max(1) >= least
        reached.append((asked.argmax(1) == truth)[kept].mean())
        taken.append(kept.mean())
    assert np.mean(reached) >= 0.99
    assert np.quantile(reached, 0.1) >= 0.985
    assert np.mean(taken) > 0.33, "one who knew the true odds would take 0.41"


def test_the_threshold_is_the_lowest_that_will_do_and_none_where_none_will() -> None:
    confidence = np.array([0.5] * 50 + [0.9] * 50 + [0.999] * 100)
    everyone_right = np.ones(200, bool)
    least = threshold(histogram(confidence), confidence, everyone_right, 0.96)
    assert 0.5 < least <= 0.9, "0.9 and 0.999 together are right in 0.966"
    assert threshold(histogram(confidence), confidence, everyone_right, 0.9995) > 1
    assert threshold(histogram(np.zeros(0)), confidence, everyone_right, 0.9) > 1


def test_val_speaks_against_a_threshold_that_it_disproves() -> None:
    confidence = np.full(300, 0.99)
    wrong = np.arange(300) < 30
    assert threshold(histogram(confidence), confidence, ~wrong, 0.98) > 1
    assert vetoed(~wrong, 0.98)
    assert not vetoed(~(np.arange(300) < 6), 0.98)


def test_histograms_merge() -> None:
    confidence = np.random.default_rng(0).uniform(0.3, 1, 1000)
    whole, halves = histogram(confidence), histogram(confidence[:300]) + histogram(confidence[300:])
    np.testing.assert_array_equal(whole.rows, halves.rows)
    np.testing.assert_allclose(whole.total, halves.total)
    assert whole.above(0.0) == 1000


def test_a_judges_copies_are_its_own_and_stay_with_their_parents(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path, *LABELLING)
    train = to_pool(staged.real_tables()["train"], config, {})
    first, again, other = with_copies(train, config, 0), with_copies(train, config, 0), with_copies(train, config, 1)
    assert len(first) == 700
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.images[100:] != other.images[100:]).any()
    np.testing.assert_array_equal(first.images[:100], other.images[:100])
    np.testing.assert_array_equal(first.group_codes(), np.tile(train.rows.group_codes(), 7))
    assert first.real_mask().sum() == 100


def test_votes_are_right_where_they_are_sure_and_the_same_twice(tmp_path: Path, ray_session: Any) -> None:
    config = staged.config_at(tmp_path, *LABELLING)
    real = staged.real_tables()
    images, truth = staged.digits()
    hidden = slice(1000, 1500)
    ids = ["ab" * 8 + f"{number:024x}" for number in range(500)]
    unlabelled = staged.table(images[hidden], truth[hidden], ids, "real", "unlabelled", [[] for _ in ids])
    unlabelled = unlabelled.set_column(unlabelled.schema.get_field_index("label"), "label", pa.nulls(500, pa.string()))
    splits = {**{split: real[split] for split in ("train", "val", "test")}, "unlabelled": unlabelled}
    staged.finish(config, "ingest", "", {}, {})
    staged.finish(config, "clean", "", {f"rows/row_split={split}": rows for split, rows in splits.items()}, {})
    result = label.run(ray_session, config)
    folder = runs.locate(config, "label").folder
    told = runs.read_json(folder, "label.json")
    votes = pq.read_table(f"{folder}/votes.parquet").sort_by("row_id")
    assert votes.column("row_id").to_pylist() == ids, "one vote per row"
    right = np.array(votes.column("label").to_pylist()) == truth[hidden].astype(str)
    sure = votes.column("confidence").to_numpy() >= told["threshold"]
    assert right.mean() > 0.88
    assert sure.mean() > 0.4
    assert right[sure].mean() >= 0.97
    assert right[sure].mean() > right[~sure].mean() + 0.1
    assert told["sure"] == sure.sum() == result.counts["sure"]
    (Path(folder) / "label.json").unlink()
    assert label.run(ray_session, config).outputs == result.outputs


def test_rows_to_learn_from_are_asked_for(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path, *LABELLING)
    staged.finish(config, "ingest", "", {}, {})
    staged.finish(config, "clean", "", {}, {})
    with pytest.raises(Exception, match="labelled rows in train and in val"):
        label.run(None, config)  # type: ignore[arg-type]

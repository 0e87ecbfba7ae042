"""`train.refresh`: a checkpoint serves until so many train rows changed, and never where it may have seen test rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import conf
from conf import Config, runs
from conf.runs import StageResult, Surveyed, refresh

KEY = "train.image_mixture"
RECIPE = """
name: mine
modality: image
image: {height: 8, width: 8, channels: 1}
labels: [a, b]
sources: [{name: digits, reader: sklearn_digits}]
split: {val: 0.1, test: 0.2, rest: train}
generate: [{model: image_mixture, rows: {per_label: 5}, train: {refresh: 0.1}}]
"""


def hashes(rows: Iterable[int]) -> list[str]:
    """Row hashes as they are: 16 hex digits, spread evenly."""
    return [hashlib.blake2b(str(row).encode(), digest_size=8).hexdigest() for row in rows]


def digest(rows: Iterable[int]) -> str:
    """The digest that clean gives such rows."""
    told = hashes(rows)
    return runs.digest(len(told), sum(int(each, 16) for each in told))


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Config]:
    """The recipe with overrides."""
    (tmp_path / "mine.yaml").write_text(RECIPE)
    return lambda *overrides: conf.load(str(tmp_path / "mine.yaml"), "local", overrides, str(tmp_path / "root"))


def cleaned(config: Config, ingested: str, train: Iterable[int], test: Iterable[int] = range(1000, 1020)) -> Surveyed:
    """Ingest and clean done anew with these train and test rows; returns how the generator's training then stands."""
    train, test = list(train), list(test)
    runs.finish(runs.locate(config, "ingest"), StageResult({}, {"rows": ingested}), 0.0)
    place = runs.locate(config, "clean")
    runs.write_json(place.folder, refresh.NAME, refresh.lowest(hashes(train)))
    runs.finish(place, StageResult({}, {"train": digest(train), "val": "v", "test": digest(test)}), 0.0)
    return standing(config)


def standing(config: Config) -> Surveyed:
    return next(each for each in runs.survey(config) if each.key == KEY)


def trained(config: Config) -> str:
    """The training done; returns its fingerprint."""
    return runs.finish(
        runs.locate(config, "train", "image_mixture"), StageResult({}, {"checkpoint": "c"}), 0.0
    ).fingerprint


def test_the_checkpoint_serves_until_a_tenth_of_its_train_rows_changed(load: Callable[..., Config]) -> None:
    """9 of 100 new rows: served, by the training of before; 10 of 100: trained again. The count is told."""
    config = load()
    cleaned(config, "first", range(100))
    first = trained(config)
    served = cleaned(config, "second", range(109))
    assert served.done is not None
    assert served.done.fingerprint == first != served.place.fingerprint  # type: ignore[union-attr]
    assert served.served == "9 of 100 train rows changed since the training (9.0%), train.refresh is 10.0%"
    assert served.served in served.done.notes
    due = cleaned(config, "third", range(110))
    assert due.done is None
    assert due.served.startswith("10 of 100 train rows")


def test_small_changes_add_up_against_the_training_and_not_against_each_other(load: Callable[..., Config]) -> None:
    """6 rows replaced, then 6 more: the second time 12 of the 100 that were learned from are gone."""
    config = load()
    cleaned(config, "first", range(100))
    trained(config)
    assert cleaned(config, "second", range(6, 106)).done is not None
    assert cleaned(config, "third", range(12, 112)).done is None


def test_without_refresh_any_changed_row_trains_again(load: Callable[..., Config]) -> None:
    """The default is 0; turning refresh on or off trains nothing by itself."""
    config, off = load(), load("generate.0.train.refresh=0")
    cleaned(config, "first", range(100))
    first = trained(config)
    assert standing(off).done is not None
    assert standing(off).done.fingerprint == first  # type: ignore[union-attr]
    cleaned(config, "second", range(101))
    assert standing(config).done is not None
    assert standing(off).done is None


def test_the_served_checkpoint_is_what_sample_reads(load: Callable[..., Config]) -> None:
    """The stage after is placed by the checkpoint that serves."""
    config = load()
    cleaned(config, "first", range(100))
    first = trained(config)
    cleaned(config, "second", range(101))
    assert runs.locate(config, "sample", "image_mixture").inputs[KEY].fingerprint == first


def test_a_training_of_another_model_or_seed_does_not_serve(load: Callable[..., Config]) -> None:
    """What decides the training must be as it was."""
    config = load()
    cleaned(config, "first", range(100))
    trained(config)
    cleaned(config, "second", range(101))
    assert standing(load("generate.0.options={components: 3}")).done is None


def test_a_checkpoint_that_may_have_seen_test_rows_does_not_serve(load: Callable[..., Config]) -> None:
    """Rows split anew, or given as test: a train row of before may be a test row now."""
    config = load()
    cleaned(config, "first", range(100))
    trained(config)
    anew = load("split.test=0.25")
    assert cleaned(anew, "first", range(95), range(995, 1020)).done is None
    given = load("sources.0.split=test", "split.test=given")
    assert cleaned(given, "first", range(99), range(1000, 1021)).done is None
    same = load("split.test=0.25", "clean.duplicates.max_distance_bits=3")
    assert cleaned(same, "first", range(99), range(1000, 1020)).done is not None, "the very same test rows are apart"


def test_new_test_rows_of_a_source_that_is_split_by_hash_are_apart(load: Callable[..., Config]) -> None:
    """Rows keep their split, so newcomers in test were never train rows."""
    config = load()
    cleaned(config, "first", range(100))
    trained(config)
    assert cleaned(config, "second", range(102), range(1000, 1030)).done is not None


def test_a_sample_tells_the_share_of_many_rows() -> None:
    """20,000 rows, every tenth another: within a hundredth of the truth, by samples of a fifth of them."""
    before = refresh.lowest(hashes(range(20_000)))
    after = refresh.lowest(hashes(row if row % 10 else row + 100_000 for row in range(20_000)))
    found = refresh.change(before, after)
    assert len(before) == refresh.SAMPLE_ROWS
    assert abs(found.share - 0.1) < 0.01
    grown = refresh.change(before, refresh.lowest(hashes(range(24_000))))
    assert abs(grown.share - 0.2) < 0.02


def test_a_corrected_label_is_one_change() -> None:
    """One hash goes and one comes: one row."""
    assert refresh.change(["1", "2", "3"], ["1", "2", "4"]) == refresh.Change(1, 3)
    assert refresh.change(["1", "2"], ["1", "2"]).share == 0

"""Generators of series: rows are a function of their id, tell their label, and complete what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from conf import Config, runs
from conf.errors import RecipeError, StageError
from synth import checkpoint
from synth.fit import fit
from synth.judges import Effort
from synth.series import judges
from synth.series.pools import to_pool
from synth.series.sampler import BLOCK, Sampler
from synth.series.sampling import planned
from synth.series.training import prepare
from synth.work import work
from tests.jobs.series.made import CHANNELS, STEPS, Window, windows
from tests.synth.series.learnt import config_at, job_at, learnt, train_rows, without_labels
from udfs import records
from udfs.series.windows import stacked

SOME = windows(120)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config_at(tmp_path_factory.mktemp("waves"))


@pytest.fixture(scope="module")
def folder(config: Config) -> str:
    return learnt(config, SOME)


def values(some: list[tuple[Window, str]]) -> np.ndarray:
    return stacked(train_rows(some).column("series"), STEPS, CHANNELS)


def ids(count: int) -> pa.Array:
    return pa.array([records.real_id("asked", str(place).encode()) for place in range(count)])


def test_rows_do_not_depend_on_the_range_that_was_asked_for(folder: str) -> None:
    whole = Sampler(folder)("fall", 0, BLOCK + 10)
    for start, stop in ((0, 1), (BLOCK - 1, BLOCK + 1), (7, 7)):
        assert Sampler(folder)("fall", start, stop).equals(whole.slice(start, stop - start))
    torch.manual_seed(5)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    assert Sampler(folder)("fall", 3, 9).equals(whole.slice(3, 6))
    torch.set_num_threads(before)


def test_rows_say_what_they_are(folder: str) -> None:
    sampler = Sampler(folder)
    rows = sampler("rise", 3, 9)
    assert rows.schema.equals(records.series_schema())
    assert rows.column("label").to_pylist() == ["rise"] * 6
    first = rows.slice(0, 1).to_pylist()[0]
    assert first["row_source"] == f"checkpoint {sampler.id}, label rise, index 3"
    assert (first["row_origin"], first["row_split"], first["row_label_source"]) == ("synthetic", "train", "generator")
    assert rows.column("row_id").to_pylist() == sampler.ids("rise", 3, 9).to_pylist()
    assert rows.column("row_hash").to_pylist() == records.row_hashes(rows).to_pylist()


def test_made_windows_tell_their_labels_and_copy_none(folder: str, config: Config) -> None:
    """A judge that learnt from other real windows reads labels off made ones."""
    judge = judges.fit("nearest", to_pool(train_rows(windows(200, first=1000)), config, {}).rows, Effort(100, 32, 1))
    known = {each.tobytes() for each in values(SOME)}
    for code, label in enumerate(("rise", "fall")):
        made = Sampler(folder).windows(label, 0, 100)
        assert (judge.predict(made).argmax(1) == code).mean() > 0.9
        assert not known & {each.tobytes() for each in made} and len({each.tobytes() for each in made}) == 100


def test_labels_that_nobody_asked_for_come_as_often_as_in_the_train_rows(tmp_path: Path) -> None:
    rise, fall = ([each for each in SOME if each[1] == label] for label in ("rise", "fall"))
    rows = Sampler(learnt(config_at(tmp_path), [*rise[:60], *fall[:20]]))("", 0, 6 * BLOCK)
    assert abs(rows.column("label").to_pylist().count("fall") / (6 * BLOCK) - 0.25) < 0.08
    assert all("label" not in source for source in rows.column("row_source").to_pylist())


def test_rows_without_labels_are_made_and_completed(tmp_path: Path) -> None:
    bare = [(window, "") for window, _ in SOME]
    config = without_labels(config_at(tmp_path))
    sampler = Sampler(learnt(config, bare))
    rows = sampler("", 0, 70)
    assert rows.column("label").null_count == 70 and sampler.label_column is None
    job = job_at(config, bare)
    assert planned(config, config.recipe.generate[0], job.rows_folder) == {"": 120}
    holed = values(SOME[:3])
    holed[:, 6:] = np.nan
    assert np.isfinite(sampler.complete(holed, ["", "", ""], ids(3))).all()


def test_what_is_known_stays_and_what_is_made_goes_with_it(tmp_path: Path) -> None:
    """A forecast and an infill are nearer to the truth than the mean of the label's windows, and known steps stay."""
    some = [(raised(window, place), label) for place, (window, label) in enumerate(windows(240))]
    sampler, train, asked = Sampler(learnt(config_at(tmp_path), some[:200])), values(some[:200]), some[200:]
    truth, labels = values(asked), [label for _, label in asked]
    means = [train[[label == each for _, label in some[:200]]].mean(0) for each in labels]
    for hole in (slice(8, 12), slice(4, 8)):
        holed = truth.copy()
        holed[:, hole] = np.nan
        done, known = sampler.complete(holed, labels, ids(len(asked))), ~np.isnan(holed)
        assert done[known].tobytes() == truth[known].tobytes() and np.isfinite(done).all()
        error, blind = (np.abs(each - truth)[:, hole].mean() for each in (done, np.array(means)))
        assert error < 0.7 * blind


def raised(window: Window, place: int) -> Window:
    """A window at a level of its own."""
    return [value + float(np.random.default_rng(place).normal()) for value in window]


def test_completed_windows_do_not_depend_on_their_company(folder: str) -> None:
    asked = windows(90, first=7000)
    holed, labels, names = values(asked), [label for _, label in asked], ids(90)
    holed[::2, 5:], holed[1::2, 2:4, 0] = np.nan, np.nan
    sampler = Sampler(folder)
    whole = sampler.complete(holed, labels, names)
    order = np.random.default_rng(0).permutation(90)
    turned = sampler.complete(holed[order], [labels[place] for place in order], names.take(pa.array(order)))
    assert turned.tobytes() == whole[order].tobytes()
    assert sampler.complete(holed[4:5], labels[4:5], names.slice(4, 1)).tobytes() == whole[4:5].tobytes()


def test_a_fit_that_goes_on_ends_in_the_same_weights(config: Config, tmp_path: Path) -> None:
    prepared, states = prepare(job_at(config_at(tmp_path), SOME)), []
    whole = fit(prepared.build, prepared.rows, settings=prepared.settings, report=lambda e: states.append(e.state()))
    for state in states[:-1]:
        again = fit(prepared.build, prepared.rows, settings=prepared.settings, resume=state)
        ours, theirs = whole.model.state_dict(), again.model.state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert whole.facts["quality"] < 0.2 and 0.8 < whole.facts["variety"] < 1.2


def test_a_checkpoint_has_neither_pickles_nor_the_train_windows(folder: str) -> None:
    files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    assert set(files) == {checkpoint.WEIGHTS, checkpoint.CARD, checkpoint.MANIFEST}
    for window in values(SOME):
        assert window[:2].tobytes() not in files[checkpoint.WEIGHTS]
        assert window[:2].astype(np.float32).tobytes() not in files[checkpoint.WEIGHTS]


def test_what_cannot_be_made_is_refused_in_a_sentence(folder: str, tmp_path: Path) -> None:
    sampler, some = Sampler(folder), values(SOME[:2])
    with pytest.raises(StageError, match="maybe"):
        sampler("maybe", 0, 1)
    with pytest.raises(RecipeError, match="no columns"):
        Sampler(folder, where="age>3")
    with pytest.raises(StageError, match="give every window's"):
        sampler.complete(some, ["", "rise"], ids(2))
    with pytest.raises(StageError, match="12 steps and 2 channels"):
        sampler.complete(some[:, :5], ["rise", "rise"], ids(2))
    with pytest.raises(StageError, match="infinite"):
        sampler.complete(np.full_like(some, np.inf), ["rise", "rise"], ids(2))
    job = job_at(config_at(tmp_path), [each for each in SOME if each[1] == "rise"])
    work(job)
    assert "no train rows of 'fall'" in runs.read_json(job.folder, "fitted.json")["error"]

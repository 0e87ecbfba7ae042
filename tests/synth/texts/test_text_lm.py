"""The generator of texts: rows are a function of their id, tell their label, and copy nothing at length."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.schema import Gate
from synth import checkpoint
from synth.arms import Pool
from synth.fit import fit
from synth.judges import Effort
from synth.labelled.verdicts import passing
from synth.models import text_lm
from synth.models.text_writer import Memory, Shape
from synth.texts import judges
from synth.texts.copies import Copies, run_words
from synth.texts.pools import to_pool
from synth.texts.rows import Question, Rows
from synth.texts.sampler import BLOCK, Sampler
from synth.texts.sampling import planned
from synth.texts.training import prepare
from synth.texts.verdicts import bench, judge_rows
from synth.work import work
from tests.jobs.texts.made import texts
from tests.synth.texts.learnt import SMALL, config_at, job_at, learnt, train_rows
from udfs import records

SOME = texts(80)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config_at(tmp_path_factory.mktemp("notes"))


@pytest.fixture(scope="module")
def folder(config: Config) -> str:
    return learnt(config, SOME)


def test_what_is_remembered_is_what_is_seen_at_once() -> None:
    """Piece after piece with a memory, and all pieces together: the same logits."""
    torch.manual_seed(0)
    model = text_lm.build(text_lm.Config(width=32, heads=2), Shape(torch.ones(21).double(), 3, 10)).eval()
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.1
    tokens, label = torch.randint(21, (5, 10)), torch.tensor([0, 1, 2, 0, 1])
    memory = Memory(model, model.label(label))
    each = [model.next(memory, tokens[:, at - 1] if at else None) for at in range(10)]
    assert torch.allclose(torch.stack(each, 1), model(tokens, label), atol=1e-5)


def test_nothing_after_a_piece_and_nothing_after_the_end_counts() -> None:
    torch.manual_seed(0)
    model = text_lm.build(text_lm.Config(width=32, heads=2), Shape(torch.ones(21).double(), 2, 12)).eval()
    tokens, label = torch.randint(20, (3, 12)), torch.tensor([0, 1, 0])
    tokens[:, 7] = model.end
    other = tokens.clone()
    other[:, 8:] = torch.randint(20, (3, 4))
    assert torch.allclose(model(tokens, label)[:, :9], model(other, label)[:, :9], atol=1e-6)
    assert torch.allclose(model.surprise(tokens, label), model.surprise(other, label), atol=1e-6)
    assert (model.surprise(tokens, label)[:, 8:] == 0).all() and (model.surprise(tokens, label)[:, :8] > 0).all()


def test_rows_do_not_depend_on_the_range_that_was_asked_for(folder: str) -> None:
    whole = Sampler(folder)("bad", 0, BLOCK + 10)
    for start, stop in ((0, 1), (BLOCK - 1, BLOCK + 1), (7, 7)):
        assert Sampler(folder)("bad", start, stop).equals(whole.slice(start, stop - start))
    torch.manual_seed(5)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    assert Sampler(folder)("bad", 3, 9).equals(whole.slice(3, 6))
    torch.set_num_threads(before)


def test_rows_say_what_they_are(folder: str) -> None:
    sampler = Sampler(folder)
    rows = sampler("good", 3, 9)
    assert rows.schema.equals(records.text_schema())
    assert rows.column("label").to_pylist() == ["good"] * 6
    first = rows.slice(0, 1).to_pylist()[0]
    assert first["row_source"] == f"checkpoint {sampler.id}, label good, index 3"
    assert (first["row_origin"], first["row_split"], first["row_label_source"]) == ("synthetic", "train", "generator")
    assert rows.column("row_id").to_pylist() == sampler.ids("good", 3, 9).to_pylist()
    assert rows.column("row_hash").to_pylist() == records.row_hashes(rows).to_pylist()


def test_made_texts_tell_their_labels(folder: str) -> None:
    """A judge that learnt from other real texts reads most labels off made ones, and no text is empty or a copy."""
    sampler, known = Sampler(folder), {text for text, _ in SOME}
    made = [(text, label) for label in ("good", "bad") for text in sampler.texts(label, 0, BLOCK)]
    judge = judges.fit("words", as_rows(texts(200, first=1000)), Effort(100, 32, 1))
    asked = as_rows(made)
    assert (judge.predict(asked.texts).argmax(1) == asked.labels).mean() > 0.8
    assert all(text.strip() for text, _ in made) and not {text for text, _ in made} & known
    assert len({text for text, _ in made}) > BLOCK


def test_labels_that_nobody_asked_for_come_as_often_as_in_the_train_rows(tmp_path: Path) -> None:
    good, bad = ([each for each in SOME if each[1] == label] for label in ("good", "bad"))
    config = config_at(tmp_path, train={"max_steps": 2})
    rows = Sampler(learnt(config, [*good[:60], *bad[:20]]))("", 0, 4 * BLOCK)
    assert abs(rows.column("label").to_pylist().count("bad") / (4 * BLOCK) - 0.25) < 0.1
    assert all("label" not in source for source in rows.column("row_source").to_pylist())


def test_no_made_text_has_a_long_run_of_a_train_text(tmp_path: Path) -> None:
    """Even after learning by heart; without the limit the same generator copies."""
    few = [(f"{text} {text}", label) for text, label in SOME[:4]]
    options = {**SMALL, "top_p": 0.5, "longest_copy": 20}
    sampler = Sampler(learnt(config_at(tmp_path, options=options, train={"max_steps": 80, "learning_rate": 0.02}), few))
    limited = sampler.texts("good", 0, 8)
    sampler.drawing.copies = Copies.of([], 1)
    free = sampler.texts("good", 0, 8)
    ours, theirs = (max(common(text, known) for text in made for known, _ in few) for made in (limited, free))
    assert ours <= 20 < theirs


def test_runs_of_bytes_are_known_by_their_hash() -> None:
    copies = Copies.of(["Hello dear World", "no"], 8)
    assert copies.has_run(b"", b"say hello dear") and copies.has_run(b"he said: dear", b" World")
    assert not copies.has_run(b"", b"hello d") and not copies.has_run(b"", b"hello, dear")
    assert copies.has_whole(" NO! ") and not copies.has_whole("no no")
    assert len(run_words(b"abcdefgh", 8)) == 1 and not len(run_words(b"abc", 8))


def test_a_checkpoint_has_neither_pickles_nor_the_train_texts(folder: str) -> None:
    files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    assert set(files) == {checkpoint.WEIGHTS, checkpoint.CARD, checkpoint.MANIFEST}
    assert all(b"lovely day" not in data for data in files.values())


def test_a_training_that_goes_on_ends_in_the_same_weights(config: Config, tmp_path: Path) -> None:
    job = job_at(config_at(tmp_path, train={"max_steps": 40, "quality_every": 10}), SOME[:40])
    prepared, states = prepare(job), []
    settings = prepared.settings
    whole = fit(prepared.build, prepared.rows, settings=settings, report=lambda event: states.append(event.state()))
    half = next(state for state in states if state.meta["step"] == 20)
    again = fit(prepared.build, prepared.rows, settings=settings, resume=half)
    ours, theirs = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_verdicts_are_given_on_made_rows(folder: str, config: Config) -> None:
    train, val = (to_pool(train_rows(some), config, {}) for some in (SOME, texts(60, first=2000)))
    judge = judges.fit("characters", train.rows, Effort(100, 32, 1))
    made: Pool[Rows] = to_pool(Sampler(folder)("bad", 0, 40), config, {})
    told = judge_rows(made, bench([judge], {}, train, val, config))
    assert told.num_rows == 40 and not any(told.column("is_copy").to_pylist())
    assert passing(told, np.ones(40, bool), Gate()).mean() > 0.5


def test_plans_are_by_label(config: Config) -> None:
    good, bad = ([each for each in SOME if each[1] == label] for label in ("good", "bad"))
    job = job_at(config, [*good[:9], *bad[:3]])
    generator = config.recipe.generate[0]

    def plan(**said: object) -> dict[str, int]:
        asked = generator.rows.model_copy(update={"like": None, **said})
        return planned(config, generator.model_copy(update={"rows": asked}), job.rows_folder)

    assert plan(like="train") == {"good": 9, "bad": 3} and plan(factor=2.0) == {"good": 18, "bad": 6}
    assert plan(balance="majority") == {"good": 0, "bad": 6} and plan(per_label={"bad": 5}) == {"good": 0, "bad": 5}
    with pytest.raises(RecipeError, match="goes with tables"):
        plan(hard=3)


def test_what_cannot_be_made_is_refused_in_a_sentence(folder: str, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="maybe"):
        Sampler(folder)("maybe", 0, 1)
    with pytest.raises(RecipeError, match="no columns"):
        Sampler(folder, where="age>3")
    job = job_at(config_at(tmp_path), [each for each in SOME if each[1] == "good"][:9])
    work(job)
    assert "no train rows of 'bad'" in runs.read_json(job.folder, "fitted.json")["error"]
    with pytest.raises(StageError, match="twice heads"):
        prepare(dataclasses.replace(job_at(config_at(tmp_path, options={"width": 30}), SOME[:9]))).build(0)


def as_rows(some: list[tuple[str, str]]) -> Rows:
    """(text, label) as judges learn from them."""
    codes = np.array([int(label == "bad") for _, label in some])
    return Rows(tuple(text for text, _ in some), codes, Question(("good", "bad")))


def common(one: str, other: str) -> int:
    """Characters of the longest run that both texts have."""
    best = 0
    for at in range(len(one)):
        while one[at : at + best + 1] in other and at + best < len(one):
            best += 1
    return best

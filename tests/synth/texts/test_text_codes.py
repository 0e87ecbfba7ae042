"""Generators of texts by codes: codes are looked at, lie where they should, and rows are a function of their id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synth.fit import fit
from synth.judges import Effort
from synth.models import text_gan, text_vae
from synth.models.between import Between
from synth.models.text_autoencoder import Autoencoder
from synth.models.text_gan import energy_distance
from synth.models.text_writer import Memory, Shape
from synth.texts import judges
from synth.texts.fitting import padded
from synth.texts.rows import Question, Rows
from synth.texts.sampler import BLOCK, Sampler
from synth.texts.training import prepare
from tests.jobs.texts.made import DOINGS, THINGS, TIMES
from tests.synth.texts.learnt import config_at, job_at, learnt
from udfs import records
from udfs.text.near import normal_form

SMALL = {
    "width": 32, "layers": 1, "heads": 2, "dropout": 0.0, "pieces": 340, "code": 8, "hidden": 64, "free_nats": 0.5,
    "hidden_share": 0.3, "bag_weight": 1.0, "longest_copy": 200,
}  # fmt: skip
ENDS = {"good": "what a lovely day", "bad": "call now to win cash"}
MODELS = {
    "text_vae": {"options": {**SMALL, "codes": "between"}, "train": {"max_steps": 200, "learning_rate": 0.01}},
    "text_gan": {"options": {**SMALL, "critic_repeats": 1}, "train": {"max_steps": 200, "learning_rate": 0.01}},
}


def short(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, label): no two alike, three choices and the label's end."""
    each = [f"{thing} {doing} {time}" for thing in THINGS for doing in DOINGS for time in TIMES]
    order = np.random.default_rng(seed).permutation(len(each))[:count]
    labels = [("good", "bad")[place % 2] for place in range(count)]
    return [(f"{each[place]}, {ENDS[label]}", label) for place, label in zip(order.tolist(), labels, strict=True)]


SOME = short(100)


@pytest.fixture(scope="module", params=MODELS)
def sampler(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Sampler:
    """One of each model, which learnt for some seconds."""
    config = config_at(tmp_path_factory.mktemp(request.param), model=request.param, **MODELS[request.param])
    return Sampler(learnt(config, SOME))


def test_codes_of_texts_are_looked_at(sampler: Sampler) -> None:
    """They cost what says something, and a text is told better from its own code than from another of its label."""
    model: Autoencoder = sampler.model.autoencoder
    pieces = sampler.drawing.pieces
    tokens = padded([pieces.encode(text) for text, _ in SOME], len(pieces), model.shape.context)[0]
    label = torch.tensor([int(label == "bad") for _, label in SOME])
    with torch.no_grad():
        mean, log_spread = model.read(tokens, label)
        own, other = (float(model.retell(tokens, label, codes).sum()) for codes in (mean, mean.roll(2, 0)))
    assert model.cost(mean, log_spread).sum(1).mean() > 2.0
    assert own < 0.9 * other


def test_made_texts_tell_their_labels_and_copy_no_train_row(sampler: Sampler) -> None:
    known = {normal_form(text) for text, _ in SOME}
    made = [(text, label) for label in ("good", "bad") for text in sampler.texts(label, 0, BLOCK)]
    judge = judges.fit("words", as_rows(short(160, seed=1)), Effort(100, 32, 1))
    asked = as_rows(made)
    assert (judge.predict(asked.texts).argmax(1) == asked.labels).mean() > 0.75
    assert not {normal_form(text) for text, _ in made} & known
    assert len({text for text, _ in made}) > BLOCK and all(text.strip() for text, _ in made)


def test_rows_do_not_depend_on_the_range_that_was_asked_for(sampler: Sampler) -> None:
    whole = sampler("bad", 0, BLOCK + 6)
    for start, stop in ((0, 1), (BLOCK - 1, BLOCK + 1)):
        assert sampler("bad", start, stop).equals(whole.slice(start, stop - start))
    assert whole.schema.equals(records.text_schema())
    assert sampler.texts("good", 0, 4) != sampler.texts("bad", 0, 4)


@pytest.mark.parametrize("name", MODELS)
def test_a_training_that_goes_on_ends_in_the_same_weights(name: str, tmp_path: Path) -> None:
    """From half of its steps, and from a round of what draws codes."""
    train = {"max_steps": 20, "quality_every": 5}
    prepared, states = prepare(job_at(config_at(tmp_path, model=name, options=SMALL, train=train), SOME[:30])), []
    settings = prepared.settings
    whole = fit(prepared.build, prepared.rows, settings=settings, report=lambda event: states.append(event.state()))
    chosen = [next(state for state in states if state.meta.get("step") == 10), states[-2]]
    for state in chosen:
        again = fit(prepared.build, prepared.rows, settings=settings, resume=state)
        ours, theirs = whole.model.state_dict(), again.model.state_dict()
        assert all(torch.equal(ours[each], theirs[each]) for each in ours)


def test_codes_lie_between_two_codes_of_their_label() -> None:
    """On the way from a row to one of its nearest, as far as the noise says, from the row itself to the other one."""
    torch.manual_seed(0)
    codes, label = torch.randn(30, 4).double(), torch.arange(30) % 2
    between = Between(2, 4, 64, 3, 1.0)
    between.update(between.tabled(codes, label, torch.arange(30)))
    drawn = between.draw(torch.randn(200, 4), torch.arange(200) % 2).double()
    for each in (0, 1):
        mine = codes[label == each]
        one, other = (part.flatten(0, 1) for part in torch.broadcast_tensors(mine[:, None], mine[None]))
        for code in drawn[each::2]:
            detour = (code - one).norm(dim=1) + (code - other).norm(dim=1) - (one - other).norm(dim=1)
            assert detour.min() < 1e-5
    ends = between.draw(torch.tensor([[0.3, 0.1, -9.0, 0.0], [0.3, 0.1, 9.0, 0.0]]), torch.tensor([1, 1])).double()
    assert all(torch.isclose(codes[label == 1], end.expand(15, 4), atol=1e-5).all(1).any() for end in ends)
    assert not torch.allclose(ends[0], ends[1])


def test_a_way_between_two_codes_goes_from_one_text_to_the_other(sampler: Sampler) -> None:
    """Each of two texts is told best near its own end."""
    model, pieces = sampler.model.autoencoder, sampler.drawing.pieces
    tokens = padded([pieces.encode(text) for text, _ in SOME[:3:2]], len(pieces), model.shape.context)[0]
    label = torch.tensor([0, 0])
    with torch.no_grad():
        codes = model.read(tokens, label)[0]
        way = torch.lerp(codes[:1], codes[1:], torch.linspace(0, 1, 5)[:, None])
        nats = torch.stack(
            [model.retell(tokens[each].repeat(5, 1), label[:1].repeat(5), way).sum(1) for each in (0, 1)]
        )
    assert nats[0].argmin() < nats[1].argmin()
    assert nats[0, 0] < nats[0, -1] and nats[1, -1] < nats[1, 0]


@pytest.mark.parametrize("module", [text_vae, text_gan])
def test_what_is_remembered_is_what_is_seen_at_once(module: Any) -> None:
    torch.manual_seed(0)
    config = next(iter(module.PRESETS.values()))
    model = module.build(config, Shape(torch.ones(21).double(), 3, 10)).eval()
    tokens, label = torch.randint(21, (5, 10)), torch.tensor([0, 1, 2, 0, 1])
    with torch.no_grad():
        told = model.told(label, torch.randn(5, model.noise_width))
        memory = Memory(model.writer, told)
        each = [model.writer.next(memory, tokens[:, at - 1] if at else None) for at in range(10)]
        assert torch.allclose(torch.stack(each, 1), model.writer.write(tokens, told), atol=1e-5)


def test_a_code_says_nothing_of_what_stands_after_the_end() -> None:
    torch.manual_seed(0)
    model = Autoencoder(text_vae.Config(), Shape(torch.ones(21).double(), 2, 12)).eval()
    tokens, label = torch.randint(20, (3, 12)), torch.tensor([0, 1, 0])
    tokens[:, 7] = model.end
    other = tokens.clone()
    other[:, 8:] = torch.randint(20, (3, 4))
    assert torch.allclose(model.encode(tokens, label), model.encode(other, label), atol=1e-6)


def test_sets_of_codes_are_far_where_they_differ() -> None:
    torch.manual_seed(0)
    one, same, moved = torch.randn(400, 4), torch.randn(400, 4), torch.randn(400, 4) + 1
    assert energy_distance(one, same) < 0.05 < 0.3 < energy_distance(one, moved)


def as_rows(some: list[tuple[str, str]]) -> Rows:
    """(text, label) as judges learn from them."""
    codes = np.array([int(label == "bad") for _, label in some])
    return Rows(tuple(text for text, _ in some), codes, Question(("good", "bad")))

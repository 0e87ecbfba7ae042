"""The generator of behaviour: it learns tastes, draws what it was trained to, and copies nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from conf.errors import RecipeError
from synth.behaviour.alphabet import Alphabet, Trait
from synth.behaviour.bins import Bins
from synth.behaviour.copies import Copies, windows
from synth.behaviour.fitting import rows_of
from synth.behaviour.profiles import Profiles
from synth.behaviour.sampler import BLOCK, Sampler
from synth.behaviour.training import prepare
from synth.models import sequence_ar
from synth.models.sequence_ar import CHUNK, Memory
from tests.jobs.behaviour.made import ITEMS
from tests.synth.behaviour.learnt import config_at, job_at, learnt, users_of
from udfs.behaviour.values import Events

USERS = 80


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A generator that learnt from USERS users."""
    return learnt(config_at(tmp_path_factory.mktemp("visits")), USERS)


@pytest.fixture(scope="module")
def make(checkpoint: str) -> Callable[..., Sampler]:
    """Samplers of that checkpoint."""
    return lambda **told: Sampler(checkpoint, **told)


@pytest.mark.parametrize("repeats", [False, True])
def test_what_is_drawn_by_is_what_was_trained(repeats: bool) -> None:
    """Event by event the net says what it says of whole sequences, over the border of a run, too."""
    torch.manual_seed(3)
    shape = sequence_ar.Shape(torch.ones(300), 5, 4, (3, 2), repeats)
    model = sequence_ar.build(sequence_ar.Config(width=16), shape).eval()
    length, random = CHUNK + 9, np.random.default_rng(1)
    items = np.stack([random.permutation(300)[:length] for _ in range(2)])
    codes = [
        torch.from_numpy(each)
        for each in (items, random.integers(0, 5, items.shape), random.integers(0, 4, items.shape))
    ]
    lengths, condition = torch.tensor([length, length - 4]), torch.tensor([[0, 1], [2, 0]])
    batch = dict(zip(("items", "ratings", "gaps"), codes, strict=True)) | {"condition": condition, "length": lengths}
    with torch.no_grad():
        told = torch.cat([model.surprise(batch, torch.full((2,), start))[0] for start in (0, CHUNK)], 1)
        memory = Memory(model, condition, lengths)
        for at in range(length):
            item, rating, gap = (each[:, at] for each in codes)
            out, mean = model.next(memory)
            none = torch.full((2,), 4)
            query = model.queried(out, mean, none if at == 0 else gap)
            nats = functional.cross_entropy(model.item_logits(query, memory.has), item, reduction="none")
            nats = nats + functional.cross_entropy(model.rating_logits(out, item), rating, reduction="none")
            if at:
                nats = nats + functional.cross_entropy(model.to_gap(out), gap, reduction="none")
            model.remember(memory, item, rating, none if at == 0 else gap)
            some = at < lengths
            assert torch.allclose(nats[some], told[some, at], atol=1e-4), at
    assert (told[1, length - 4 :] == 0).all()


def test_tastes_are_learnt(make: Callable[..., Sampler]) -> None:
    """Women of the made users have the women's items, men the men's, in number, length and rating as train users."""
    made = make()("", 0, 192)
    sexes, items, ratings = (made.column(name).to_pylist() for name in ("sex", "items", "ratings"))
    own = np.mean(
        [(int(each[1:]) >= ITEMS) == (sex == "M") for sex, user in zip(sexes, items, strict=True) for each in user]
    )
    assert own > 0.9
    assert 0.35 < sexes.count("F") / len(sexes) < 0.65
    real = [len(user) for user in users_of(USERS)]
    assert abs(np.mean([len(user) for user in items]) - np.mean(real)) < 1
    assert all(min(real) <= len(user) <= max(real) and len(set(user)) == len(user) for user in items)
    right = [
        rating == 1 + int(item[1:]) % 5
        for user in zip(items, ratings, strict=True)
        for item, rating in zip(*user, strict=True)
    ]
    assert np.mean(right) > 0.7
    for row in made.to_pylist():
        assert row["user"] is None and (np.diff(row["times"]) >= 0).all() and len(row["times"]) == len(row["items"])


def test_a_row_is_a_function_of_its_index(make: Callable[..., Sampler]) -> None:
    """Whatever range is asked for, across blocks, by one sampler or another."""
    whole = make()("", 0, 2 * BLOCK + 10)
    for start, stop in ((0, 5), (BLOCK - 3, BLOCK + 3), (2 * BLOCK, 2 * BLOCK + 10)):
        assert make()("", start, stop).equals(whole.slice(start, stop - start))
    assert make()("", 5, 5).num_rows == 0
    assert make(temperature=0.7).maker != make().maker != make(where="sex=F").maker


def test_no_run_of_a_train_user_is_repeated(make: Callable[..., Sampler]) -> None:
    """Users of a clear order tempt a generator to copy; it never goes on beyond `longest_copy`."""
    sampler = make()
    real = [np.array([sampler.alphabet.places[item] for item in user.items]) for user in users_of(USERS)]
    known = {tuple(run) for user in real for run in windows(user, 5).tolist()}
    assert len(known) > 30
    for user in sampler.users(0, 128):
        codes = np.array([sampler.alphabet.places[item] for item in user.items])
        assert not known & {tuple(run) for run in windows(codes, 5).tolist()}


def test_conditions_are_met(make: Callable[..., Sampler]) -> None:
    """On words and on numbers, within the steps that numbers are drawn by; what nobody meets is refused."""
    made = make(where="sex=M,age>=33,age<61")("", 0, BLOCK)
    assert set(made.column("sex").to_pylist()) == {"M"}
    ages = made.column("age").to_pylist()
    assert min(ages) >= 33 and max(ages) < 61 and len(set(ages)) > 8
    with pytest.raises(RecipeError, match="no train user meets it"):
        make(where="sex=F,sex=M")
    with pytest.raises(RecipeError, match="is a number"):
        make(where="age>old")
    with pytest.raises(RecipeError, match="words"):
        make(where="sex>F")


def test_training_again_gives_the_same_checkpoint(tmp_path: Path) -> None:
    """Same rows, seed and threads."""
    config = config_at(tmp_path, train={"max_steps": 6})
    assert Sampler(learnt(config, 30, "one")).id == Sampler(learnt(config, 30, "two")).id


def test_a_checkpoint_holds_no_sequence(tmp_path: Path) -> None:
    """What lies beside the weights are counts, hashes, and kinds of users in an order of their own."""
    prepared = prepare(job_at(config_at(tmp_path), 40))
    tensors = prepared.tensors()
    assert set(tensors) == {"counts", "runs", "profiles"}
    rows = tensors["profiles"].tolist()
    assert rows == sorted(rows) and len(rows) == 40
    assert prepared.counts.sum() == sum(len(user) for user in users_of(40))


def test_numbers_stay_within_their_steps() -> None:
    """Few values stay what they are; many are drawn between the least and the greatest of their step."""
    few, many = Bins.of(np.array([1.0, 5, 5, 3]), 8), Bins.of(np.arange(1000.0), 8)
    assert few.drawn(few.codes(np.array([5.0, 1, 3])), np.full(3, 0.99)).tolist() == [5, 1, 3]
    values, draws = np.arange(0, 1000, 7.0), np.random.default_rng(0).random(143)
    codes = many.codes(values)
    for drawn in (many.drawn(codes, draws), many.drawn(codes, draws, whole=True), many.drawn_by_size(codes, draws)):
        assert (many.codes(drawn) == codes).all()
    assert Bins.from_dict(many.as_dict()) == many


def test_items_beyond_the_most_frequent_are_left_out() -> None:
    """A made user has known items alone; a trait that was never seen is missing."""
    users = [Events(("a", "b", "c"), np.ones(3), np.arange(3)), Events(("a", "b"), np.ones(2), np.arange(2))]
    alphabet = Alphabet.of(users, {"job": ("category", ["x", None])}, 2)
    assert alphabet.items == ("a", "b") and alphabet.known(users[0]).items == ("a", "b")
    assert alphabet.traits[0].codes(["x", "y", None]).tolist() == [0, 1, 1]
    assert not alphabet.repeats and Alphabet.from_dict(alphabet.as_dict()) == alphabet
    rows = rows_of([alphabet.known(user) for user in users], [np.array([0, 1])], alphabet)
    assert rows.lengths.tolist() == [2, 2] and rows.condition.shape == (2, 3)


def test_a_word_is_never_taken_for_a_mark() -> None:
    """Attributes whose words are those that the code uses itself."""
    trait = Trait.of("mood", "category", ["missing", "between", "one of", None])
    alphabet = Alphabet(("a",), *[Bins((0.0,), (0.0,))] * 4, (trait,), False)
    profiles = Profiles.of(alphabet, np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]))
    told = profiles.attributes(profiles.codes, np.zeros((4, 1)))
    assert told == {"mood": ["between", "missing", "one of", None]}


def test_copies_are_known_by_their_order() -> None:
    """A run is a copy, its items in another order are none."""
    copies = Copies.of([np.array([1, 2, 3, 4])], 3)
    assert copies.among(np.array([[1, 2, 3], [2, 3, 4], [3, 2, 1], [1, 2, 4]])).tolist() == [True, True, False, False]

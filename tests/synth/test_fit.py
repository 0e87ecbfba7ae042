"""Properties of the training loop: repeatable, resumable, finite, watched."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from conf.errors import StageError
from synth.fit import Event, Fitted, Settings, State, fit, hold_out
from synth.fit.order import Order
from synth.fit.sums import _totals
from synth.fit.terms import Team
from synth.models import Phase, image_mixture, image_vae

SHORT = Settings(max_steps=120, batch_size=40, quality_every=40, seed=3, restarts=0)


def weights(fitted: Fitted) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in fitted.model.state_dict().items()}


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(digits: Any, tiny: Any) -> None:
    first, again = (fit(lambda attempt: tiny(), digits(300), settings=SHORT) for _ in range(2))
    assert weights(first) == weights(again)
    assert first.history == again.history
    other = fit(lambda attempt: tiny(), digits(300), settings=dataclasses.replace(SHORT, seed=4))
    assert weights(other) != weights(first)


def test_what_came_before_does_not_matter(digits: Any, tiny: Any) -> None:
    """Neither the caller's generator nor its number of threads reach a training, and it leaves them as they were."""
    first = fit(lambda attempt: tiny(), digits(300), settings=SHORT)
    torch.manual_seed(99)
    torch.rand(7)
    before = torch.get_rng_state()
    assert weights(fit(lambda attempt: tiny(), digits(300), settings=SHORT)) == weights(first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


class Still(nn.Module):
    """A phase that pulls nothing anywhere."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Any) -> Any:
        return {"loss": sum(parameter.sum() * 0 for parameter in self.parameters())}


def test_weights_decay_and_biases_do_not(digits: Any, tiny: Any) -> None:
    def still(attempt: int) -> Any:
        model = tiny()
        model.phases = lambda: [Phase("still", Still(model), 0.01, weight_decay=0.5)]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(1.0)
        return model

    model = fit(still, digits(300), settings=dataclasses.replace(SHORT, max_steps=10, quality_every=10)).model
    decayed = {name: bool((value < 0.99).all()) for name, value in model.named_parameters()}
    assert decayed == {name: not name.endswith("bias") for name in decayed}
    assert set(decayed.values()) == {True, False}


class Stopped(Exception):
    """A kill, as a test brings it about."""


@pytest.mark.parametrize("stop_at", [26, 80, 119])
def test_a_resumed_training_ends_in_the_same_weights(digits: Any, tiny: Any, stop_at: int) -> None:
    whole = fit(lambda attempt: tiny(), digits(300), settings=SHORT)
    saved: list[State] = []

    def stop(event: Event) -> None:
        if event.step == stop_at:
            saved.append(event.state())
            raise Stopped

    with pytest.raises(Stopped):
        fit(lambda attempt: tiny(), digits(300), settings=SHORT, report=stop)
    resumed = fit(lambda attempt: tiny(), digits(300), settings=SHORT, resume=saved[0])
    assert weights(resumed) == weights(whole)
    assert resumed.history == whole.history
    assert resumed.facts == whole.facts


class Poisoned(nn.Module):
    """A phase whose loss is NaN the first `times` times after step 50."""

    left = 0

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Any) -> Any:
        told = self.module(batch)
        if float(batch["progress"]) > 0.5 and Poisoned.left > 0:
            Poisoned.left -= 1
            told["loss"] = told["loss"] * float("nan")
        return told


def test_a_poisoned_gradient_is_rolled_back(digits: Any, tiny: Any) -> None:
    Poisoned.left = 1
    fitted = fit(lambda attempt: tiny(), digits(300), settings=SHORT, wrap=Poisoned)
    assert all(bool(torch.isfinite(value).all()) for value in fitted.model.state_dict().values())
    assert fitted.facts["rollbacks"] == 1
    assert any("went back to step" in note for note in fitted.notes)
    assert fitted.facts["steps"] == SHORT.max_steps


def test_what_cannot_be_kept_finite_stops_with_the_mend(digits: Any, tiny: Any) -> None:
    Poisoned.left = 10**9
    with pytest.raises(StageError, match="learning_rate"):
        fit(lambda attempt: tiny(), digits(300), settings=SHORT, wrap=Poisoned)
    Poisoned.left = 0


def test_a_collapse_is_answered_by_another_attempt(digits: Any, tiny: Any) -> None:
    """A generator without noise collapses; the next attempt's weights are kept, and notes say so."""

    class Collapsed(tiny):  # type: ignore[misc]
        def sample(self, noise: Any, condition: Any, temperature: float = 1.0) -> Any:
            return super().sample(torch.zeros_like(noise), condition, temperature)

    attempts: list[int] = []

    def build(attempt: int) -> Any:
        attempts.append(attempt)
        return tiny() if attempt else Collapsed()

    settings = dataclasses.replace(SHORT, max_steps=400, quality_every=50, restarts=1)
    fitted = fit(build, digits(300), settings=settings)
    assert type(fitted.model) is tiny and fitted.facts["attempt"] == 1
    assert not fitted.facts["collapsed"]
    assert any("variety collapsed" in note for note in fitted.notes)
    steps = [record["step"] for record in fitted.history]
    assert steps == sorted(steps) and {record["attempt"] for record in fitted.history} == {0, 1}


def test_a_training_that_gets_no_better_stops_early_and_keeps_its_best(digits: Any, tiny: Any) -> None:
    settings = dataclasses.replace(SHORT, max_steps=4000, quality_every=10, patience=3)
    fitted = fit(lambda attempt: tiny(learning_rate=2e-2), digits(300), settings=settings)
    assert fitted.facts["steps"] < 4000
    best = min(fitted.history, key=lambda record: (record["variety"] < 0.6, record["quality"]))
    assert fitted.facts["best_step"] == best["step"]
    assert any("no better held-out quality" in note for note in fitted.notes)


def test_quality_tells_real_rows_from_worse_ones(digits: Any) -> None:
    """Held-out quality ranks real rows before noisy ones, and those before rows of the wrong label."""
    rows = digits(1700)
    settings = Settings(held_out=0.3)
    train, held = hold_out(rows, settings.held_out)
    watch = rows.watch(settings, SimpleNamespace(noise_width=4))
    images, labels = (rows.take(train)[name] for name in ("image", "label"))
    real = torch.cat([images[labels == kind][-int((watch.condition == kind).sum()) :] for kind in watch.kinds])
    assert not set(train.tolist()) & set(held.tolist())
    noisy = (real + 0.4 * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    wrong = real.roll(int((watch.condition == 0).sum()), 0)
    looks = [watch.look(each) for each in (real, noisy, wrong)]
    assert abs(looks[0].quality) < 0.05 < looks[1].quality < looks[2].quality
    assert 0.9 < looks[0].variety < 1.1 < looks[1].variety
    same = torch.cat(
        [
            real[watch.condition == kind][:1].expand(int((watch.condition == kind).sum()), -1, -1, -1)
            for kind in watch.kinds
        ]
    )
    assert watch.look(same).variety < 0.05


def test_batches_hold_every_label_equally_often_and_every_row_in_turn() -> None:
    labels = np.array([0] * 50 + [1] * 7 + [2] * 3)
    order = Order(labels, seed=5, balanced=True)
    batches = [order.batch(place, 12) for place in range(60)]
    assert all(np.bincount(labels[batch]).tolist() == [4, 4, 4] for batch in batches)
    seen = np.concatenate(batches)
    assert np.bincount(seen[labels[seen] == 2]).max() - np.bincount(seen[labels[seen] == 2])[57:].min() <= 1
    assert sorted(seen[labels[seen] == 0][:50]) == list(range(50))
    plain = Order(labels, seed=5, balanced=False)
    assert sorted(np.concatenate([plain.batch(place, 12) for place in range(5)])) == list(range(60))


def test_workers_share_a_batch_and_the_order_does_not_depend_on_where_it_is_entered() -> None:
    labels = np.arange(60) % 10
    order = Order(labels, seed=1, balanced=True)
    whole = order.batch(7, 40)
    parts = [Order(labels, 1, True).batch(7, 40, rank, 2) for rank in range(2)]
    assert np.concatenate(parts).tolist() == whole.tolist()


def test_totals_do_not_depend_on_the_number_of_workers(digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte: the lanes of 1, 2 and 3 workers add up to the same sums."""
    monkeypatch.setattr("synth.fit.sums.CHUNK_ROWS", 64)
    model = image_mixture.build(image_mixture.Config(), 1, 8, 8, 10)

    class Apart(Team):
        """One of several workers, which hands its part to the test."""

        def __init__(self, rank: int, size: int) -> None:
            self.rank, self.size, self.parts = rank, size, []

        def total(self, tensor: torch.Tensor) -> torch.Tensor:
            self.parts.append(tensor)
            return tensor

    alone = _totals(model, digits(1000), Apart(0, 1))
    for size in (2, 3, 8):
        workers = [Apart(rank, size) for rank in range(size)]
        for worker in workers:
            _totals(model, digits(1000), worker)
        for number, name in enumerate(sorted(alone)):
            lanes = sum(worker.parts[number] for worker in workers)
            total = lanes[0].clone()
            for lane in lanes[1:]:
                total += lane
            assert torch.equal(total, alone[name]), (size, name)


def test_sums_resume_in_the_same_weights(digits: Any) -> None:
    def build(attempt: int) -> Any:
        return image_mixture.build(image_mixture.Config(), 1, 8, 8, 10)

    whole = fit(build, digits(300), settings=Settings())
    saved: list[State] = []

    def stop(event: Event) -> None:
        if event.step == 6:
            saved.append(event.state())
            raise Stopped

    with pytest.raises(Stopped):
        fit(build, digits(300), settings=Settings(), report=stop)
    resumed = fit(build, digits(300), settings=Settings(), resume=saved[0])
    assert weights(resumed) == weights(whole)
    assert resumed.history == whole.history and len(whole.history) == whole.facts["rounds"]


@pytest.mark.parametrize("stop_at", [60, 122])
def test_phases_then_sums_resume_in_the_same_weights(digits: Any, stop_at: int) -> None:
    """A VAE is trained by steps and its latent fitted by rounds; stopped in either, it ends in the same weights."""
    settings = dataclasses.replace(SHORT, quality_every=60)

    def build(attempt: int) -> Any:
        return image_vae.build(image_vae.PRESETS["standard"], 1, 8, 8, 10)

    whole = fit(build, digits(200), settings=settings)
    saved: list[State] = []

    def stop(event: Event) -> None:
        if event.record and event.record["step"] == stop_at:
            saved.append(event.state())
            raise Stopped

    with pytest.raises(Stopped):
        fit(build, digits(200), settings=settings, report=stop)
    resumed = fit(build, digits(200), settings=settings, resume=saved[0])
    assert weights(resumed) == weights(whole)
    assert resumed.history == whole.history and resumed.facts == whole.facts
    steps = [record["step"] for record in whole.history]
    assert steps == sorted(set(steps))
    assert {"best_step", "rounds", "quality", "variety"} <= whole.facts.keys()

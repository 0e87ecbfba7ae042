"""Properties of the image models that are trained by steps."""

from __future__ import annotations

import copy
import dataclasses
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from synth.models import SAMPLE_BLOCK, SumsFitted, Trained, image_gan, image_interpolation, image_vae
from synth.models.critics import deviations
from synth.models.diff_augment import augmented, cut_out, shifted
from synth.models.losses import critic_loss, diversity_loss, generator_loss, gradient_penalty

MODELS = [(module, preset) for module in (image_gan, image_vae, image_interpolation) for preset in module.PRESETS]
NAMES = [f"{module.__name__.rsplit('.', 1)[1]}-{preset}" for module, preset in MODELS]
LABELS = 10
LOSSES = ("minimax", "non_saturating", "hinge", "wgan_gp")
every_model = pytest.mark.parametrize(("module", "preset"), MODELS, ids=NAMES)


def batch_of(rows: int, channels: int, height: int, width: int, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "image": torch.rand(rows, channels, height, width, generator=generator) * 2 - 1,
        "label": torch.arange(rows) % LABELS,
        "index": torch.arange(rows),
        "progress": torch.tensor(0.5),
    }


def build(module: ModuleType, preset: str, channels: int, height: int, width: int, **options: Any) -> Any:
    torch.manual_seed(0)
    config = dataclasses.replace(module.PRESETS[preset], **options)
    return module.build(config, channels, height, width, LABELS)


def fit_sums(model: Any, batch: dict[str, Tensor]) -> None:
    while isinstance(model, SumsFitted) and not model.update(model.accumulate(batch)):
        pass


def noise_for(model: Any, rows: int = SAMPLE_BLOCK) -> tuple[Tensor, Tensor]:
    return torch.randn(rows, model.noise_width, generator=torch.Generator().manual_seed(1)), torch.arange(rows) % LABELS


@every_model
@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 30, 45), (1, 64, 64), (3, 128, 128)]
)
def test_every_size_trains_a_step_and_samples(
    module: ModuleType, preset: str, channels: int, height: int, width: int
) -> None:
    model = build(module, preset, channels, height, width)
    assert isinstance(model, Trained)
    batch = batch_of(20 if height < 64 else 4, channels, height, width)
    for phase in model.phases():
        loss = phase.module(batch)["loss"]
        loss.backward()
        assert torch.isfinite(loss) and loss.dim() == 0
        assert all(torch.isfinite(p.grad).all() for p in phase.module.parameters())  # none is left without
    fit_sums(model, batch)
    made = model.sample(*noise_for(model, 4))
    assert made.shape == (4, channels, height, width) and made.dtype == torch.float32
    assert torch.isfinite(made).all() and made.abs().max() <= 1


@every_model
def test_gradients_reach_only_the_parameters_of_their_phase(module: ModuleType, preset: str) -> None:
    model = build(module, preset, 1, 8, 8)
    phases = model.phases()
    owned = [{id(p) for p in phase.module.parameters()} for phase in phases]
    assert sum(map(len, owned)) == len({id(p) for p in model.parameters()})
    for number, phase in enumerate(phases):
        model.zero_grad(set_to_none=True)
        phase.module(batch_of(20, 1, 8, 8))["loss"].backward()
        assert {id(p) for p in model.parameters() if p.grad is not None} == owned[number]
    assert all(p.requires_grad for p in model.parameters())


@every_model
def test_a_row_depends_on_its_own_noise_and_label_alone(module: ModuleType, preset: str) -> None:
    model = build(module, preset, 1, 28, 28)
    for phase in model.phases():  # moves running statistics away from where they began
        phase.module.train()(batch_of(20, 1, 28, 28))
    fit_sums(model, batch_of(200, 1, 28, 28))
    model.train()  # sampling must not look across rows whatever mode it finds
    noise, label = noise_for(model)
    made = model.sample(noise, label)
    kept = torch.arange(SAMPLE_BLOCK) % 7 == 3
    other_noise = torch.where(kept[:, None], noise, torch.zeros(()))
    other_label = torch.where(kept, label, torch.zeros((), dtype=torch.int64))
    assert torch.equal(model.sample(other_noise, other_label)[kept], made[kept])
    torch.testing.assert_close(model.sample(noise[:5], label[:5]), made[:5], rtol=1e-4, atol=1e-4)
    assert torch.equal(model.sample(noise, label), made)


@every_model
def test_noise_and_label_both_matter(module: ModuleType, preset: str) -> None:
    model = build(module, preset, 1, 8, 8)
    fit_sums(model, batch_of(100, 1, 8, 8))
    noise, label = noise_for(model)
    made = model.sample(noise, label)
    assert not torch.equal(model.sample(noise.flip(0), label), made)
    assert not torch.equal(model.sample(noise, (label + 1) % LABELS), made)


@every_model
def test_a_training_is_repeatable_and_lives_in_its_state_dict(module: ModuleType, preset: str) -> None:
    """Two steps, then one more from a copy of the state: equal to three steps."""

    def step(model: Any, place: int) -> None:
        torch.manual_seed(place)
        for phase in model.phases():
            model.zero_grad(set_to_none=True)
            phase.module.train()(batch_of(20, 1, 8, 8, place))["loss"].backward()
            with torch.no_grad():
                for parameter in phase.module.parameters():
                    parameter -= 0.01 * parameter.grad.clamp(-1, 1)

    whole, half = (build(module, preset, 1, 8, 8) for _ in range(2))
    for place in range(2):
        step(half, place)
    resumed = build(module, preset, 1, 8, 8)
    resumed.load_state_dict(copy.deepcopy(half.state_dict()))
    step(resumed, 2)
    for place in range(3):
        step(whole, place)
    states = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in states)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("preset", ["hinge", "dcgan"])
def test_each_loss_takes_finite_steps(loss: str, preset: str) -> None:
    model = build(image_gan, preset, 1, 8, 8, loss=loss)
    phases = model.phases()
    optimisers = [torch.optim.Adam(phase.module.parameters(), phase.learning_rate) for phase in phases]
    for place in range(3):
        for phase, optimiser in zip(phases, optimisers, strict=True):
            told = phase.module(batch_of(20, 1, 8, 8, place))
            optimiser.zero_grad()
            told["loss"].backward()
            optimiser.step()
            assert all(torch.isfinite(value) for value in told.values())
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_losses_pull_scores_the_right_way() -> None:
    for loss in LOSSES:
        real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
        critic_loss(loss, real, fake).backward()
        assert (real.grad < 0).all() and (fake.grad > 0).all()
        fake.grad = None
        generator_loss(loss, fake).backward()
        assert (fake.grad < 0).all()


def test_the_gradient_penalty_is_zero_for_slope_one_and_trains_the_critic() -> None:
    critic = nn.Linear(16, 1, bias=False)
    nn.init.constant_(critic.weight, 0.25)  # norm 1
    images = torch.randn(2, 5, 1, 4, 4)

    def score(image: Tensor) -> Tensor:
        return critic(image.flatten(1))[:, 0]

    assert gradient_penalty(score, *images).item() == pytest.approx(0, abs=1e-10)
    nn.init.constant_(critic.weight, 0.75)
    penalty = gradient_penalty(score, *images)
    assert penalty.item() == pytest.approx(4)
    penalty.backward()
    assert critic.weight.grad.abs().min() > 0


def test_deviations_are_those_of_the_rows_own_kind() -> None:
    features, kind = torch.randn(30, 4), torch.arange(30) % 3
    found = deviations(features, kind, 5)
    for each in range(3):
        expected = features[kind == each].std(0, correction=0).expand(10, 4)
        torch.testing.assert_close(found[kind == each], expected, rtol=1e-3, atol=1e-3)


def test_the_diversity_term_falls_as_variety_nears_that_of_real_rows() -> None:
    label = torch.arange(40) % 2
    real = torch.randn(40, 1, 4, 4)
    terms = [float(diversity_loss(scale * real, real, label, LABELS)) for scale in (0.3, 0.7, 1.0, 1.6)]
    assert terms[0] > terms[1] > terms[2] and terms[3] > terms[2] == pytest.approx(0, abs=1e-9)
    assert float(diversity_loss(real[:1], real[:1], label[:1], LABELS)) == 0  # a single row says nothing of variety


def test_augmentation_shifts_cuts_and_leaves_gradients() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(16.0).expand(64, 1, 16, 16)
    moved = shifted(ramp)
    assert {round(float(row[0, 8, 8])) for row in moved} == {6, 7, 8, 9, 10}
    cut = (cut_out(torch.ones(256, 1, 16, 16), 0.5) == 0).float().mean((1, 2, 3))
    assert cut.max() == pytest.approx(0.25, abs=0.02) and cut.min() > 0.05
    image = torch.rand(8, 3, 16, 16, requires_grad=True)
    augmented(image, 1.0).sum().backward()
    assert image.grad.abs().sum() > 0
    kept = (augmented(image, 0.5) == image).flatten(1).all(1)
    assert augmented(image, 0.0) is image and 0 < kept.sum() < 8


def test_the_reconstruction_is_close_once_trained_and_the_latent_is_fitted_per_label() -> None:
    torch.manual_seed(0)
    label = torch.arange(200) % 2
    image = (label[:, None, None, None] * 1.2 - 0.6) * torch.ones(200, 1, 8, 8) * (0.6 + 0.4 * torch.rand(200, 1, 1, 1))
    batch = {"image": image, "label": label, "index": torch.arange(200), "progress": torch.tensor(1.0)}
    model = image_vae.build(image_vae.Config(latent=4), 1, 8, 8, 2)
    optimiser = torch.optim.Adam(model.autoencoder.parameters(), 3e-3)
    for _ in range(150):
        loss = model.phases()[0].module(batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (model.reconstruct(image, label) - image).square().mean() < 0.2 * image.var()
    before = model.sample(torch.randn(64, model.noise_width), label[:64])
    fit_sums(model, batch)
    after = model.sample(torch.randn(64, model.noise_width), label[:64])
    assert torch.isfinite(before).all()
    assert (after[1::2].mean() > 0.1) and (after[0::2].mean() < -0.1)


def test_interpolated_codes_lie_between_neighbours_of_one_label() -> None:
    model = build(image_interpolation, "standard", 1, 8, 8)
    batch = batch_of(60, 1, 8, 8)
    fit_sums(model, batch)
    codes = model.autoencoder.encode(batch["image"], batch["label"]).float()
    noise, label = noise_for(model)
    made = model._between(noise, label, 1.0)
    for code, kind in zip(made, label, strict=True):
        mine = codes[batch["label"] == kind]
        gaps = torch.cdist(code[None], mine)[0]
        pairs = gaps[:, None] + gaps[None] - torch.cdist(mine, mine)
        assert pairs.fill_diagonal_(9.0).min() < 1e-3  # on the line between two of them
    own = model._between(noise, label, 0.0)
    assert torch.cdist(own, codes).min(1).values.max() < 1e-3


def test_a_lone_row_and_a_missing_label_still_give_rows() -> None:
    model = build(image_interpolation, "standard", 1, 8, 8)
    batch = batch_of(60, 1, 8, 8)
    keep = (batch["label"] != 3) & ((batch["label"] != 4) | (batch["index"] == 4))
    fit_sums(model, {name: rows[keep] if rows.dim() else rows for name, rows in batch.items()})
    made = model.sample(*noise_for(model))
    assert torch.isfinite(made).all()

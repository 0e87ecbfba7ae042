"""What every neural generator of time series keeps: labels, known values, rows of their own, resumed trainings."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from typing import Any

import pytest
import torch
from torch import Tensor

from synth.fit import Settings, State, fit
from synth.models import SAMPLE_BLOCK, Measured, Trained
from synth.models.series_masks import drawn_known, parted
from synth.models.temporal import Reader, Writer, polynomials, waves
from synth.models.windows import Shape
from synth.series.fitting import SeriesRows

SMALL: dict[str, tuple[dict[str, Any], int]] = {  # options, steps
    "series_flow": ({"width": 64, "blocks": 2, "moments": 6, "batch_size": 64}, 250),
    "series_vae": ({"code": 8, "components": 8, "hidden": 64, "channels": 16, "learning_rate": 3e-3}, 250),
    "series_gan": ({"hidden": 64, "channels": 16, "critic_channels": 16, "learning_rate": 2e-3}, 300),
}
LENGTH, LABELS = 12, 2
FORM = Shape(LENGTH, 2, LABELS)
every_model = pytest.mark.parametrize("name", SMALL)


def windows(rows: int, seed: int = 0) -> dict[str, Tensor]:
    """Sines of any phase and ramps of any height, by label; the second channel is the first one's mirror image."""
    draw = torch.Generator().manual_seed(seed)
    label, place = torch.arange(rows) % LABELS, torch.linspace(0, 1, LENGTH)
    own = torch.rand(rows, 1, generator=draw)
    course = torch.where(
        label[:, None] == 0, (4 * torch.pi * (place + own / 2)).sin() * 1.4, 3 * place - 1.5 + own - 0.5
    )
    series = torch.stack([course, -course], 2) + 0.05 * torch.randn(rows, LENGTH, 2, generator=draw)
    return {"series": series, "label": label, "index": torch.arange(rows), "progress": torch.tensor(0.5)}


def built(name: str, shape: Shape = FORM, preset: str = "", **options: Any) -> Any:
    module = importlib.import_module(f"synth.models.{name}")
    torch.manual_seed(0)
    preset = preset or next(iter(module.PRESETS))
    return module.build(dataclasses.replace(module.PRESETS[preset], **options), shape)


def trained(name: str, steps: int, report: Any = lambda event: None, resume: State | None = None, **said: Any) -> Any:
    options, batch = {**SMALL[name][0], "batch_size": 64}, windows(300)

    def build(attempt: int) -> Any:
        model = built(name, **options)
        if isinstance(model, Measured):
            model.measure(batch["series"])
        return model

    settings = Settings(max_steps=steps, batch_size=64, **{"quality_every": steps, "held_out": 0.0, **said})
    rows = SeriesRows(batch["series"], batch["label"])
    return fit(build, rows, settings=settings, report=report, resume=resume).model


@functools.cache
def learnt(name: str) -> Any:
    return trained(name, SMALL[name][1])


def noise_for(model: Any, rows: int = SAMPLE_BLOCK) -> tuple[Tensor, Tensor]:
    return torch.randn(rows, model.noise_width, generator=torch.Generator().manual_seed(1)), torch.arange(rows) % LABELS


def without(series: Tensor, steps: slice, channels: slice = slice(None)) -> Tensor:
    holed = series.clone()
    holed[:, steps, channels] = torch.nan
    return holed


@every_model
def test_made_windows_tell_their_labels_and_vary_like_real_ones(name: str) -> None:
    model, real = learnt(name), windows(300, seed=3)
    made = model.sample(*noise_for(model, 200))
    nearest = torch.cdist(made.flatten(1), real["series"].flatten(1)).argmin(1)
    assert (real["label"][nearest] == torch.arange(200) % LABELS).float().mean() > 0.9
    for label in range(LABELS):
        ours, theirs = made[label::LABELS], real["series"][label::LABELS]
        assert 0.6 < float(ours.std(0).mean() / theirs.std(0).mean()) < 1.5
        assert (ours.sum(2)).abs().mean() < 0.5 * ours.abs().mean()  # channels mirror each other


@every_model
@pytest.mark.parametrize(
    "hole", [(slice(8, 12),), (slice(0, 4),), (slice(4, 8),), (slice(0, 12), slice(1, 2))], ids=str
)
def test_known_values_stay_and_the_others_follow_them(name: str, hole: tuple[slice, ...]) -> None:
    """A forecast, the past, what stands between, a channel: nearer the truth than what is made of nothing.

    Deviations of `series_vae` lean on what was before them, so that its past is told by the code alone.
    """
    model, real = learnt(name), windows(SAMPLE_BLOCK, seed=4)
    known = without(real["series"], *hole)
    noise, label = noise_for(model)
    filled, free = model.sample(noise, label, known=known), model.sample(noise, label)
    open_ = known.isnan()
    assert torch.equal(filled[~open_], real["series"][~open_])
    gaps = [(made - real["series"])[open_].square().mean() for made in (filled, free)]
    assert gaps[0] < (0.95 if name == "series_vae" and hole == (slice(0, 4),) else 0.6) * gaps[1]
    assert torch.equal(model.sample(noise, label, known=torch.full_like(known, torch.nan)), free)
    assert torch.equal(model.sample(noise, label, known=real["series"]), real["series"])


@every_model
def test_a_row_depends_on_its_own_arguments_alone(name: str) -> None:
    model = learnt(name).train()  # sampling must not look across rows whatever mode it finds
    noise, label = noise_for(model)
    known = without(windows(SAMPLE_BLOCK)["series"], slice(5, 12))
    made = model.sample(noise, label, known=known)
    kept = torch.arange(SAMPLE_BLOCK) % 7 == 3
    others = (torch.where(kept[:, None], noise, 0.0), torch.where(kept, label, 0))
    known = torch.where(kept[:, None, None], known, torch.nan)
    assert torch.equal(model.sample(*others, known=known)[kept], made[kept])
    assert torch.equal(model.sample(noise, label, temperature=0.5), model.sample(noise, label, temperature=0.5))
    model.eval()


@every_model
def test_lower_temperatures_vary_less_and_noise_and_label_matter(name: str) -> None:
    model = learnt(name)
    noise, label = noise_for(model)
    spreads = [[model.sample(noise, label, t)[code::2].std(0).mean() for code in range(LABELS)] for t in (0.1, 1.0)]
    assert all(low < 0.8 * high for low, high in zip(*spreads, strict=True))
    made = model.sample(noise, label)
    assert not torch.equal(model.sample(noise.flip(0), label), made)
    assert not torch.equal(model.sample(noise, 1 - label), made)


@every_model
def test_a_training_that_goes_on_ends_in_the_same_weights(name: str) -> None:
    states: list[State] = []
    whole = trained(name, 8, lambda event: states.append(event.state()), quality_every=2)
    half = next(state for state in states if state.meta["step"] == 4)
    ours, theirs = whole.state_dict(), trained(name, 8, resume=half, quality_every=2).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@every_model
@pytest.mark.parametrize("form", [(4, 1, 1), (5, 3, 2), (7, 2, 3), (24, 7, 1), (100, 1, 2), (192, 7, 4)], ids=str)
def test_every_form_takes_a_step_and_samples(name: str, form: tuple[int, int, int]) -> None:
    model = built(name, Shape(*form), preset="fast")
    assert isinstance(model, Trained)
    batch = {"series": torch.randn(6, *form[:2]), "label": torch.arange(6) % form[2], "index": torch.arange(6)}
    if isinstance(model, Measured):
        model.measure(batch["series"])
    owned = [{id(each) for each in phase.module.parameters()} for phase in model.phases()]
    assert sum(map(len, owned)) == len({id(each) for each in model.parameters()})
    for number, phase in enumerate(model.phases()):
        model.zero_grad(set_to_none=True)
        loss = phase.module({**batch, "progress": torch.tensor(0.5)})["loss"]
        loss.backward()
        assert torch.isfinite(loss) and loss.dim() == 0
        assert {id(each) for each in model.parameters() if each.grad is not None} == owned[number]
        assert all(torch.isfinite(each.grad).all() for each in phase.module.parameters())
    made = model.sample(torch.randn(3, model.noise_width), batch["label"][:3])
    assert made.shape == (3, *form[:2]) and made.dtype == torch.float32 and torch.isfinite(made).all()


@every_model
def test_windows_that_are_too_short_are_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} needs windows of at least"):
        built(name, Shape(1, 3, 1))


def test_components_are_those_of_most_variance_and_lose_nothing() -> None:
    """Against a singular value decomposition; what components leave out is told by its deviation."""
    series = windows(300)["series"] @ torch.tensor([[1.0, 0.3], [0.0, 2.0]])
    model = built("series_flow", components=24)
    model.measure(series)
    flat = series.flatten(1)
    _, sizes, axes = torch.linalg.svd((flat - flat.mean(0)).double(), full_matrices=False)
    assert torch.allclose(model.spread[:5].double().square(), sizes[:5] / 300**0.5, rtol=1e-3)
    assert torch.allclose((model.basis[:, :5].double() * axes[:5].T).sum(0).abs(), torch.ones(5).double(), atol=1e-3)
    assert torch.allclose(model.shown(model.seen(flat)), flat, atol=1e-4) and model.rest.max() < 1e-4
    few = built("series_flow", components=3)
    few.measure(series)
    left = (flat - few.shown(few.seen(flat))).std(0, correction=0)
    assert torch.allclose(few.rest, left, atol=1e-3)


def test_an_untaught_flow_makes_windows_of_the_measured_variances() -> None:
    """A Gaussian's velocity is exact: with a net that says nothing, noise comes out with the components' deviations."""
    model = built("series_flow", moments=32, width=16, blocks=1)
    series = windows(500)["series"]
    model.measure(series)
    noise, label = noise_for(model, 1500)
    made, real = model.sample(noise, label).flatten(1), series.flatten(1)
    gap = torch.cov(made.T) - torch.cov(real.T)
    assert gap.norm() < 0.1 * torch.cov(real.T).norm()


def test_what_is_known_is_a_past_a_future_spans_or_channels_and_never_all() -> None:
    torch.manual_seed(0)
    known = drawn_known(torch.zeros(4000, LENGTH, 3), nothing=0.5)
    some = known.flatten(1).any(1)
    assert 0.45 < some.float().mean() < 0.55 and not known.flatten(1).all(1).any()
    known = known[some]
    whole = (known.all(2) | ~known.any(2)).all(1)  # of all channels alike
    starts, ends = whole & known[:, 0, 0] & ~known[:, -1, 0], whole & ~known[:, 0, 0] & known[:, -1, 0]
    between = known[:, 0].any(1) & known[:, -1].any(1) & (known.float().mean((1, 2)) < 1)
    columns = (known.all(1) | ~known.any(1)).all(1)
    assert all(0.1 < kind.float().mean() < 0.7 for kind in (starts, ends, between, columns))
    assert not drawn_known(torch.zeros(500, 1, 1), nothing=0.0).all()


def test_what_is_not_known_is_nothing() -> None:
    known = torch.tensor([[[1.0], [torch.nan]]])
    told, there = parted(known, torch.zeros(1, 2, 1))
    assert told.tolist() == [[[1.0], [0.0]]] and there.tolist() == [[[True], [False]]]


def test_deviations_are_drawn_by_the_rule_that_they_are_learnt_by() -> None:
    """What a window strays by, put in as noise, makes the window again: with nothing known, or some of it."""
    model = built("series_vae", **SMALL["series_vae"][0])
    for weights in (model.before, model.beside):
        weights.data = 0.3 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(2))
    apart = torch.randn(5, LENGTH, 2)
    for share in (0.0, 0.4):
        there = torch.rand(apart.shape) < share
        again = model._going_on(model.strayed(apart), torch.where(there, apart, 0.0), there)
        assert torch.allclose(again, apart, atol=1e-4)


def test_an_autoencoder_begins_half_way_to_how_windows_lean_on_their_past() -> None:
    """Least squares find the rule that windows were made by; what half of it leaves is as large as it is told to be."""
    draw = torch.Generator().manual_seed(3)
    leaning, sizes = torch.tensor([[0.8, 0.3], [0.0, 0.5]]), torch.tensor([0.2, 0.6])
    steps = [torch.randn(2000, 2, generator=draw)]
    for _ in range(LENGTH - 1):
        steps.append(steps[-1] @ leaning + torch.randn(2000, 2, generator=draw) * sizes)
    series = torch.stack(steps, 1) + 3.0
    model = built("series_vae")
    model.measure(series)
    assert torch.allclose(model.before[0], leaning / 2, atol=0.05) and model.before[1:].abs().max() < 0.05
    assert (model.decoder.mean - 3).abs().max() < 0.1
    left = model.strayed(series - series.mean(0)).square().mean(0).sqrt()
    assert torch.allclose(model.decoder.usual.exp(), left, atol=1e-3)


@pytest.mark.parametrize("length", [1, 5, 6, 7, 13, 24, 200])
def test_readers_and_writers_take_any_length(length: int) -> None:
    assert Reader(3, length, 8, 10)(torch.randn(2, 3, length)).shape == (2, 10)
    assert Writer(10, 3, length, 8)(torch.randn(2, 10)).shape == (2, 3, length)


def test_polynomials_and_waves_are_apart_from_each_other() -> None:
    for rows in (polynomials(400, 4), waves(400, 3)):
        products = rows @ rows.T
        off = products - products.diag().diag()
        assert off.abs().max() < 0.02 * products.diag().min()

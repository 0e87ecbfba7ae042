"""Properties of mixtures: sums that merge, a likelihood that grows, rows of their own label."""

from __future__ import annotations

import itertools

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from synth.models import SumsFitted, image_mixture
from synth.models.gaussian_mixture import GaussianMixture, MixtureConfig, k_means
from synth.models.image_mixture import ImageMixture, movements

Batch = dict[str, Tensor]


def digits(rows: int) -> Batch:
    images, labels = load_digits(return_X_y=True)
    image = torch.tensor(images[:rows] / 8 - 1, dtype=torch.float32).view(-1, 1, 8, 8)
    return {"image": image, "label": torch.tensor(labels[:rows]), "index": torch.arange(rows)}


def part(batch: Batch, chosen: slice) -> Batch:
    return {name: rows[chosen] for name, rows in batch.items()}


def fitted(batch: Batch, splits: tuple[int, ...] = (), **options: float) -> ImageMixture:
    model = image_mixture.build(image_mixture.Config(**options), 1, 8, 8, 10)
    cuts = [0, *splits, len(batch["label"])]
    for _ in range(40):
        parts = [model.accumulate(part(batch, slice(a, b))) for a, b in itertools.pairwise(cuts)]
        if model.update({name: sum(each[name] for each in parts) for name in parts[0]}):
            return model
    raise AssertionError("the fit did not converge")


def test_sums_over_parts_add_up_to_the_sums_over_all_rows() -> None:
    batch, model = digits(400), image_mixture.build(image_mixture.Config(components_per_label=5), 1, 8, 8, 10)
    for _ in range(8):
        whole = model.accumulate(batch)
        parts = [model.accumulate(part(batch, slice(a, b))) for a, b in ((250, 400), (0, 7), (7, 250))]
        for name, value in whole.items():
            assert value.dtype == torch.float64
            torch.testing.assert_close(sum(each[name] for each in parts), value, rtol=1e-9, atol=1e-9)
        model.update(whole)


def test_the_fit_is_the_same_however_rows_are_split() -> None:
    few = {"principal_components": 16, "components_per_label": 5}  # later components are hardly determined
    one, many = fitted(digits(500), **few), fitted(digits(500), (100, 101, 350), **few)
    for (name, a), b in zip(one.state_dict().items(), many.state_dict().values(), strict=True):
        if name != "search":  # directions within the discarded part of the subspace are not determined
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_the_likelihood_never_falls_without_a_prior() -> None:
    """EM's guarantee (Dempster, Laird, Rubin 1977, theorem 1)."""
    torch.manual_seed(0)
    label = torch.arange(600) % 3
    rows = torch.randn(600, 4, dtype=torch.float64) * torch.rand(600, 1) + 3 * torch.randn(3, 4)[label]
    mixture = GaussianMixture(MixtureConfig(4, detail=1.0, prior_rows=0.0, max_rounds=25, tolerance=0.0), 3, 4)
    index, found = torch.arange(600), []
    while not mixture.update(mixture.accumulate(rows, label, index)):
        found.append(float(mixture.log_likelihood))
    assert len(found) > 5
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(found[1:]))
    assert found[-1] > found[1]


def test_a_mixture_of_one_component_is_the_mean_and_covariance_of_its_label() -> None:
    torch.manual_seed(0)
    label = torch.arange(500) % 2
    rows = torch.randn(500, 3, dtype=torch.float64) @ torch.randn(3, 3, dtype=torch.float64) + label[:, None]
    mixture = GaussianMixture(MixtureConfig(1, prior_rows=0.0), 2, 3)
    while not mixture.update(mixture.accumulate(rows, label, torch.arange(500))):
        pass
    for each in range(2):
        mine = rows[label == each]
        factor = mixture.factors[each, 0]
        torch.testing.assert_close(mixture.means[each, 0], mine.mean(0))
        torch.testing.assert_close(factor @ factor.T, torch.cov(mine.T, correction=0))


def test_components_are_drawn_as_often_as_they_weigh() -> None:
    mixture = GaussianMixture(MixtureConfig(3), 2, 1)
    mixture.sizes[1] = torch.tensor([6.0, 0.0, 2.0])
    mixture.means[1, :, 0] = torch.tensor([-100.0, 5000.0, 100.0])
    noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    drawn = mixture.draw(noise, torch.ones(4000, dtype=torch.int64))[:, 0]
    assert drawn.max() < 1000
    assert (drawn < 0).double().mean() == pytest.approx(0.75, abs=0.02)
    extreme = mixture.draw(torch.tensor([[-40.0, 0.0], [40.0, 0.0]]), torch.ones(2, dtype=torch.int64))
    assert extreme.tolist() == [[-100.0], [100.0]]


def test_principal_components_are_those_of_an_exact_decomposition() -> None:
    batch = digits(1000)
    model = fitted(batch, principal_components=8)
    rows = batch["image"].flatten(1).double()
    exact = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:8]
    overlap = torch.linalg.svdvals(exact @ model.basis)
    assert overlap.min() > 0.99
    torch.testing.assert_close(model.basis.T @ model.basis, torch.eye(8, dtype=torch.float64))


@pytest.mark.parametrize("rows", [30, 100, 1500])
def test_rows_look_like_their_label(rows: int) -> None:
    batch, others = digits(rows), part(digits(1797), slice(1500, 1797))
    model = fitted(batch)
    assert isinstance(model, SumsFitted)
    label = torch.arange(500) % 10
    made = model.sample(torch.randn(500, model.noise_width, generator=torch.Generator().manual_seed(0)), label)
    assert made.dtype == torch.float32 and made.abs().max() <= 1

    def right(image: Tensor, label: Tensor) -> float:
        """How often the nearest of these rows has the label of a row that nobody saw."""
        nearest = torch.cdist(others["image"].flatten(1), image.flatten(1)).argmin(1)
        return float((label[nearest] == others["label"]).double().mean())

    real = right(batch["image"], batch["label"])
    assert right(made, label) > (real if rows <= 100 else real - 0.04)


def test_a_label_without_rows_and_one_too_rare_for_the_candidates_do_no_harm() -> None:
    batch = digits(300)
    batch = {name: rows[batch["label"] != 4] for name, rows in batch.items()}
    order = (batch["label"] == 7).long().argsort(stable=True)
    batch = {name: rows[order] for name, rows in batch.items()}
    batch["index"] = torch.arange(len(order))
    model = fitted(batch, candidates=100)
    made = model.sample(torch.randn(20, model.noise_width), torch.tensor([4, 7] * 10))
    assert torch.isfinite(made).all()
    seven = batch["image"][batch["label"] == 7].mean(0)
    assert (made[1::2].mean(0) - seven).abs().mean() < (made[0::2].mean(0) - seven).abs().mean()


def test_temperature_zero_leaves_the_components_means() -> None:
    model = fitted(digits(200))
    noise = torch.randn(50, model.noise_width, generator=torch.Generator().manual_seed(0))
    made = model.sample(noise, torch.zeros(50, dtype=torch.int64), temperature=0.0)
    parts = int((model.mixture.sizes[0] > 0).sum())
    assert 1 < len(made.flatten(1).mul(1000).round().unique(dim=0)) <= parts


def test_movements_are_the_changes_that_small_moves_make() -> None:
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    centre, small = 7.5, 0.01

    def blob(dy: float, dx: float, angle: float, scale: float) -> Tensor:
        down, right = (y - centre - dy) / scale, (x - centre - dx) / scale
        a, c, s = torch.tensor(angle), 0.0, 0.0
        c, s = float(a.cos()), float(a.sin())
        return torch.exp(-(((c * down + s * right) / 3) ** 2) - (((c * right - s * down) / 5) ** 2))[None].double()

    def change(**to: float) -> Tensor:
        rest = {"dy": 0.0, "dx": 0.0, "angle": 0.0, "scale": 1.0}
        less = {name: 2 * rest[name] - value for name, value in to.items()}
        return (blob(**rest | to) - blob(**rest | less)) / 2

    moves = movements(blob(0, 0, 0, 1), shift_fraction=small / 16, turn_fraction=small)
    for move, moved in zip(
        moves, [change(dy=small), change(dx=small), change(angle=small), change(scale=1 + small)], strict=False
    ):
        likeness = torch.nn.functional.cosine_similarity(move.flatten(), moved.flatten(), dim=0).abs()
        assert likeness > 0.98
        assert move.norm() == pytest.approx(float(moved.norm()), rel=0.1)


def test_k_means_is_repeatable_and_finds_separate_clusters() -> None:
    generator = torch.Generator().manual_seed(1)
    centres = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]], dtype=torch.float64)
    rows = centres.repeat(20, 1) + torch.randn(60, 2, generator=generator, dtype=torch.float64)
    means, near = k_means(rows, 3)
    assert torch.equal(k_means(rows, 3)[0], means)
    assert torch.cdist(centres, means).min(1).values.max() < 2
    assert all(len(near[kind::3].unique()) == 1 for kind in range(3))

"""The mixture of windows: fitted by sums in any split, and exact where some of a window is known."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import multivariate_normal

from synth.models import series_mixture
from synth.models.series_mixture import Config, SeriesMixture
from synth.models.windows import Shape


def waves(count: int, steps: int = 8, channels: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Waves of two labels, one twice as fast as the other."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, count)
    phase = random.uniform(0, 2 * np.pi, (count, 1, channels))
    wave = np.sin(np.arange(steps)[None, :, None] * (0.5 + label[:, None, None]) + phase) * 1.3
    return torch.from_numpy((wave + 0.2 * random.normal(size=wave.shape)).astype(np.float32)), torch.from_numpy(label)


def fitted(
    windows: torch.Tensor, label: torch.Tensor, parts: tuple[int, ...] = (0,), **options: float
) -> SeriesMixture:
    """A mixture of these windows, whose sums are added up part by part, from the places `parts` on."""
    rows = tuple(torch.bincount(label, minlength=2).tolist())
    model = series_mixture.build(Config(**options), Shape(*windows.shape[1:], 2, rows))  # type: ignore[arg-type]
    ends = [*parts[1:], len(windows)]
    for _ in range(20):
        total: dict[str, torch.Tensor] = {}
        for start, stop in zip(parts, ends, strict=True):
            index = torch.arange(start, stop)
            sums = model.accumulate({"series": windows[index], "label": label[index], "index": index})
            total = {name: total.get(name, 0) + value for name, value in sums.items()}
        if model.update(total):
            return model
    raise AssertionError("it did not end")


def drawn(model: SeriesMixture, label: torch.Tensor, known: torch.Tensor | None = None, seed: int = 1) -> torch.Tensor:
    noise = torch.randn(len(label), model.noise_width, generator=torch.Generator().manual_seed(seed))
    return model.sample(noise, label, known=known)


def test_workers_add_up_to_the_same_mixture() -> None:
    windows, label = waves(600)
    one, many = fitted(windows, label), fitted(windows, label, (0, 130, 131, 400))
    noise_label = torch.tensor([0, 1] * 50)
    assert torch.allclose(drawn(one, noise_label), drawn(many, noise_label), atol=1e-5)


def test_made_windows_have_the_means_and_covariances_of_their_label() -> None:
    windows, label = waves(3000)
    model = fitted(windows, label)
    assert len(model.sizes) == 150
    for each in (0, 1):
        real = windows[label == each].flatten(1).double()
        made = drawn(model, torch.full((6000,), each)).flatten(1).double()
        assert (real.mean(0) - made.mean(0)).abs().max() < 0.1
        assert (torch.cov(real.T) - torch.cov(made.T)).abs().max() < 0.12


def test_windows_wider_than_the_components_keep_their_variance() -> None:
    windows, label = waves(400, steps=20)
    model = fitted(windows, label, principal_components=10)
    made = drawn(model, label)
    assert model.means.shape[1] == 10
    assert abs(float(made.var() / windows.var()) - 1) < 0.1
    assert abs(float(made.diff(dim=1).var() / windows.diff(dim=1).var()) - 1) < 0.1


def test_sudden_moves_of_a_calm_channel_stay_sudden() -> None:
    """A channel that jumps once, at any step, beside two whose levels say most of a window and nothing of the jump: of
    real rises one in each window stands far out of the others (kurtosis 13); of a smeared jump's, none (3).
    """
    random, count, steps = np.random.default_rng(0), 2000, 16
    levels = 2 * random.normal(size=(count, 1, 2)) + 0.1 * random.normal(size=(count, steps, 2))
    jumps = np.arange(steps) >= random.integers(1, steps, (count, 1))
    jumps = jumps[:, :, None] + 0.02 * random.normal(size=(count, steps, 1))
    windows = torch.from_numpy(np.concatenate([levels, jumps], 2).astype(np.float32))
    label = torch.zeros(count, dtype=torch.int64)

    def kurtosis(some: torch.Tensor) -> float:
        rises = some[:, :, 2].diff(dim=1)
        rises = rises - rises.mean(1, keepdim=True)
        return float((rises.pow(4).mean(1) / rises.var(1, correction=0).square()).median())

    made = drawn(fitted(windows, label), label)
    assert 0.6 * kurtosis(windows) < kurtosis(made) < 1.2 * kurtosis(windows)


def test_what_is_known_decides_as_the_theory_of_normal_distributions_says() -> None:
    """Against scipy's densities and the textbook's conditional mean and covariance, in the space of values."""
    windows, label = waves(300, steps=5, channels=1)
    model = fitted(windows, label, rows_each=60.0, principal_components=3)
    known = windows[7].clone()
    known[2:4] = torch.nan
    there = ~known.flatten().isnan().numpy()
    count = 40_000
    made = drawn(model, label[7].repeat(count), known.expand(count, -1, -1)).flatten(1).double().numpy()
    mean = np.zeros(2)
    second, weights = np.zeros((2, 2)), []
    parts = torch.nonzero(model.owner == label[7])[:, 0].tolist()
    told = []
    for part in parts:
        factor = model.triangles(model.factors[part]).double().numpy()
        basis = model.basis.numpy()
        rest = np.diag((model.rest.numpy() * float(model.rest_scale[part])) ** 2)
        centre = model.centre.numpy() + basis @ model.means[part].numpy()
        cov = basis @ factor @ factor.T @ basis.T + rest
        a, b = there, ~there
        row = known.flatten().double().numpy()[a]
        weights.append(float(model.sizes[part]) * multivariate_normal.pdf(row, centre[a], cov[np.ix_(a, a)]))
        gain = cov[np.ix_(b, a)] @ np.linalg.inv(cov[np.ix_(a, a)])
        told.append((centre[b] + gain @ (row - centre[a]), cov[np.ix_(b, b)] - gain @ cov[np.ix_(a, b)]))
    share = np.array(weights) / np.sum(weights)
    for weight, (middle, spread) in zip(share, told, strict=True):
        mean += weight * middle
        second += weight * (spread + np.outer(middle, middle))
    assert len(parts) > 1
    assert np.abs(made[:, ~there].mean(0) - mean).max() < 0.01
    assert np.abs(np.cov(made[:, ~there].T) - (second - np.outer(mean, mean))).max() < 0.01
    assert np.array_equal(made[:, there], np.repeat(known.flatten().double().numpy()[there][None], count, 0))


def test_a_row_is_worked_out_by_itself() -> None:
    """Whatever rows stand beside it, known or not, and in whatever order."""
    windows, label = waves(200)
    model = fitted(windows, label)
    known = windows[:40].clone()
    known[::3, 4:], known[1::3, 2:5, 0] = torch.nan, torch.nan
    known[2::3] = torch.nan
    whole = drawn(model, label[:40], known)
    noise = torch.randn(40, model.noise_width, generator=torch.Generator().manual_seed(1))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    mixed = model.sample(noise[order], label[:40][order], known=known[order])
    assert torch.equal(mixed, whole[order])


def test_a_single_row_a_label_is_enough() -> None:
    windows, _ = waves(2)
    made = drawn(fitted(windows, torch.tensor([0, 1])), torch.tensor([0, 1] * 5))
    assert bool(made.isfinite().all())

"""A Gaussian mixture per label over principal components: the baseline that the others must beat.

Fitted by sums alone, in seconds on a CPU, in these rounds:
1. `subspace`: principal components of all rows by subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4),
   whose sums are pixels x components, so that 128 px images fit too;
2. `candidates`: the coordinates of the first rows, from which every worker picks the same first means by k-means++
   (Arthur, Vassilvitskii 2007) and a few rounds of k-means;
3. `expectation`: EM (Dempster, Laird, Rubin 1977). Covariances are posterior modes under an inverse Wishart prior (Fraley,
   Raftery 2007) around what the components of all labels have in common, so that ten rows a label are enough.
   At the end small components gain what their few rows cannot have shown: small moves of their mean, as directions
   of variance (Hinton, Dayan, Revow 1997; the tangents of Simard et al. 1998).

Everything is float64: in float32 covariances stop being positive definite. Given up: what lies outside the principal
components, so rows look a little smooth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth.models import Batch, Sums

SUBSPACE_ROUNDS = 4  # passes over the rows; MNIST's leading variances are then within 0.1 % of exact
OVERSAMPLING = 10  # extra columns in subspace iteration (Halko et al. 2011, §1.3)
KMEANS_ROUNDS = 10
NEGLIGIBLE_SHARE = 1e-9  # of a row in a component: left out of its covariance, where it would cost most of the time


@dataclass(frozen=True)
class Config:
    """What the mixture may hold and how far its covariances lean on what all labels share."""

    principal_components: int = 80
    components_per_label: int = 40  # at most
    detail: float = 2.0  # a label of n rows gets detail x √n components, and at least one
    prior_rows: float = 3.0  # the prior weighs as much as so many rows of a component
    diagonal_rows: float = 30.0  # and within the prior, so many rows speak for uncorrelated coordinates
    unseen_rows: float = 12.0  # a component of n rows is widened by unseen_rows / (n + unseen_rows) of the moves below
    shift_fraction: float = 0.03  # standard deviation of shifts, of the height
    turn_fraction: float = 0.1  # of turns (radians), scalings and shears
    max_rounds: int = 8  # of EM
    tolerance: float = 0.01  # converged when the log likelihood per row grows by less
    candidates: int = 8192  # rows among which first means are picked


PRESETS = {"standard": Config()}


def build(config: Config, channels: int, height: int, width: int, labels: int) -> ImageMixture:
    """Make an unfitted mixture for images of this size."""
    return ImageMixture(config, (channels, height, width), labels)


class ImageMixture(nn.Module):
    """See the module; all state is in buffers, whose shapes depend on the config and image size alone."""

    def __init__(self, config: Config, shape: tuple[int, int, int], labels: int) -> None:
        super().__init__()
        self.config, self.shape, self.labels = config, shape, labels
        pixels = math.prod(shape)
        width = min(config.principal_components, pixels)
        search = min(width + OVERSAMPLING, pixels)
        parts = config.components_per_label
        self.noise_width = 1 + width
        start = torch.randn(pixels, search, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        self._buffer("round", torch.zeros((), dtype=torch.int64))
        self._buffer("search", torch.linalg.qr(start)[0])  # (D, width + oversampling), orthonormal
        self._buffer("centre", torch.zeros(pixels))  # mean of all rows
        self._buffer("basis", torch.zeros(pixels, width))  # (D, P)
        self._buffer("sizes", torch.zeros(labels, parts))  # rows that each component stands for; 0 = not in use
        self._buffer("means", torch.zeros(labels, parts, width))
        self._buffer("factors", torch.zeros(labels, parts, width, width))  # Cholesky factors of the covariances
        self._buffer("prior", torch.zeros(width, width))
        self._buffer("log_likelihood", torch.full((), -math.inf))  # per row, of the last round

    def _buffer(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.double() if value.is_floating_point() else value)

    def accumulate(self, batch: Batch) -> Sums:
        """Sum what the present round needs."""
        rows = batch["image"].flatten(1).double()
        if self.round < SUBSPACE_ROUNDS:
            return self._accumulate_subspace(rows)
        coordinates = (rows - self.centre) @ self.basis
        if self.round == SUBSPACE_ROUNDS:
            return self._accumulate_candidates(coordinates, batch["label"], batch["index"])
        return self._accumulate_expectation(coordinates, batch["label"])

    def update(self, sums: Sums) -> bool:
        """Finish the present round."""
        if self.round < SUBSPACE_ROUNDS:
            self._update_subspace(sums)
        elif self.round == SUBSPACE_ROUNDS:
            self._update_candidates(sums)
        else:
            return self._update_expectation(sums)
        self.round += 1
        return False

    # 1. principal components

    def _accumulate_subspace(self, rows: Tensor) -> Sums:
        seen = rows @ self.search
        return {
            "rows": torch.tensor(float(len(rows)), dtype=torch.float64),
            "pixels": rows.sum(0),
            "products": rows.T @ seen,  # (D, search): of the uncentred second moment with the search directions
        }

    def _update_subspace(self, sums: Sums) -> None:
        self.centre.copy_(sums["pixels"] / sums["rows"])
        product = sums["products"] / sums["rows"] - torch.outer(self.centre, self.centre @ self.search)
        if self.round == SUBSPACE_ROUNDS - 1:  # rotate to principal axes within the subspace (Rayleigh, Ritz)
            variances, axes = torch.linalg.eigh(self.search.T @ product)
            largest = variances.argsort(descending=True)[: self.basis.shape[1]]
            self.basis.copy_(self.search @ axes[:, largest])
        self.search.copy_(torch.linalg.qr(product)[0])

    # 2. first means

    def _accumulate_candidates(self, coordinates: Tensor, label: Tensor, index: Tensor) -> Sums:
        """Write each early row into its own slot of a table: what is zero elsewhere adds up to the whole table."""
        early = index < self.config.candidates
        table = coordinates.new_zeros(self.config.candidates, 1 + coordinates.shape[1])
        table[index[early], 0] = label[early].double() + 1  # 0 = empty slot
        table[index[early], 1:] = coordinates[early]
        return {"table": table, "label_rows": one_hot(label, self.labels).sum(0)}

    def _update_candidates(self, sums: Sums) -> None:
        label, table = sums["table"][:, 0].long() - 1, sums["table"][:, 1:]
        deviations = []
        for each in range(self.labels):
            rows = table[label == each]
            if len(rows) == 0:
                continue
            parts = self._parts(float(sums["label_rows"][each]), len(rows))
            means, nearest = k_means(rows, parts)
            self.means[each, :parts] = means
            self.sizes[each, :parts] = torch.bincount(nearest, minlength=parts).double()
            deviations.append(rows - means[nearest])
        spread = torch.cat(deviations)
        self.prior.copy_(lean_to_diagonal(spread.T @ spread, len(spread), self.config.diagonal_rows))
        self.factors.copy_(torch.linalg.cholesky(self.prior).expand_as(self.factors))

    def _parts(self, rows: float, candidates: int) -> int:
        wanted = round(self.config.detail * rows**0.5)
        return max(1, min(wanted, self.config.components_per_label, candidates))

    # 3. expectation and maximisation

    def _accumulate_expectation(self, coordinates: Tensor, label: Tensor) -> Sums:
        sums = {
            "log_likelihood": self.log_likelihood.new_zeros(2),  # total, rows
            "responsibility": torch.zeros_like(self.sizes),
            "first": torch.zeros_like(self.means),
            "second": torch.zeros_like(self.factors),
        }
        for each in range(self.labels):
            rows, used = coordinates[label == each], self.sizes[each] > 0
            if len(rows) == 0:
                continue
            joint = self._log_joint(rows, each, used)  # (rows, used)
            total = joint.logsumexp(1, keepdim=True)
            share = (joint - total).exp()
            sums["log_likelihood"] += torch.stack([total.sum(), total.new_tensor(float(len(rows)))])
            sums["responsibility"][each, used] = share.sum(0)
            sums["first"][each, used] = share.T @ rows
            sums["second"][each, used] = second_moments(share, rows)
        return sums

    def _log_joint(self, rows: Tensor, label: int, used: Tensor) -> Tensor:
        """Log of weight times Gaussian density of each row under each component in use."""
        factors, means = self.factors[label, used], self.means[label, used]
        whiten = torch.linalg.inv(factors).mT  # (K, P, P): covariance = inverse of whiten @ whiten.T
        distance = torch.stack([((rows - m) @ w).square().sum(1) for m, w in zip(means, whiten, strict=True)], 1)
        log_scale = factors.diagonal(dim1=1, dim2=2).log().sum(1)
        log_weight = (self.sizes[label, used] / self.sizes[label].sum()).log()
        return log_weight - log_scale - 0.5 * (distance + rows.shape[1] * math.log(2 * math.pi))

    def _update_expectation(self, sums: Sums) -> bool:
        total, rows = sums["log_likelihood"]
        gained = total / rows - self.log_likelihood
        self.log_likelihood.copy_(total / rows)
        self.sizes.copy_(sums["responsibility"])
        used = self.sizes > 1e-6
        size = self.sizes.clamp_min(1e-6)[..., None]
        self.means[used] = (sums["first"] / size)[used]
        scatter = sums["second"] - size[..., None] * self.means[..., None] * self.means[..., None, :]
        weight = self.config.prior_rows
        covariance = (scatter + weight * self.prior) / (size[..., None] + weight)
        self.factors[used] = torch.linalg.cholesky(covariance[used])
        self.round += 1
        rounds = int(self.round) - SUBSPACE_ROUNDS - 1
        converged = bool(rounds >= self.config.max_rounds or 0 <= gained < self.config.tolerance)
        if converged:
            self._widen()
        return converged

    def _widen(self) -> None:
        """Add to each component what its few rows cannot have shown: a wider spread, and small movements of its mean."""
        share = self.config.unseen_rows / (self.sizes + self.config.unseen_rows)
        for label, part in (self.sizes > 1e-6).nonzero().tolist():
            mean = (self.basis @ self.means[label, part] + self.centre).view(self.shape)
            moves = movements(mean, self.config.shift_fraction, self.config.turn_fraction).flatten(1) @ self.basis
            factor, unseen = self.factors[label, part], share[label, part]
            covariance = (1 + unseen) * factor @ factor.T + unseen * moves.T @ moves
            self.factors[label, part] = torch.linalg.cholesky(covariance)

    @torch.no_grad()
    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """The first column of noise picks the component by inverse CDF, the others are the Gaussian draw."""
        uniform = torch.special.ndtr(noise[:, :1].double())
        reached = self.sizes[condition].cumsum(1)
        last = (self.sizes[condition] > 0).double().cumsum(1).argmax(1)  # rounding must not choose an empty component
        part = torch.minimum((reached <= uniform * reached[:, -1:]).sum(1), last)
        draw = torch.einsum("nij,nj->ni", self.factors[condition, part], temperature * noise[:, 1:].double())
        rows = (self.means[condition, part] + draw) @ self.basis.T + self.centre
        return rows.clamp(-1, 1).float().view(-1, *self.shape)


def one_hot(label: Tensor, labels: int) -> Tensor:
    return nn.functional.one_hot(label, labels).double()


def second_moments(share: Tensor, rows: Tensor) -> Tensor:
    """Sum the outer products of rows (N, P), weighted by each component's share (N, K): (K, P, P)."""
    sums = []
    for weight in share.T:
        near = weight > NEGLIGIBLE_SHARE
        sums.append((rows[near] * weight[near, None]).T @ rows[near])
    return torch.stack(sums)


def movements(image: Tensor, shift_fraction: float, turn_fraction: float) -> Tensor:
    """Changes of an image (C, H, W) under small movements (6, C, H, W), its tangents (Simard et al. 1998).

    Two shifts by that share of the height; rotation, scaling and two shears by that angle or share.
    """
    height, width = image.shape[1:]
    padded = nn.functional.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2  # per pixel
    right = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    y = (torch.arange(height, dtype=image.dtype) - (height - 1) / 2)[:, None]
    x = (torch.arange(width, dtype=image.dtype) - (width - 1) / 2)[None]
    shifts = torch.stack([down, right]) * shift_fraction * height
    turns = torch.stack([x * down - y * right, y * down + x * right, x * down + y * right, y * down - x * right])
    return torch.cat([shifts, turns * turn_fraction])


def lean_to_diagonal(scatter: Tensor, rows: int, diagonal_rows: float) -> Tensor:
    """Covariance of `rows` deviations whose correlations shrink as if `diagonal_rows` rows without any were added."""
    covariance = scatter / max(rows, 1)
    share = diagonal_rows / (rows + diagonal_rows)
    variances = covariance.diagonal()
    floor = 1e-3 * variances.mean() + 1e-9
    return (1 - share) * covariance + torch.diag(share * variances + floor)


def k_means(rows: Tensor, parts: int) -> tuple[Tensor, Tensor]:
    """Means (parts, P) and each row's nearest one; k-means++ with a fixed draw, then Lloyd's rounds."""
    generator = torch.Generator().manual_seed(0)
    means = rows[torch.randint(len(rows), (1,), generator=generator)]
    for _ in range(parts - 1):
        gap = torch.cdist(rows, means).square().min(1).values
        far = (gap.cumsum(0) < torch.rand((), generator=generator, dtype=rows.dtype) * gap.sum()).sum()
        means = torch.cat([means, rows[far.clamp_max(len(rows) - 1)][None]])
    nearest = torch.cdist(rows, means).argmin(1)
    for _ in range(KMEANS_ROUNDS):
        member = one_hot(nearest, parts)
        size = member.sum(0)[:, None]
        means = torch.where(size > 0, member.T @ rows / size.clamp_min(1), means)
        nearest = torch.cdist(rows, means).argmin(1)
    return means, nearest

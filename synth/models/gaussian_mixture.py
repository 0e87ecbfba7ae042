"""Gaussian mixtures, one per label, fitted by sums: of principal components (`image_mixture`) or codes (`image_vae`).

Two kinds of rounds:
1. `candidates`: the coordinates of the first rows, from which every worker picks the same first means by k-means++
   (Arthur, Vassilvitskii 2007) and a few rounds of k-means;
2. EM (Dempster, Laird, Rubin 1977). Covariances are posterior modes under an inverse Wishart prior (Fraley, Raftery
   2007) around what the components of all labels have in common, so that ten rows a label are enough.

Everything is float64: in float32 covariances stop being positive definite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth.models import Sums

KMEANS_ROUNDS = 10
IN_USE = 1e-6  # rows: a component that stands for fewer is not drawn from
NEGLIGIBLE_SHARE = 1e-9  # of a row in a component: left out of its covariance, where it would cost most of the time


@dataclass(frozen=True)
class MixtureConfig:
    """What the mixtures may hold, and how far their covariances lean on what all labels share."""

    components_per_label: int = 40  # at most
    detail: float = 2.0  # a label of n rows gets detail x √n components, and at least one
    prior_rows: float = 3.0  # the prior weighs as much as so many rows of a component
    diagonal_rows: float = 30.0  # and within the prior, so many rows speak for uncorrelated coordinates
    max_rounds: int = 8  # of EM
    tolerance: float = 0.01  # converged when the log likelihood per row grows by less
    candidates: int = 8192  # rows among which first means are picked


class GaussianMixture(nn.Module):
    """Mixtures over coordinates (N, P); before it is fitted, N(0, I). Buffers' shapes depend on the config alone."""

    round: Tensor
    sizes: Tensor
    means: Tensor
    factors: Tensor
    prior: Tensor
    log_likelihood: Tensor

    def __init__(self, config: MixtureConfig, labels: int, width: int) -> None:
        super().__init__()
        self.config, self.labels, self.width = config, labels, width
        self.noise_width = 1 + width
        parts = config.components_per_label
        self.register_buffer("round", torch.zeros((), dtype=torch.int64))
        self._buffer("sizes", torch.zeros(labels, parts))  # rows that each component stands for; 0 = not in use
        self._buffer("means", torch.zeros(labels, parts, width))
        self._buffer("factors", torch.eye(width).repeat(labels, parts, 1, 1))  # Cholesky factors of the covariances
        self._buffer("prior", torch.eye(width))
        self._buffer("log_likelihood", torch.full((), -math.inf))  # per row, of the last round
        self.sizes[:, 0] = 1

    def _buffer(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.double())

    def accumulate(self, coordinates: Tensor, label: Tensor, index: Tensor) -> Sums:
        """Sum what the present round needs."""
        if self.round == 0:
            return self._accumulate_candidates(coordinates, label, index)
        return self._accumulate_expectation(coordinates, label)

    def update(self, sums: Sums) -> bool:
        """Finish the present round; true when EM has converged."""
        self.round += 1
        if self.round == 1:
            self._update_candidates(sums)
            return False
        return self._update_expectation(sums)

    @torch.no_grad()
    def draw(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Coordinates (N, P) float64: the first column of noise picks the component by inverse CDF."""
        uniform = torch.special.ndtr(noise[:, :1].double())
        reached = self.sizes[condition].cumsum(1)
        last = (self.sizes[condition] > IN_USE).double().cumsum(1).argmax(1)  # rounding must not reach an empty one
        part = torch.minimum((reached <= uniform * reached[:, -1:]).sum(1), last)
        draw = torch.einsum("nij,nj->ni", self.factors[condition, part], temperature * noise[:, 1:].double())
        return self.means[condition, part] + draw

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
        self.sizes.zero_()
        for each in range(self.labels):
            rows = table[label == each]
            if len(rows) == 0:  # too rare to be among the candidates: begin with one component over all labels
                self.means[each, 0], self.sizes[each, 0] = table[label >= 0].mean(0), 1
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

    def _accumulate_expectation(self, coordinates: Tensor, label: Tensor) -> Sums:
        sums = {
            "log_likelihood": self.log_likelihood.new_zeros(2),  # total, rows
            "responsibility": torch.zeros_like(self.sizes),
            "first": torch.zeros_like(self.means),
            "second": torch.zeros_like(self.factors),
        }
        for each in range(self.labels):
            rows, used = coordinates[label == each], self.sizes[each] > IN_USE
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
        used = self.sizes > IN_USE
        size = self.sizes.clamp_min(IN_USE)[..., None]
        self.means[used] = (sums["first"] / size)[used]
        scatter = sums["second"] - size[..., None] * self.means[..., None] * self.means[..., None, :]
        weight = self.config.prior_rows
        covariance = (scatter + weight * self.prior) / (size[..., None] + weight)
        self.factors[used] = torch.linalg.cholesky(covariance[used])
        rounds = int(self.round) - 1
        return bool(rounds >= self.config.max_rounds or 0 <= gained < self.config.tolerance)


def one_hot(label: Tensor, labels: int) -> Tensor:
    return nn.functional.one_hot(label, labels).double()


def second_moments(share: Tensor, rows: Tensor) -> Tensor:
    """Sum the outer products of rows (N, P), weighted by each component's share (N, K): (K, P, P)."""
    sums = []
    for weight in share.T:
        near = weight > NEGLIGIBLE_SHARE
        sums.append((rows[near] * weight[near, None]).T @ rows[near])
    return torch.stack(sums)


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

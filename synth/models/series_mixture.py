"""A mixture of kinds of windows, each a normal distribution of its own: the baseline that other generators must beat.

Fitted by sums alone, in seconds on a CPU: the principal components of all windows; clusters of each label's windows, by
their first components and by how restless each channel is; then every cluster's mean and covariance, which leans on
what all clusters have in common, as far as its rows are few. What lies outside the components is independent noise.

When windows are clustered, small components count for more than their size and for less than if all were made alike:
sudden moves lie in small ones, and a cluster of windows whose moves do not fall together smears them.

Any steps may be known: they tell how much each cluster speaks for the window, and the others follow exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.models import Batch, Sums
from synth.models.clusters import k_means, picked, share_out, squared_distances
from synth.models.conditioning import Posterior
from synth.models.gaussian_mixture import lean_to_diagonal
from synth.models.principal import SUBSPACE_ROUNDS, Principal
from synth.models.windows import Shape

LEAST_DEVIATION = 1e-3  # of a component, of the largest one's: what is smaller is not enlarged further
LEAST_VARIANCE = 1e-4  # of a channel's differences, on the scale where its values have 1
JITTER = 1e-7  # of a component's variance: rounding must not make a covariance indefinite
AT_ONCE = 64  # clusters whose covariances are worked out together
MAX_NUMBERS = 1 << 23  # in the factors of all clusters: wide windows have fewer clusters


@dataclass(frozen=True)
class Config:
    """How many clusters, and how far their covariances lean on what all have in common."""

    components: int = 600  # clusters at most
    rows_each: float = 20.0  # a label of n rows gets n / rows_each clusters, and at least one
    principal_components: int = 200
    seen_components: int = 30  # by which windows are clustered, each over the root of its deviation
    restless_share: float = 0.2  # how much the restlessness of channels counts in that, beside the components' 1
    prior_rows: float = 0.7  # rows of a cluster that the common covariance weighs as much as
    diagonal_rows: float = 30.0  # and within that, so many rows speak for uncorrelated components
    candidates: int = 8192  # rows among which clusters are found


PRESETS = {"standard": Config()}


def build(config: Config, shape: Shape) -> SeriesMixture:
    """Make an unfitted mixture."""
    return SeriesMixture(config, shape)


class SeriesMixture(Principal):
    """Principal components, and clusters over them; before it is fitted, one cluster a label, all alike."""

    component_weights: Tensor
    restless: Tensor
    sizes: Tensor
    seen: Tensor
    means: Tensor
    factors: Tensor
    rest: Tensor
    rest_scale: Tensor
    owner: Tensor

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__(shape.width, config.principal_components)
        self.config, self.shape = config, shape
        rows = shape.rows or (config.candidates // shape.labels,) * shape.labels
        width = self.basis.shape[1]
        self.triangle = width * (width + 1) // 2
        self.parts = share_out(rows, config.rows_each, min(config.components, MAX_NUMBERS // self.triangle))
        parts = sum(self.parts)
        self.looks = min(config.seen_components, width) + shape.channels
        self.noise_width = 1 + width + shape.width
        owner = torch.arange(shape.labels).repeat_interleave(torch.tensor(self.parts))
        self.register_buffer("owner", owner, persistent=False)
        for name, value in {
            "component_weights": torch.ones(self.looks - shape.channels),  # in what windows are clustered by
            "restless": torch.zeros(2, shape.channels),  # mean and deviation of the channels' restlessness
            "sizes": torch.ones(parts),  # rows of each cluster
            "seen": torch.zeros(parts, self.looks),  # what each cluster's windows look like
            "means": torch.zeros(parts, width),
            "rest": torch.zeros(shape.width),  # deviations outside the components
            "rest_scale": torch.ones(parts),  # and their factor in each cluster
        }.items():
            self.register_buffer(name, value.double())
        unit = self._packed(torch.eye(width).float())
        self.register_buffer("factors", unit.repeat(parts, 1))  # Cholesky factors of the covariances, their triangles

    def _packed(self, square: Tensor) -> Tensor:
        """The lower triangles (..., P (P + 1) / 2) of matrices (..., P, P)."""
        place = torch.tril_indices(*square.shape[-2:], device=square.device)
        return square[..., place[0], place[1]]

    def _whole(self, packed: Tensor) -> Tensor:
        """Symmetric matrices (..., P, P) of their lower triangles."""
        half = self.triangles(packed)
        return half + half.tril(-1).mT

    def triangles(self, packed: Tensor) -> Tensor:
        """Lower triangular matrices (..., P, P) of `packed`."""
        width = self.means.shape[1]
        place = torch.tril_indices(width, width, device=packed.device)
        square = packed.new_zeros(*packed.shape[:-1], width, width)
        square[..., place[0], place[1]] = packed
        return square

    # fitting

    def accumulate(self, batch: Batch) -> Sums:
        """Sum what the present round needs."""
        windows = batch["series"].double()
        rows = windows.flatten(1)
        if self.is_searching:
            told = restlessness(windows)
            return {**self.accumulate_subspace(rows), "restless": torch.stack([told.sum(0), told.square().sum(0)])}
        looks = self._looks(windows)
        if self.round == SUBSPACE_ROUNDS:
            return self._accumulate_candidates(looks, batch)
        return self._accumulate_clusters(rows, looks, batch["label"])

    def update(self, sums: Sums) -> bool:
        """Finish the present round; true after the last."""
        is_last = bool(self.round == SUBSPACE_ROUNDS + 1)
        if self.is_searching:
            variances = self.update_subspace(sums)
            if variances is not None:
                first = variances[: len(self.component_weights)]
                self.component_weights.copy_(evened(first) / self.shape.width**0.5)
            mean, square = sums["restless"] / sums["rows"]
            self.restless.copy_(torch.stack([mean, (square - mean.square()).clamp_min(0.0).sqrt()]))
        elif is_last:
            self._update_clusters(sums)
        else:
            self._update_candidates(sums["table"])
        self.round += 1
        return is_last

    def _looks(self, windows: Tensor) -> Tensor:
        """(N, F): what windows are clustered by, the components' part of variance 1 in all."""
        first = self.coordinates(windows.flatten(1))[:, : len(self.component_weights)] * self.component_weights
        mean, deviation = self.restless
        told = (restlessness(windows) - mean) / deviation.clamp_min(LEAST_VARIANCE)
        weight = (self.config.restless_share / self.shape.channels) ** 0.5
        return torch.cat([first, told * weight], 1)

    def _accumulate_candidates(self, looks: Tensor, batch: Batch) -> Sums:
        """Write each early row into its own slot of a table: what is zero elsewhere adds up to the whole table."""
        early = batch["index"] < self.config.candidates
        table = looks.new_zeros(self.config.candidates, 1 + self.looks)
        table[batch["index"][early], 0] = batch["label"][early].double() + 1  # 0 = empty slot
        table[batch["index"][early], 1:] = looks[early]
        return {"table": table}

    def _update_candidates(self, table: Tensor) -> None:
        label, looks = table[:, 0].long() - 1, table[:, 1:]
        for each, parts in enumerate(self.parts):
            rows = looks[label == each]
            rows = rows if len(rows) else looks[label >= 0]  # too rare to be among the candidates
            found = min(parts, len(rows))
            here = torch.nonzero(self.owner == each)[:, 0]
            self.seen[here[:found]] = k_means(rows, found)
            self.seen[here[found:]] = torch.finfo(torch.float32).max  # nothing is near it

    def _nearest(self, looks: Tensor, label: Tensor) -> Tensor:
        """(N,): the cluster of its label that each row is nearest to."""
        apart = squared_distances(looks, self.seen)
        return apart.masked_fill(label[:, None] != self.owner, torch.inf).argmin(1)

    def _accumulate_clusters(self, rows: Tensor, looks: Tensor, label: Tensor) -> Sums:
        nearest, within = self._nearest(looks, label), self.coordinates(rows)
        outside = (rows - self.centre - within @ self.basis.T).square()
        second = torch.zeros_like(self.factors, dtype=torch.float64)
        for each in nearest.unique().tolist():
            some = within[nearest == each]
            second[each] = self._packed(some.T @ some)
        return {
            "size": torch.bincount(nearest, minlength=len(self.sizes)).double(),
            "first": torch.zeros_like(self.means).index_add_(0, nearest, within),
            "second": second,
            "outside": outside.sum(0),
            "outside_each": torch.zeros_like(self.sizes).index_add_(0, nearest, outside.sum(1)),
        }

    def _update_clusters(self, sums: Sums) -> None:
        size, config = sums["size"], self.config
        total, some = size.sum(), size.clamp_min(1.0)
        self.sizes.copy_(size)
        self.means.copy_(sums["first"] / some[:, None])
        square = self._packed(torch.einsum("k,ki,kj->ij", some, self.means, self.means))
        scatter = self._whole(sums["second"].sum(0) - square)  # within all clusters together
        free = max(float(total - (size > 0).sum()), 1.0)
        pooled = lean_to_diagonal(scatter * (total / free), int(total), config.diagonal_rows)
        lean = config.prior_rows
        for here in torch.arange(len(size), device=size.device).split(AT_ONCE):
            own = self._whole(sums["second"][here])
            own -= some[here, None, None] * self.means[here, :, None] * self.means[here, None, :]
            self.factors[here] = self._packed(leaning(own, some[here], pooled, lean)).float()
        rest = sums["outside"] / total
        self.rest.copy_(rest.sqrt())
        self.rest_scale.copy_(
            ((sums["outside_each"] + lean * rest.sum() + 1e-12) / ((some + lean) * rest.sum() + 1e-12)).sqrt()
        )

    # drawing

    @torch.no_grad()
    def sample(self, noise: Tensor, label: Tensor, temperature: float = 1.0, known: Tensor | None = None) -> Tensor:
        """Windows (N, T, C) of standard normal noise (N, noise_width); `known` (N, T, C) has NaN for what to make."""
        uniform = torch.special.ndtr(noise[:, 0].double())
        width = self.means.shape[1]
        within, outside = (temperature * noise[:, 1:].double()).split([width, self.shape.width], 1)
        chances = torch.where(label[:, None] == self.owner, self.sizes, 0.0)
        if known is None:
            part = picked(chances, uniform)
            found = self.means[part] + torch.einsum("nij,nj->ni", self.triangles(self.factors[part]).double(), within)
        else:
            part, found = Posterior(self, known.flatten(1).double()).draw(chances, uniform, within)
        made = found @ self.basis.T + self.centre + self.rest_scale[part, None] * self.rest * outside
        made = made.float().view(-1, self.shape.length, self.shape.channels)
        return made if known is None else torch.where(known.isnan(), made, known)


def leaning(scatter: Tensor, rows: Tensor, pooled: Tensor, lean: float) -> Tensor:
    """Cholesky factors (K, P, P) of clusters' covariances, by their scatter (K, P, P) of so many rows (K,). They lean
    on the common one as if it had been seen in `lean` rows, as wide as the cluster itself is.
    """
    free = rows - 1 + lean
    width = (scatter.diagonal(dim1=1, dim2=2).sum(1) / pooled.trace() + lean) / free  # the common one's is 1
    covariance = (scatter + lean * width[:, None, None] * pooled) / free[:, None, None]
    covariance.diagonal(dim1=1, dim2=2).add_(JITTER * pooled.trace() / len(pooled) + 1e-12)
    return torch.linalg.cholesky(covariance)


def evened(variances: Tensor) -> Tensor:
    """(K,): one over the root of each component's deviation, the first one's being the largest, times what leaves the
    sum of their variances (K,) as it is.
    """
    wide = variances.clamp_min(0.0).sqrt()
    wide = wide.clamp_min(LEAST_DEVIATION * wide[0] + 1e-12)
    return (wide.square().sum() / wide.sum() / wide).sqrt()


def restlessness(windows: Tensor) -> Tensor:
    """(N, C): log of the deviation of each channel's differences from step to step."""
    return windows.diff(dim=1).var(1, unbiased=False).add(LEAST_VARIANCE).log() / 2

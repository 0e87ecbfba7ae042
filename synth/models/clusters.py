"""Clusters of rows by k-means, told by sums: every worker sees the same early rows and finds the same means."""

from __future__ import annotations

import torch
from torch import Tensor

KMEANS_ROUNDS = 10


def squared_distances(rows: Tensor, means: Tensor) -> Tensor:
    """(N, K) of rows (N, F) to means (K, F)."""
    apart = rows.square().sum(1)[:, None] - 2 * rows @ means.T + means.square().sum(1)
    return apart.clamp_min(0.0)


def k_means(rows: Tensor, parts: int) -> Tensor:
    """Means (parts, F) of rows (N, F), N at least `parts`: k-means++ (Arthur, Vassilvitskii 2007) by a fixed draw, then
    Lloyd's rounds. A mean that no row is nearest to stays where it is.
    """
    draw = torch.Generator().manual_seed(0)
    first = int(torch.randint(len(rows), (1,), generator=draw))
    chosen, gap = [first], (rows - rows[first]).square().sum(1)
    for uniform in torch.rand(parts - 1, generator=draw, dtype=torch.float64).tolist():
        upto = gap.cumsum(0)
        place = min(int(torch.searchsorted(upto, uniform * upto[-1:], right=True)), len(rows) - 1)
        chosen.append(place)
        gap = torch.minimum(gap, (rows - rows[place]).square().sum(1))
    means = rows[torch.tensor(chosen, device=rows.device)]
    for _ in range(KMEANS_ROUNDS):
        nearest = squared_distances(rows, means).argmin(1)
        size = torch.bincount(nearest, minlength=parts).to(rows.dtype)[:, None]
        total = torch.zeros_like(means).index_add_(0, nearest, rows)
        means = torch.where(size > 0, total / size.clamp_min(1), means)
    return means


def share_out(rows: tuple[int, ...], each: float, most: int) -> list[int]:
    """How many clusters each label gets: one for every `each` rows, `most` in all but at least one a label."""
    wanted = [count / each for count in rows]
    scale = min(1.0, most / max(sum(wanted), 1e-9))
    return [max(1, min(round(scale * want), count)) for want, count in zip(wanted, rows, strict=True)]


def picked(chances: Tensor, uniform: Tensor) -> Tensor:
    """(N,): places among chances (N, K) by inverse CDF."""
    reached = chances.cumsum(1)
    last = (chances > 0).double().cumsum(1).argmax(1)  # rounding must not reach one without a chance
    return torch.minimum((reached <= uniform[:, None] * reached[:, -1:]).sum(1), last)

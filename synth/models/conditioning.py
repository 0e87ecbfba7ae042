"""A mixture of normal distributions, given some of a row's values: which component, and what of its coordinates.

Rows are x = centre + basis z + noise, with z normal in each component. What is known of a row adds to the precision of
z in the space of the components (Woodbury's identity), so that the cost does not grow with the number of known values.
Each row is worked out by itself: not even its last bit depends on the others.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from synth.models.clusters import picked

LEAST_NOISE = 1e-3  # deviation of a known value that the components are not held to


class Posterior:
    """What is known of some rows, under a fitted mixture."""

    def __init__(self, model: Any, known: Tensor) -> None:
        """Take a mixture over principal components (`means`, `factors`, `rest`, ...) and rows (N, D), NaN unknown."""
        self.model, self.known = model, known
        self.noise = torch.hypot(model.rest, torch.tensor(LEAST_NOISE)).square()  # (D,)
        factors = model.triangles(model.factors).double()
        self.precision = torch.cholesky_inverse(factors)  # (K, P, P)
        self.volume = factors.diagonal(dim1=1, dim2=2).log().sum(1)
        self.last: tuple[bytes, Tensor, Tensor] | None = None  # of the row before, whose steps are often the same

    def draw(self, chances: Tensor, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        """Components (N,) and coordinates (N, P), by weights (N, K), uniform (N,) and normal (N, P) numbers."""
        part = torch.zeros(len(normal), dtype=torch.int64)
        found = torch.zeros_like(normal)
        masks = [there.numpy().tobytes() for there in ~self.known.isnan()]
        for row in sorted(range(len(masks)), key=lambda each: masks[each]):  # those of one mask after each other
            part[row], found[row] = self._row(self.known[row], chances[row], uniform[row], normal[row])
        return part, found

    def _row(self, row: Tensor, chances: Tensor, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        model, there = self.model, ~row.isnan()
        if not bool(there.any()):
            part = _picked(chances, uniform)
            return part, model.means[part] + model.triangles(model.factors[part]).double() @ normal
        factor, log_weight = self._factors(there)
        basis, noise = model.basis[there], self.noise[there]
        scale = model.rest_scale.square()
        off = (row - model.centre)[there] - model.means @ basis.T  # (K, known)
        pull = (off / noise) @ basis / scale[:, None]  # (K, P)
        half = torch.linalg.solve_triangular(factor, pull[:, :, None], upper=False)[:, :, 0]
        likely = log_weight + 0.5 * (half.square().sum(1) - (off.square() / noise).sum(1) / scale)
        joint = torch.where(chances > 0, chances.log() + likely, -torch.inf)
        part = _picked((joint - joint.amax()).exp(), uniform)
        away = torch.linalg.solve_triangular(factor[part].mT, (half[part] + normal)[:, None], upper=True)[:, 0]
        return part, model.means[part] + away

    def _factors(self, there: Tensor) -> tuple[Tensor, Tensor]:
        """Cholesky factors of each component's precision, and the part of its log likelihood that no value changes."""
        key = there.numpy().tobytes()
        if self.last is None or self.last[0] != key:
            model = self.model
            basis, noise, scale = model.basis[there], self.noise[there], model.rest_scale.square()
            gram = (basis / noise[:, None]).T @ basis
            factor = torch.linalg.cholesky(self.precision + gram / scale[:, None, None])
            spread = factor.diagonal(dim1=1, dim2=2).log().sum(1) + self.volume
            self.last = key, factor, -spread - 0.5 * (len(noise) * scale.log() + noise.log().sum())
        return self.last[1], self.last[2]


def _picked(chances: Tensor, uniform: Tensor) -> Tensor:
    """(): a place among chances (K,) by inverse CDF."""
    return picked(chances[None], uniform[None])[0]

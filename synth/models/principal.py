"""Principal components of rows that are too wide for a matrix of all their products, found by sums.

Subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4): a few passes over the rows, each of which sums
values x directions, so that wide rows fit too, and workers add up to the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synth.models import Sums

SUBSPACE_ROUNDS = 4  # passes over the rows; MNIST's leading variances are then within 0.1 % of exact
OVERSAMPLING = 10  # extra columns in subspace iteration (Halko et al. 2011, §1.3)


class Principal(nn.Module):
    """Directions of most variance among rows (N, D); all state is in buffers."""

    round: Tensor
    search: Tensor
    centre: Tensor
    basis: Tensor

    def __init__(self, values: int, components: int) -> None:
        super().__init__()
        width = min(components, values)
        search = min(width + OVERSAMPLING, values)
        start = torch.randn(values, search, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        self.register_buffer("round", torch.zeros((), dtype=torch.int64))
        self.register_buffer("search", torch.linalg.qr(start)[0])  # (D, width + oversampling), orthonormal
        self.register_buffer("centre", torch.zeros(values, dtype=torch.float64))  # mean of all rows
        self.register_buffer("basis", torch.zeros(values, width, dtype=torch.float64))  # (D, P)

    @property
    def is_searching(self) -> bool:
        """Whether the present round is one of those that look for the components."""
        return bool(self.round < SUBSPACE_ROUNDS)

    def coordinates(self, rows: Tensor) -> Tensor:
        """(N, P) of rows (N, D)."""
        return (rows - self.centre) @ self.basis

    def accumulate_subspace(self, rows: Tensor) -> Sums:
        """Sum what a round of the search needs."""
        seen = rows @ self.search
        return {
            "rows": rows.new_tensor(float(len(rows))),
            "values": rows.sum(0),
            "products": rows.T @ seen,  # (D, search): of the uncentred second moment with the search directions
        }

    def update_subspace(self, sums: Sums) -> Tensor | None:
        """Finish a round of the search; after the last, the components' variances (P,)."""
        self.centre.copy_(sums["values"] / sums["rows"])
        product = sums["products"] / sums["rows"] - torch.outer(self.centre, self.centre @ self.search)
        if self.round == SUBSPACE_ROUNDS - 1:  # rotate to principal axes within the subspace (Rayleigh, Ritz)
            variances, axes = torch.linalg.eigh(self.search.T @ product)
            largest = variances.argsort(descending=True)[: self.basis.shape[1]]
            self.basis.copy_(self.search @ axes[:, largest])
            return variances[largest]
        self.search.copy_(torch.linalg.qr(product)[0])
        return None

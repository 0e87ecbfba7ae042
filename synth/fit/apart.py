"""How far rows lie from each other, on average: what energy distances are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def between(some: Tensor, others: Tensor) -> Tensor:
    """Mean distance between rows of two sets (N, F)."""
    return torch.cdist(some, others, compute_mode="donot_use_mm_for_euclid_dist").mean()


def within(rows: Tensor) -> Tensor:
    """Mean distance between different rows (N, F); 0 for a single row."""
    if len(rows) < 2:
        return rows.new_zeros(())
    return nn.functional.pdist(rows).mean()

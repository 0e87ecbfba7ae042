"""What judges learn from, and what all of them can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Codes = NDArray[np.int64]
Probabilities = NDArray[np.float64]
Augmenter = Callable[[Images, np.random.Generator], Images]


@dataclass(frozen=True)
class Effort:
    """How much work a judge may take: the same for every set of rows that is compared."""

    steps: int = 1200
    batch_size: int = 64
    threads: int = 1


@dataclass(frozen=True)
class Rows:
    """Training rows: N images with their labels.

    `soft` holds label probabilities float64[N, classes] where rows are mixed; `groups` says which rows stem from one
    parent (rows of their own by default); `real` marks the rows that were collected, not made (all by default).
    """

    images: Images  # (N, H, W, C)
    labels: Codes  # (N,)
    soft: Probabilities | None = None
    groups: Codes | None = None
    real: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        soft = None if self.soft is None else self.soft[places]
        groups = None if self.groups is None else self.groups[places]
        real = None if self.real is None else self.real[places]
        return Rows(self.images[places], self.labels[places], soft, groups, real)

    def group_codes(self) -> Codes:
        """int64[N]: equal where rows stem from one parent."""
        return np.arange(len(self)) if self.groups is None else self.groups

    def real_mask(self) -> NDArray[np.bool_]:
        """bool[N]: the rows that were collected."""
        return np.ones(len(self), bool) if self.real is None else self.real


class Judge(Protocol):
    """A trained classifier."""

    def predict_proba(self, images: Images) -> Probabilities:
        """float64[N, classes]: probability of each label; rows sum to one."""


def joined(parts: Sequence[Rows], classes: int) -> Rows:
    """The rows of several sets one after the other; groups keep their codes across sets."""
    soft = None
    if any(part.soft is not None for part in parts):
        soft = np.concatenate([np.eye(classes)[part.labels] if part.soft is None else part.soft for part in parts])
    groups = np.concatenate([part.group_codes() for part in parts])
    real = np.concatenate([part.real_mask() for part in parts])
    images, labels = np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts])
    return Rows(images, labels, soft, groups, real)

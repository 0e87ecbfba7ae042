"""What a training is watched by, whatever the modality: quality against held-out rows, and variety."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Check:
    """One look at a generator."""

    quality: float  # against held-out rows; lower is better
    variety: float  # of made rows, as a share of the real ones'
    picture: np.ndarray | None = None  # uint8[H, W, C]: some of the rows that were made


class Watch(Protocol):
    """Looks at a generator in the same way each time, so that checks differ by the weights alone."""

    def check(self, model: Any) -> Check:
        """Look at a model in its present state, which is in evaluation mode."""

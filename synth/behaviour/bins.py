"""Numbers as a few steps: learnt by their codes, drawn again within them, so that no train user's are repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Bins:
    """Steps in rising order: the least and the greatest number of each."""

    lows: tuple[float, ...]
    highs: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.lows)

    @classmethod
    def of(cls, values: Numbers, most: int) -> Bins:
        """One step for each value where there are few, else steps of about as many values each."""
        distinct = np.unique(values)
        if len(distinct) <= most:
            edges = [(float(value), float(value)) for value in distinct]
        else:
            cuts = np.unique(np.quantile(values, np.arange(1, most) / most, method="lower"))
            places = np.searchsorted(cuts, distinct, side="right")
            edges = [
                (float(part.min()), float(part.max())) for part in (distinct[places == p] for p in np.unique(places))
            ]
        lows, highs = zip(*edges, strict=True) if edges else ((0.0,), (0.0,))
        return cls(tuple(lows), tuple(highs))

    def codes(self, values: Numbers) -> Codes:
        """int64[N]: the step of each value; of one between two steps the lower."""
        found = np.searchsorted(np.array(self.lows), values, side="right") - 1
        return np.clip(found, 0, len(self) - 1).astype(np.int64)

    def drawn(self, codes: Codes, uniforms: Numbers, whole: bool = False) -> Numbers:
        """float64[N]: a number within each step, whole ones where asked."""
        low, high = np.array(self.lows)[codes], np.array(self.highs)[codes]
        if whole:
            return np.minimum(np.floor(low + uniforms * (high - low + 1)), high)
        return low + uniforms * (high - low)

    def drawn_by_size(self, codes: Codes, uniforms: Numbers) -> Numbers:
        """The same, whole, evenly over the logarithm."""
        low, high = np.log1p(np.array(self.lows)[codes]), np.log1p(np.array(self.highs)[codes])
        return np.floor(np.expm1(low + uniforms * (high - low)) + 0.5)

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"lows": list(self.lows), "highs": list(self.highs)}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Bins:
        """From plain JSON."""
        return cls(tuple(told["lows"]), tuple(told["highs"]))

"""Per-channel statistics of images, exact under any partitioning, and the two encodings that use them.

Sums are whole numbers of Python, so merging is associative to the last bit; mean and deviation come of them at the
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from udfs.image.values import Images

Method = Literal["z_score", "zero_one"]
Encoded = NDArray[np.float32]


@dataclass(frozen=True)
class Statistics:
    """Per channel: values counted, their sum, sum of squares, least and greatest. Levels are 0 to 255."""

    count: int
    sums: tuple[int, ...]
    squares: tuple[int, ...]
    least: tuple[int, ...]
    greatest: tuple[int, ...]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(C,)"""
        return np.array([total / self.count for total in self.sums])

    @property
    def std(self) -> NDArray[np.float64]:
        """(C,), of the whole population."""
        return np.sqrt([self.count * q - s * s for s, q in zip(self.sums, self.squares, strict=True)]) / self.count

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the exact sums, and what follows from them for readers."""
        return {**asdict(self), "mean": self.mean.tolist(), "std": self.std.tolist()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Statistics:
        """Back from `as_dict`."""
        parts = {name: tuple(values[name]) for name in ("sums", "squares", "least", "greatest")}
        return Statistics(values["count"], **parts)


def measure(images: Images) -> Statistics:
    """Statistics of a stack of at least one image."""
    if not len(images):
        raise ValueError("there are no images to measure")
    channels = images.shape[3]
    histograms = [np.bincount(images[..., c].reshape(-1), minlength=256) for c in range(channels)]
    level = np.arange(256)
    seen = [np.flatnonzero(histogram) for histogram in histograms]
    return Statistics(
        count=images.size // channels,
        sums=tuple(int(histogram @ level) for histogram in histograms),
        squares=tuple(int(histogram @ level**2) for histogram in histograms),
        least=tuple(int(found[0]) for found in seen),
        greatest=tuple(int(found[-1]) for found in seen),
    )


def merge(parts: Sequence[Statistics]) -> Statistics:
    """Statistics of all that the parts measured; any order, any grouping."""
    if not parts:
        raise ValueError("there are no statistics to merge")
    return reduce(_joined, parts)


def _joined(a: Statistics, b: Statistics) -> Statistics:
    """Of two."""
    if len(a.sums) != len(b.sums):
        raise ValueError(f"statistics of {len(a.sums)} and of {len(b.sums)} channels do not merge")
    return Statistics(
        a.count + b.count,
        tuple(map(int.__add__, a.sums, b.sums)),
        tuple(map(int.__add__, a.squares, b.squares)),
        tuple(map(min, a.least, b.least)),
        tuple(map(max, a.greatest, b.greatest)),
    )


def _shift_and_scale(statistics: Statistics, method: Method) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is taken off and what is divided by; a constant channel is divided by 1."""
    least = np.array(statistics.least, np.float64)
    shift, scale = (
        (statistics.mean, statistics.std)
        if method == "z_score"
        else (least, np.array(statistics.greatest, np.float64) - least)
    )
    return shift, np.where(scale > 0, scale, 1.0)


def encode(images: Images, statistics: Statistics, method: Method = "z_score") -> Encoded:
    """float32[N, H, W, C]: z-scores (mean 0, deviation 1 over what was measured), or 0 to 1 from least to greatest."""
    shift, scale = _shift_and_scale(statistics, method)
    return ((images - shift) / scale).astype(np.float32)


def decode(encoded: Encoded, statistics: Statistics, method: Method = "z_score") -> Images:
    """Back to uint8 levels; exact for what `encode` gave."""
    shift, scale = _shift_and_scale(statistics, method)
    return np.clip(np.rint(encoded.astype(np.float64) * scale + shift), 0, 255).astype(np.uint8)

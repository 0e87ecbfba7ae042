"""The values of lowest hash, with how often each was met: a sample that grows together from any partitioning.

A value among the K of lowest hash of the whole is among the K of every part that has it, so its count is exact and
the whole's K are the same whichever way the parts were cut (bottom-k; Cohen and Kaplan 2007). With the hash of the
value as its word this counts distinct values, exactly as long as there are fewer than K, and estimates their number
beyond (Bar-Yossef et al. 2002). With the hash of the row's id as the word it is a sample of K rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs.rng import Words

Counts = NDArray[np.int64]

_ALL = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Lowest:
    """At most `size` values by ascending `words`, no word twice, each with its count."""

    size: int
    words: Words
    values: pa.Array
    counts: Counts

    @staticmethod
    def none(size: int, kind: pa.DataType) -> Lowest:
        """Of nothing yet."""
        return Lowest(size, np.zeros(0, np.uint64), pa.nulls(0, kind), np.zeros(0, np.int64))

    @property
    def bound(self) -> np.uint64:
        """Words above it cannot enter any more."""
        return self.words[-1] if len(self.words) == self.size else _ALL

    @property
    def is_whole(self) -> bool:
        """Whether every value that was ever met is in it."""
        return len(self.words) < self.size

    @property
    def distinct(self) -> int:
        """How many words were met: exact where `is_whole`, else an estimate."""
        if self.is_whole:
            return len(self.words)
        return round((self.size - 1) / (float(self.words[-1]) / 2.0**64))

    def plus(self, words: Words, values: pa.Array, counts: Counts) -> Lowest:
        """With more values; words may repeat."""
        fits = np.flatnonzero(words <= self.bound)
        if not len(fits):
            return self
        order = fits[np.argsort(words[fits], kind="stable")]
        together = np.concatenate([self.words, words[order]])
        all_values = pa.concat_arrays([self.values, values.take(pa.array(order))])
        all_counts = np.concatenate([self.counts, counts[order]])
        distinct, first, group = np.unique(together, return_index=True, return_inverse=True)
        summed = np.bincount(group, all_counts).astype(np.int64)  # below 2^53, so exact
        kept = first[: self.size]
        return Lowest(self.size, distinct[: self.size], all_values.take(pa.array(kept)), summed[: self.size])

    def joined(self, other: Lowest) -> Lowest:
        """Of both."""
        return self.plus(other.words, other.values, other.counts)

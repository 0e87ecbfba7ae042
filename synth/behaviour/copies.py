"""Which runs of items train users have, as hashes, so that made users do not repeat them at length.

A checkpoint holds hashes and never the sequences.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from udfs import hashing
from udfs.rng import Words, mix

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SALT = hashing.word_of("behaviour", "run")
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """Hashes, rising, of the runs of `run` items of train users."""

    run: int
    words: Words

    @classmethod
    def of(cls, sequences: Iterable[Codes], run: int) -> Copies:
        """What these sequences of items' codes are made of."""
        found = [run_words(each, run) for each in sequences]
        return cls(run, np.unique(np.concatenate([np.zeros(0, np.uint64), *found])))

    def among(self, runs: Codes) -> NDArray[np.bool_]:
        """bool[N]: whether each of (N, run) codes is a train user's run."""
        if not len(self.words) or not len(runs):
            return np.zeros(len(runs), bool)
        asked = _words(runs)
        places = np.minimum(np.searchsorted(self.words, asked), len(self.words) - 1)
        return np.asarray(self.words[places] == asked)

    def share(self, sequences: Iterable[Codes]) -> float:
        """The share of these sequences' runs that train users have."""
        found = [self.among(windows(each, self.run)) for each in sequences]
        told = np.concatenate([np.zeros(0, bool), *found])
        return float(told.mean()) if len(told) else 0.0


def windows(codes: Codes, run: int) -> Codes:
    """(N, run): every run of a sequence."""
    return np.lib.stride_tricks.sliding_window_view(codes, run) if len(codes) >= run else np.zeros((0, run), np.int64)


def run_words(codes: Codes, run: int) -> Words:
    """uint64[len(codes) - run + 1]: a word for each run of so many items."""
    return _words(windows(codes, run))


def _words(runs: Codes) -> Words:
    """uint64[N] of (N, run) (Karp and Rabin 1987, modulo 2^64, mixed)."""
    with np.errstate(over="ignore"):
        factors = np.cumprod(np.full(runs.shape[1], _FACTOR, np.uint64))
        return mix((mix(runs.astype(np.uint64) + np.uint64(1)) * factors).sum(1, dtype=np.uint64) ^ _SALT)

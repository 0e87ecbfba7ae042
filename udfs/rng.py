"""Random draws that belong to a row.

A draw is a hash of (row id, seed, step, the step's place in its list, number of the draw, position within the draw). So
a row's draws are the same in any batch, on any worker, in any order, and a whole batch is drawn at once in numpy. The
hash is the finaliser of splitmix64 (Steele, Lea, Flood 2014), applied in counter mode (Salmon et al. 2011: "parallel
random numbers, as easy as 1, 2, 3"); it is for simulation, not for secrets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

GAMMA = np.uint64(0x9E3779B97F4A7C15)  # splitmix64's increment: 2^64 / golden ratio, odd
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mix(words: Words) -> Words:
    """Hash each 64-bit word (splitmix64's finaliser); a bijection."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * _MIX_1
        words = (words ^ (words >> np.uint64(27))) * _MIX_2
    return words ^ (words >> np.uint64(31))


def keys_of(text: str, count: int) -> Words:
    """One word for each of the `count` ids that stand in `text` one after the other: its 40 digits, mixed."""
    if len(text) != 40 * count:
        raise ValueError("a row id has 40 hex digits")
    raw = np.frombuffer(bytes.fromhex(text), dtype=">u4").reshape(count, 5).astype(np.uint64)
    first = (raw[:, 0] << np.uint64(32)) | raw[:, 1]
    second = (raw[:, 2] << np.uint64(32)) | raw[:, 3]
    return mix(mix(mix(first) ^ second) ^ raw[:, 4])


def unit(words: Words) -> Floats:
    """float64 in [0, 1) of each word's upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def numbered(words: Words, counters: NDArray[np.integer]) -> Floats:
    """float64[N, len(counters)] in [0, 1): the draws of these numbers that belong to each row's word."""
    with np.errstate(over="ignore"):
        return unit(mix(words[:, None] + (counters.astype(np.uint64) + np.uint64(1))[None] * GAMMA))


class RowRandom:
    """Draws for N rows.

    Every call is a new draw, independent of those before it; results have N as their first axis.
    """

    def __init__(self, ids: Sequence[str], seed: int, step: str, place: int = 0) -> None:
        """Key the rows' draws by `ids` (40 hex digits each), `seed` and the `step` at `place` in its list."""
        told = f"{seed}\0{step}\0{place}".encode()
        salt = np.uint64(int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big"))
        self._rows: Words = mix(keys_of("".join(ids), len(ids)) ^ salt) if len(ids) else np.zeros(0, np.uint64)
        self._draws = 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> RowRandom:
        """The same draws for some of the rows.

        What `take` draws next for a row is what the whole would draw next for it.
        """
        part = object.__new__(RowRandom)
        part._rows = self._rows[rows]
        part._draws = self._draws
        return part

    def bits(self, size: tuple[int, ...] = ()) -> Words:
        """uint64[N, *size], uniform."""
        self._draws += 1
        with np.errstate(over="ignore"):
            base = mix(self._rows + np.uint64(self._draws) * GAMMA)
            count = int(np.prod(size, dtype=np.int64)) if size else 1
            counters = np.arange(1, count + 1, dtype=np.uint64) * GAMMA
            words = mix(base[:, None] + counters[None, :])
        return words.reshape(len(self._rows), *size)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: tuple[int, ...] = ()) -> Floats:
        """float64[N, *size] in [low, high)."""
        return low + unit(self.bits(size)) * (high - low)

    def ragged(self, counts: Sequence[int]) -> list[Floats]:
        """One draw: of row i float64[counts[i]] in [0, 1), the first of those that `uniform` would give it."""
        drawn, ends = self._ragged(counts)
        return [drawn[start:end] for start, end in pairwise([0, *ends.tolist()])]

    def ragged_below(self, counts: Sequence[int], p: float) -> list[list[int]]:
        """One draw as `ragged` makes it: of each row the places whose number is below `p`."""
        drawn, ends = self._ragged(counts)
        fired = np.flatnonzero(drawn < p)
        cuts = [0, *np.searchsorted(fired, ends).tolist()]
        starts = np.repeat(ends - np.asarray(counts, np.int64), np.diff(cuts))
        places = (fired - starts).tolist()
        return [places[start:end] for start, end in pairwise(cuts)]

    def _ragged(self, counts: Sequence[int]) -> tuple[Floats, NDArray[np.int64]]:
        """The numbers of all rows one after the other, and where each row's end."""
        self._draws += 1
        numbers = np.asarray(counts, np.int64)
        ends = np.cumsum(numbers)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - numbers, numbers)
        with np.errstate(over="ignore"):
            base = mix(self._rows + np.uint64(self._draws) * GAMMA)
            words = mix(np.repeat(base, numbers) + (within + 1).astype(np.uint64) * GAMMA)
        return unit(words), ends

    def normal(self, mean: float = 0.0, std: float = 1.0, size: tuple[int, ...] = ()) -> Floats:
        """float64[N, *size], normal (Box and Muller 1958, one of the pair)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(size=size)))
        return mean + std * radius * np.cos(2.0 * np.pi * self.uniform(size=size))

    def integers(self, low: int, high: int, size: tuple[int, ...] = ()) -> NDArray[np.int64]:
        """int64[N, *size] in [low, high)."""
        if high <= low:
            raise ValueError(f"integers needs low < high, got {low} and {high}")
        return low + np.floor(self.uniform(size=size) * (high - low)).astype(np.int64)

    def bernoulli(self, p: float) -> NDArray[np.bool_]:
        """bool[N], true with probability `p`."""
        return self.uniform() < p

    def permutation(self, n: int) -> NDArray[np.int64]:
        """int64[N, n]: an order of n things for each row."""
        return np.argsort(self.bits((n,)), axis=1, kind="stable")

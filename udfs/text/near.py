"""Near duplicates: MinHash signatures that find candidates, and the exact likeness that confirms them.

A text is the set of its shingles: each three words in a row of its normal form, hashed to 64 bits. Texts are as alike
as their sets (Jaccard: shared over all). In a signature of P minima two texts agree in about that share of places
(Broder 1997); a join on bands of places finds the pairs (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets,
chapter 3). Short texts have too few words in a row to be told by them: they are sets of characters in a row, so that
a short text and a longer one are never alike. Everything is whole numbers: the same on any machine.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from udfs.rng import GAMMA, mix
from udfs.text.repair import in_form
from udfs.text.values import Texts

REVISION = 1

Hashes = NDArray[np.uint64]
Signatures = NDArray[np.uint32]  # (N, P); a text without shingles has NO_SHINGLE everywhere

SIZE = 3  # words in a shingle
PERMUTATIONS = 128
NO_SHINGLE = np.uint32(0xFFFFFFFF)

_SIZE_CHARACTERS = 5  # of short texts
_MARGIN = "  "  # at both ends of a short text: with it a single character makes a shingle
_BATCH_CHARACTERS = 1 << 20  # of the texts that are taken at once: some 30 MB of words and hashes
_ROW_COSTS = 64  # as much as so many characters, be it ever so short
_BLOCK = 1 << 15  # shingles that are hashed at once, and rows whose bands are: fits a core's cache
_WORDS_KEPT = 1 << 16
_WORD = re.compile(r"[^\W_]+")


class Shingles(NamedTuple):
    """Shingles of several texts, row by row; the same one may stand there twice."""

    hashes: Hashes
    rows: NDArray[np.int64]


def normal_form(text: str) -> str:
    """A text in small letters, its words with one space between; where it has no word, its signs without spaces."""
    plain = in_form(text, "NFKC").casefold()
    return " ".join(_WORD.findall(plain)) or "".join(plain.split())


def shingles(text: str | None, size: int = SIZE) -> Hashes:
    """The text's set of shingles, in ascending order; none for null and for white space."""
    return np.unique(_shingles([text], size).hashes)


def _shingles(texts: Texts, size: int) -> Shingles:
    """Hashes of words in a row, or of characters in a row where there are fewer than two shingles' words."""
    words = [normal_form(text).split() if text else [] for text in texts]
    long = [row if len(row) >= 2 * size else [] for row in words]
    short = [_MARGIN + " ".join(row) + _MARGIN if 0 < len(row) < 2 * size else "" for row in words]
    items = np.fromiter(map(_word_hash, chain.from_iterable(long)), np.uint64)
    signs = np.frombuffer("".join(short).encode("utf-32-le", "surrogatepass"), "<u4")
    lengths, signs_each = [len(row) for row in long], [len(row) for row in short]
    return _in_order(_in_a_row(items, lengths, size), _in_a_row(signs, signs_each, _SIZE_CHARACTERS))


def _in_order(some: Shingles, others: Shingles) -> Shingles:
    """Both together, row by row; no row has some of either."""
    if not len(some.rows) or not len(others.rows):
        return some if len(some.rows) else others
    rows = np.concatenate([some.rows, others.rows])
    order = np.argsort(rows, kind="stable")
    return Shingles(np.concatenate([some.hashes, others.hashes])[order], rows[order])


@functools.lru_cache(_WORDS_KEPT)
def _word_hash(word: str) -> int:
    """64 bits of a word."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _in_a_row(items: NDArray[np.unsignedinteger], lengths: list[int], size: int) -> Shingles:
    """A hash of every `size` items in a row, their order told; `lengths` says how many items each row has."""
    out = np.full(max(len(items) - size + 1, 0), size, np.uint64)
    with np.errstate(over="ignore"):
        for begin in range(0, len(out), _BLOCK):
            block = out[begin : begin + _BLOCK]
            for start in range(begin, begin + size):
                block[:] = mix(block * GAMMA + items[start : start + len(block)])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    is_within = rows[: len(out)] == rows[size - 1 :]
    return Shingles(out[is_within], rows[: len(out)][is_within])


def signatures(texts: Texts, *, permutations: int = PERMUTATIONS, size: int = SIZE, seed: int = 0) -> Signatures:
    """MinHash signatures, uint32 (N, permutations); the work takes some 60 MB beside them, however many the rows."""
    out = np.full((len(texts), permutations), NO_SHINGLE, np.uint32)
    factors, terms = _permutations(permutations, seed)
    for batch in _batches(texts):
        found = _shingles(texts[batch], size)
        rows, counts = np.unique(found.rows, return_counts=True)
        if len(rows):
            out[batch.start + rows] = _minima(found.hashes, counts, factors, terms)
    return out


def _batches(texts: Texts) -> Iterator[slice]:
    """Slices of texts with so many characters together, or with one text."""
    begin, characters = 0, 0
    for at, text in enumerate(texts):
        length = len(text or "") + _ROW_COSTS
        if at > begin and characters + length > _BATCH_CHARACTERS:
            yield slice(begin, at)
            begin, characters = at, 0
        characters += length
    if begin < len(texts):
        yield slice(begin, len(texts))


def _permutations(count: int, seed: int) -> tuple[Hashes, Hashes]:
    """The odd factor and the term of each hash function (multiply-shift: Dietzfelbinger and others 1997)."""
    with np.errstate(over="ignore"):
        drawn = mix(mix(np.array([seed], np.uint64) + GAMMA) + np.arange(1, 2 * count + 1, dtype=np.uint64) * GAMMA)
    return drawn[0::2] | np.uint64(1), drawn[1::2]


def _minima(hashes: Hashes, counts: NDArray[np.int64], factors: Hashes, terms: Hashes) -> Signatures:
    """Each function's least value over each row's shingles; rows go in blocks, one of many shingles in pieces."""
    if counts.max() > _BLOCK:
        pieces = -(-counts // _BLOCK)
        sizes = np.full(pieces.sum(), _BLOCK, np.int64)
        sizes[np.cumsum(pieces) - 1] = counts - (pieces - 1) * _BLOCK
        return np.minimum.reduceat(_minima(hashes, sizes, factors, terms), np.cumsum(pieces) - pieces)
    out = np.empty((len(counts), len(factors)), np.uint32)
    ends, begin = np.cumsum(counts), 0
    while begin < len(counts):
        first = int(ends[begin] - counts[begin])
        end = int(np.searchsorted(ends, first + _BLOCK, side="right"))
        block, starts = hashes[first : int(ends[end - 1])], ends[begin:end] - counts[begin:end] - first
        for place, (factor, term) in enumerate(zip(factors, terms, strict=True)):
            with np.errstate(over="ignore"):
                values = ((block * factor + term) >> np.uint64(32)).astype(np.uint32)
            out[begin:end, place] = np.minimum.reduceat(values, starts)
        begin = end
    return out


def band_keys(signed: Signatures, bands: int, rows: int) -> Hashes:
    """uint64 (N, bands): a key for each `rows` places in a row; texts that share a key are candidates.

    A key tells its band too. Rows without shingles all have the same keys: leave them out before a join.
    """
    if bands * rows > signed.shape[1]:
        raise ValueError(
            f"{bands} bands of {rows} places need {bands * rows} permutations; there are {signed.shape[1]}"
        )
    out = np.empty((len(signed), bands), np.uint64)
    with np.errstate(over="ignore"):
        for begin in range(0, len(signed), _BLOCK):
            places = signed[begin : begin + _BLOCK, : bands * rows].reshape(-1, bands, rows)
            keys = np.broadcast_to(np.arange(1, bands + 1, dtype=np.uint64), places.shape[:2])
            for place in range(rows):
                keys = mix(keys * GAMMA + places[:, :, place])
            out[begin : begin + _BLOCK] = keys
    return out


def bands_for(threshold: float, permutations: int = PERMUTATIONS, min_recall: float = 0.98) -> tuple[int, int]:
    """How many bands of how many rows: the longest ones of which `min_recall` of pairs as alike as this share one.

    A pair of likeness t shares one of b bands of r rows with probability 1 - (1 - t^r)^b. Of a threshold so low that
    no bands reach it, those that come nearest.
    """
    for rows in range(permutations, 0, -1):
        bands = permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= min_recall:
            return bands, rows
    return permutations, 1


def jaccard(a: Hashes, b: Hashes) -> float:
    """How alike two sets of shingles are: shared over all; two empty ones are not."""
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / max(len(a) + len(b) - shared, 1)


def likenesses(some: Texts, others: Texts, *, size: int = SIZE) -> NDArray[np.float64]:
    """float64 (N,): how alike each text is to the one at its place in `others`, exactly; 0 where one is null."""
    out = np.zeros(len(some))
    for batch in _batches([(a or "") + (b or "") for a, b in zip(some, others, strict=True)]):
        one, other = (_once(*_shingles(texts[batch], size)) for texts in (some, others))
        out[batch] = _likenesses(one, other, batch.stop - batch.start)
    return out


def _likenesses(some: Shingles, others: Shingles, count: int) -> NDArray[np.float64]:
    """Jaccard of each pair of sets."""
    hashes, rows = (np.concatenate(each) for each in zip(some, others, strict=True))
    different = np.bincount(_once(hashes, rows).rows, minlength=count)
    return (np.bincount(rows, minlength=count) - different) / np.maximum(different, 1)


def _once(hashes: Hashes, rows: NDArray[np.int64]) -> Shingles:
    """Of hashes that one row has several times, one."""
    order = np.lexsort((hashes, rows))
    hashes, rows = hashes[order], rows[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
    return Shingles(hashes[is_new], rows[is_new])

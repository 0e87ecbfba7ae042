"""The pieces that a generator of texts writes with: byte pairs, merged by how often they meet (Sennrich et al. 2016).

The vocabulary is measured on train rows. A text's UTF-8 bytes begin as pieces of their own, so that any text can be
written and comes back exactly; the most frequent pair of neighbours becomes a new piece, again and again, ties by the
pair's order. Pairs never reach over the border of a word: a word takes the space before it along.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BYTES = 256
LEAST_COUNT = 3  # times that a pair must have met: what was met less is no habit of these texts
CHARACTERS_A_PIECE = 256  # of the train rows, beside bytes: few texts are learnt better letter by letter
MOST_PIECES = 2048
WORD = re.compile(r" ?[^\W\d_]+| ?\d| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")
_WORDS_KEPT = 1 << 16

Pair = tuple[int, int]


@dataclass(frozen=True)
class Pieces:
    """A vocabulary: piece 256 + k is made of the two pieces `merges[k]`, those before are bytes."""

    merges: tuple[Pair, ...]

    def __len__(self) -> int:
        return BYTES + len(self.merges)

    @functools.cached_property
    def written(self) -> tuple[bytes, ...]:
        """The bytes of each piece."""
        found = [bytes([byte]) for byte in range(BYTES)]
        for left, right in self.merges:
            found.append(found[left] + found[right])
        return tuple(found)

    @functools.cached_property
    def _ranks(self) -> dict[Pair, int]:
        return {pair: rank for rank, pair in enumerate(self.merges)}

    @functools.cached_property
    def _known(self) -> dict[str, list[int]]:
        return {}

    def encode(self, text: str) -> list[int]:
        """A text's pieces. What is no Unicode (half of a surrogate pair) is lost."""
        return [piece for word in WORD.findall(text) for piece in self._of_word(word)]

    def decode(self, pieces: Iterable[int]) -> str:
        """The text; bytes that are no whole character are left out."""
        return b"".join(self.written[piece] for piece in pieces).decode("utf-8", "ignore")

    def array(self) -> NDArray[np.int64]:
        """int64[merges, 2]: the vocabulary, to be stored."""
        return np.array(self.merges, np.int64).reshape(-1, 2)

    @classmethod
    def from_array(cls, merges: NDArray[np.int64]) -> Pieces:
        """The vocabulary that `array` stored."""
        return cls(tuple((left, right) for left, right in merges.tolist()))

    def _of_word(self, word: str) -> list[int]:
        """A word's pieces: the merges in the order in which they were learnt."""
        found = self._known.get(word)
        if found is None:
            found = list(word.encode("utf-8", "ignore"))
            while len(found) > 1:
                rank, pair = min((self._ranks.get(pair, len(self.merges)), pair) for pair in itertools.pairwise(found))
                if rank == len(self.merges):
                    break
                found = _merged(found, pair, BYTES + rank)
            if len(self._known) < _WORDS_KEPT:
                self._known[word] = found
        return found


def measure(texts: Sequence[str], size: int = 0) -> Pieces:
    """The vocabulary of these texts, of `size` pieces at most; 0: by how many characters they have."""
    characters = sum(map(len, texts))
    size = size or min(MOST_PIECES, BYTES + characters // CHARACTERS_A_PIECE)
    counted = Counter(word for text in texts for word in WORD.findall(text))
    words = [(list(word.encode("utf-8", "ignore")), count) for word, count in sorted(counted.items())]
    pairs, places = _pairs(words)
    merges: list[Pair] = []
    while len(merges) < size - BYTES and pairs:
        pair = min(pairs, key=lambda each: (-pairs[each], each))
        if pairs[pair] < LEAST_COUNT:
            break
        merges.append(pair)
        _merge(words, pairs, places, pair, BYTES + len(merges) - 1)
    return Pieces(tuple(merges))


def _pairs(words: Sequence[tuple[list[int], int]]) -> tuple[Counter[Pair], dict[Pair, set[int]]]:
    """How often each pair of neighbours meets, and in which words."""
    pairs, places = Counter[Pair](), defaultdict[Pair, set[int]](set)
    for place, (pieces, count) in enumerate(words):
        for pair in itertools.pairwise(pieces):
            pairs[pair] += count
            places[pair].add(place)
    return pairs, places


def _merge(
    words: list[tuple[list[int], int]], pairs: Counter[Pair], places: dict[Pair, set[int]], pair: Pair, piece: int
) -> None:
    """Make one piece of a pair in all words, and keep the counts in step."""
    for place in places.pop(pair):
        before, count = words[place]
        after = _merged(before, pair, piece)
        for each in itertools.pairwise(before):
            pairs[each] -= count
        for each in itertools.pairwise(after):
            pairs[each] += count
            places[each].add(place)
        words[place] = (after, count)
    pairs.pop(pair)
    for each in [each for each, count in pairs.items() if count <= 0]:
        del pairs[each]


def _merged(pieces: Sequence[int], pair: Pair, piece: int) -> list[int]:
    """Pieces with each such pair of neighbours, from the left, as one."""
    found, at = list[int](), 0
    while at < len(pieces):
        if at + 1 < len(pieces) and (pieces[at], pieces[at + 1]) == pair:
            found.append(piece)
            at += 2
        else:
            found.append(pieces[at])
            at += 1
    return found

"""Rare categories that are spelled almost like a frequent one: which word to put for which.

Two words are near when they differ in few letters for their length (Levenshtein's distance). Digits that differ are
never taken for a slip: `grade 1` is not `grade 2`. The frequent word must be many times as frequent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

TIMES = 10  # as many times as frequent must the word be that takes another's place
MAX_FREQUENT = 500
MAX_RARE = 20_000
_BUCKETS = 64


def respelled(counts: Mapping[str, int], min_similarity: float) -> dict[str, str]:
    """Rare word -> the frequent one that it is most like, of similarity `min_similarity` (0 to 1) or more.

    Ties go to the more frequent word, then to the first by name.
    """
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    frequent, rare = ordered[:MAX_FREQUENT], ordered[::-1][:MAX_RARE]
    if not frequent:
        return {}
    known = _histograms(frequent)
    found: dict[str, str] = {}
    for word in rare:
        near = np.flatnonzero(_least_distance(word, known) <= _most_edits(word, frequent, min_similarity))
        others = [frequent[place] for place in near if _may_stand(word, frequent[place], counts)]
        if others:
            best = max(others, key=lambda other: similarity(word, other))  # the first of several: the most frequent
            if similarity(word, best) >= min_similarity:
                found[word] = best
    return found


def _may_stand(word: str, other: str, counts: Mapping[str, int]) -> bool:
    """Whether `other` is so much more frequent, and has the same digits."""
    return counts[other] >= TIMES * counts[word] and _digits(word) == _digits(other)


def _digits(word: str) -> str:
    return "".join(letter for letter in word if letter.isdigit())


def _histograms(words: Sequence[str]) -> NDArray[np.int64]:
    """(N, _BUCKETS): how often letters of each bucket stand in each word."""
    letters = [[ord(letter) % _BUCKETS for letter in word] for word in words]
    return np.stack([np.bincount(np.array(each, np.int64), minlength=_BUCKETS) for each in letters])


def _least_distance(word: str, known: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,): a distance that is never above the true one, from letters alone."""
    difference = known - _histograms([word])
    return np.maximum(difference.clip(min=0).sum(1), (-difference).clip(min=0).sum(1)).astype(np.float64)


def _most_edits(word: str, frequent: Sequence[str], min_similarity: float) -> NDArray[np.float64]:
    longest = np.array([max(len(word), len(other)) for other in frequent], np.float64)
    return (1 - min_similarity) * longest + 1e-9


def similarity(one: str, two: str) -> float:
    """1 for equal words, less by each letter that must be put in, taken out or changed, per letter of the longer."""
    longest = max(len(one), len(two))
    return 1.0 if not longest else 1 - distance(one, two) / longest


def distance(one: str, two: str) -> int:
    """Letters to be put in, taken out or changed (Levenshtein 1966)."""
    row = list(range(len(two) + 1))
    for place, letter in enumerate(one, 1):
        before, row = row, [place]
        for other_place, other in enumerate(two, 1):
            row.append(min(before[other_place] + 1, row[-1] + 1, before[other_place - 1] + (letter != other)))
    return row[-1]

"""Words of one meaning, from the Open English WordNet, https://en-word.net (CC BY 4.0; after Princeton WordNet).

The lexicon lists for a lemma and part of speech its senses in the order of their frequency, and for each sense the
other words that have it. Senses that a word has alone are not in it. It is read when first asked, which takes half a
second.
"""

from __future__ import annotations

import gzip
import json
from functools import cache, lru_cache
from importlib import resources
from typing import Literal

Pos = Literal["n", "v", "a", "r"]
Senses = tuple[tuple[str, ...], ...]
_POSITIONS: tuple[Pos, ...] = ("n", "v", "a", "r")
_REMEMBERED = 1 << 16


@cache
def _lexicon() -> dict[str, dict[str, list[list[str]]]]:
    """Lemma to part of speech to senses to words."""
    packed = (resources.files("udfs") / "lexicons" / "oewn-synonyms.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))["data"]


def has(lemma: str) -> bool:
    """Whether a lemma, of one word or several, is in the lexicon."""
    return lemma in _lexicon()


@lru_cache(maxsize=_REMEMBERED)
def synonyms(lemma: str, pos: Pos) -> Senses:
    """The words of one meaning with a lemma, by its senses, the most frequent first."""
    entry = _lexicon().get(lemma, {})
    senses = entry.get(pos, []) + (entry.get("s", []) if pos == "a" else [])
    return tuple(tuple(sense) for sense in senses)


@lru_cache(maxsize=_REMEMBERED)
def shared(lemma: str, other: str, pos: Pos) -> tuple[int, ...]:
    """Which of a lemma's senses, counted from 0, another word has too."""
    return tuple(place for place, sense in enumerate(synonyms(lemma, pos)) if other in sense)


def share_of(lemma: str, pos: Pos) -> float:
    """A lemma's number of senses in a part of speech, over that in the one in which it has most: a guess at use."""
    counts = {each: len(synonyms(lemma, each)) for each in _POSITIONS}
    return counts[pos] / max(*counts.values(), 1)


def count(word: str) -> int:
    """How often a word occurs in the million words of prose that textblob counted for its spelling."""
    from textblob.en import spelling

    return int(spelling.get(word, 0))

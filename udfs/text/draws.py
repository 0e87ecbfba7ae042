"""How steps draw for the words and letters of texts, and how they give texts back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from udfs.rng import Floats, RowRandom
from udfs.text.values import Texts
from udfs.text.words import Words


def taken_apart(texts: Texts) -> list[Words]:
    """Each text as words; none where there is no text."""
    return [Words.of(text or "") for text in texts]


def given_back(texts: Texts, made: Iterable[str]) -> Texts:
    """What was made of texts: null for null, and the text itself where nothing would be left."""
    return [
        text if text is None or new is text or not new.strip() else new for text, new in zip(texts, made, strict=True)
    ]


def fired(random: RowRandom, counts: Sequence[int], p: float) -> list[list[int]]:
    """For each row the places below its count that fire, each with probability `p`."""
    return random.ragged_below(counts, p)


def per_place(random: RowRandom, places: Sequence[Sequence[int]]) -> list[Floats]:
    """A number of [0, 1) for each place that fired."""
    return random.ragged([len(each) for each in places])


def in_places(sentences: Sequence[str], places: Sequence[str]) -> str:
    """Sentences where others stood, with the spaces of those; one that had no full stop gets it before another."""
    joined = list[str]()
    for sentence, place in zip(sentences, places, strict=True):
        body, space = sentence.rstrip(), place[len(place.rstrip()) :]
        needs_stop = body[-1:].isalnum() and space and "\n" not in space and len(joined) + 1 < len(places)
        joined.append(f"{body}.{space}" if needs_stop else body + space)
    return "".join(joined)

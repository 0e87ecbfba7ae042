"""What may follow a clause's verb and object: adverbs, times, directions and other prepositional phrases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from udfs.text.syntax.forms import singular, verbs_of
from udfs.text.syntax.lists import (
    ALWAYS_TIME,
    DETERMINERS,
    MONTHS_AND_DAYS,
    NEAR_ADVERBS,
    NUMBERS,
    PREPOSITIONS,
    TIME_ADVERBS,
    TIME_NOUNS,
    TIME_PREPOSITIONS,
)
from udfs.text.syntax.nouns import phrase_of
from udfs.text.syntax.verbs import is_manner
from udfs.text.words import listed

Role = Literal["time", "manner", "near", "place"]
_YEAR = re.compile(r"1\d{3}|20\d\d")
_OF_TIMES = listed("early late first last next same following previous past few other long whole cold hot rainy sunny")
_BEFORE_YEARS = listed("in by since before after")
_DEICTICS = listed("last next this that every each one all")


@dataclass(frozen=True)
class Adverbial:
    """Tokens with one role in the clause."""

    tokens: tuple[str, ...]
    role: Role


def adverbials_of(tokens: tuple[str, ...]) -> list[Adverbial] | None:
    """All of the tokens as adverbials, one after the other; null where they are not such."""
    found = list[Adverbial]()
    while tokens:
        each = _first(tokens)
        if each is None:
            return None
        found.append(each)
        tokens = tokens[len(each.tokens) :]
    return found


def _first(tokens: tuple[str, ...]) -> Adverbial | None:
    """The adverbial that the tokens begin with, the longest."""
    for end in range(len(tokens), 0, -1):
        part = tokens[:end]
        if is_time(part):
            return Adverbial(part, "time")
        if end > 1 and _is_place(part):
            return Adverbial(part, "place")
    if is_manner(tokens[0]):
        return Adverbial(tokens[:1], "manner")
    return Adverbial(tokens[:1], "near") if tokens[0] in NEAR_ADVERBS else None


def is_time(tokens: tuple[str, ...]) -> bool:
    """Whether tokens say when or how often: `yesterday`, `last week`, `two days ago`, `on Monday`, `twice a week`."""
    first, rest = tokens[0], tokens[1:]
    if not rest:
        return first in TIME_ADVERBS
    if tokens[-1] == "ago":
        return _is_time_noun(tokens[:-1], False)
    if first in ("twice", "once") or rest[0] == "times":
        after = rest[1:] if rest[0] == "times" else rest
        return _is_time_noun(after, False) and (first in ("twice", "once") or _is_number(first))
    if first in PREPOSITIONS:
        return _is_time_phrase(first, rest)
    if first in ("a", "an", "per"):
        return len(rest) == 1 and rest[0] in TIME_NOUNS
    if first == "early" or first == "late":
        return is_time(rest)
    return (first in _DEICTICS or first.capitalize() in MONTHS_AND_DAYS) and _is_time_noun(rest, False)


def _is_time_phrase(preposition: str, rest: tuple[str, ...]) -> bool:
    """Whether a prepositional phrase says when."""
    if preposition in ALWAYS_TIME:
        return phrase_of(rest) is not None
    return preposition in TIME_PREPOSITIONS and _is_time_noun(rest, preposition in _BEFORE_YEARS)


def _is_time_noun(tokens: tuple[str, ...], may_be_year: bool) -> bool:
    """Whether tokens are a noun phrase about a time."""
    if not tokens:
        return False
    last = tokens[-1]
    if _YEAR.fullmatch(last):
        return (len(tokens) == 1 and may_be_year) or (len(tokens) > 1 and tokens[-2].lower() in MONTHS_AND_DAYS)
    if len(tokens) == 1:
        return last.lower() in TIME_NOUNS - {"time", "moment"}  # `in time` says how
    if singular(last) not in TIME_NOUNS and last.lower() not in MONTHS_AND_DAYS:
        return tokens[0].lower() in MONTHS_AND_DAYS and last.isdigit() and len(tokens) == 2
    return all(_may_count(token) for token in tokens[:-1])


def _may_count(token: str) -> bool:
    """Whether a token may stand before a noun of time."""
    return token in DETERMINERS or _is_number(token) or token in _OF_TIMES or token.lower() in TIME_NOUNS


def _is_number(token: str) -> bool:
    """Whether a token is a number, in digits or in words."""
    return token[0].isdigit() or token in NUMBERS


def _is_place(tokens: tuple[str, ...]) -> bool:
    """Whether tokens are a preposition and a noun phrase; `out of`, `off` and `out to` may begin it."""
    if tokens[0] not in PREPOSITIONS:
        return False
    if tokens[1:2] == ("of",) or (tokens[0] in NEAR_ADVERBS and tokens[1] in PREPOSITIONS):
        return len(tokens) > 2 and _is_simple(tokens[2:])
    if tokens[0] == "to" and verbs_of(tokens[1], "VB"):
        return False  # an infinitive
    return tokens[0] != "of" and _is_simple(tokens[1:])


def _is_simple(tokens: tuple[str, ...]) -> bool:
    """Whether tokens are a noun phrase, with or without a determiner."""
    found = phrase_of(tokens)
    return found is not None and "and" not in tokens

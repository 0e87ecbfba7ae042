"""A sentence as tokens in which a capital marks a name.

What is no plain sentence of one line, ending with a full stop or an exclamation mark, is refused with a reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from udfs.text.syntax.forms import classes, is_plural, lexicon_tag
from udfs.text.syntax.lists import (
    CLITICS,
    DETERMINERS,
    MASS,
    MODALS,
    NOMINATIVE,
    NUMBERS,
    PREPOSITIONS,
    QUESTIONS,
    SOMEBODIES,
    SUBORDINATORS,
    TIME_ADVERBS,
    TITLES,
)

MAX_TOKENS = 30
MAX_CHARS = 300
_SHAPE = re.compile(r"(?P<open>\s*[\"“]?)(?P<body>.*?)(?P<close>[.!?…]*[\"”]?\s*)", re.DOTALL)
_TOKEN = re.compile(
    r"(?:Mr|Mrs|Ms|Dr|Prof|St)\."  # titles
    r"|\d[\d,.]*\d(?!\w)|\d(?!\w)|\d+(?:st|nd|rd|th|s)(?!\w)"  # numbers
    r"|[^\W\d_]+(?:['’\-][^\W\d_]+)*(?:(?<=s)['’](?= ))?|,"  # words, possessives among them
)
_LOWERED = DETERMINERS | NUMBERS | PREPOSITIONS | SOMEBODIES | SUBORDINATORS | TIME_ADVERBS | frozenset(NOMINATIVE)
_CLITIC = re.compile(r"(I|you|he|she|it|we|they)'(m|re|ve|ll|s|d)")
_CONTRACTED = re.compile(r"(?:you|he|she|it|we|they|there|that)['’]")


class Unsure(Exception):
    """The rules are not sure of a sentence: a reason in one word."""


@dataclass(frozen=True)
class Sentence:
    """What stands before the words, the words and commas, and what stands after."""

    opening: str
    tokens: tuple[str, ...]
    closing: str
    apostrophe: str


def taken_apart(text: str) -> Sentence:
    """A sentence's tokens with plain apostrophes, the first in small letters unless it is a name; else Unsure."""
    if len(text) > MAX_CHARS:
        raise Unsure("too_long")
    found = _SHAPE.fullmatch(text)
    assert found
    opening, body, closing = found["open"], found["body"], found["close"]
    if "?" in closing:
        raise Unsure("question")
    quotes = len(re.findall(r"[\"“”]", opening)), len(re.findall(r"[\"“”]", closing))
    if quotes[0] != quotes[1] or " ".join(_TOKEN.findall(body)).replace(" ,", ",") != body:
        raise Unsure("punctuation")
    tokens = [each.replace("’", "'") for each in _TOKEN.findall(body)]
    if len(tokens) < 3 or len(tokens) > MAX_TOKENS:
        raise Unsure("too_short" if len(tokens) < 3 else "too_long")
    if any(each.isupper() and len(each) > 3 for each in tokens):
        raise Unsure("capitals")
    apostrophe = "’" if "’" in body else "'"
    return Sentence(opening, (_lowered(tokens[0], tokens[1]), *tokens[1:]), closing, apostrophe)


def _lowered(word: str, following: str) -> str:
    """A sentence's first word in small letters, unless it is a name; Unsure where it may be both."""
    small = word.lower()
    if word == "I" or word.startswith("I'") or word.rstrip(".") in TITLES or not word[0].isupper():
        return word
    if small in MODALS or small in QUESTIONS:
        raise Unsure("question")
    if small.removesuffix("'s") in MODALS:
        return word  # `Will's sister`
    if small in _LOWERED or _CONTRACTED.match(small):
        return small
    base = re.sub(r"'s?$", "", word)
    tag, known = lexicon_tag(base.lower()), classes(base.lower())
    is_name = lexicon_tag(base).startswith("NNP") and (not tag or not known)
    if "-" in base:
        raise Unsure("unsure_name")
    if is_name or not (tag or known) or not base[1:].islower():
        return word
    if not _may_be_name(base, following):
        return small
    if not following[:1].isupper():
        raise Unsure("unsure_name")
    return word


def _may_be_name(word: str, following: str) -> bool:
    """Whether a word that is also a common one may be a name here."""
    small = word.lower()
    if small in MASS or lexicon_tag(small) in ("RB", "IN", "DT", "CD", "NNS", "JJS", "JJR") or is_plural(small):
        return False
    return lexicon_tag(word).startswith("NNP") or following[:1].isupper()


def split_clitics(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """The tokens with the auxiliaries that are bound to pronouns as tokens of their own."""
    split = list[str]()
    for each in tokens:
        found = _CLITIC.fullmatch(each)
        split += [found[1], CLITICS[found[2]]] if found else [each]
    return tuple(split)


def put_together(sentence: Sentence, tokens: list[str]) -> str:
    """A text of tokens in place of a sentence's, with a capital at its head and its kind of apostrophe."""
    joined = " ".join(tokens).replace(" ,", ",").replace("'", sentence.apostrophe)
    return sentence.opening + joined[:1].upper() + joined[1:] + sentence.closing

"""Noun phrases: pronouns, names, and determiner, adjectives and nouns, joined by `and`, `of` or a possessive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from udfs.text.syntax.forms import classes, is_plural, lexicon_tag, singular
from udfs.text.syntax.lists import (
    ACCUSATIVE,
    AFTER_SUBJECTS,
    DETERMINERS,
    MASS,
    MODIFIERS_IN_S,
    NEAR_ADVERBS,
    NOMINATIVE,
    NOUNS_IN_ING,
    NOUNS_TOO,
    NUMBERS,
    PLURAL_DETERMINERS,
    PREPOSITIONS,
    QUANTITIES,
    SINGULAR_DETERMINERS,
    SOMEBODIES,
    TIME_ADVERBS,
    TITLES,
)
from udfs.text.words import listed

_FOCUS = listed("even only just also too not else well")
Kind = Literal["pronoun", "name", "common"]


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: its tokens, its head in the singular, and whether it is a plural (null: unsure)."""

    tokens: tuple[str, ...]
    head: str
    kind: Kind
    is_plural: bool | None
    is_bare: bool = False

    def in_case(self, case: dict[str, str]) -> tuple[str, ...]:
        """The tokens with pronouns that stand alone or beside an `and` in another case."""
        return tuple(
            case.get(word, word) if _stands_alone(self.tokens, at) else word for at, word in enumerate(self.tokens)
        )

    def pronouns(self) -> list[str]:
        """The pronouns that have a case here."""
        known = NOMINATIVE.keys() | ACCUSATIVE.keys()
        return [each for at, each in enumerate(self.tokens) if each in known and _stands_alone(self.tokens, at)]


def _stands_alone(tokens: tuple[str, ...], at: int) -> bool:
    """Whether the word is a whole part of a phrase that `and` joins, so that the phrase's case is its own."""
    before, after = tokens[at - 1] if at else "and", tokens[at + 1] if at + 1 < len(tokens) else "and"
    return before == after == "and"


@lru_cache(maxsize=1 << 12)
def phrase_of(tokens: tuple[str, ...], with_place: bool = False) -> Phrase | None:
    """The noun phrase that these tokens are, all of them; `with_place`: prepositional phrases may follow the noun."""
    if not all(tokens) or not tokens or "," in tokens:
        return None
    if "and" in tokens:
        return _joined(tokens, with_place)
    for at, word in enumerate(tokens):
        if word == "of":
            return _of(tokens, at)
        if word in PREPOSITIONS:
            return _with_place(tokens, at) if with_place and word in AFTER_SUBJECTS else None
    return _single(tokens) if len(tokens) == 1 else _simple(tokens)


def _joined(tokens: tuple[str, ...], with_place: bool) -> Phrase | None:
    """Two phrases with `and` between them, a plural; more than two, or one with `of`, may mean other things."""
    at = tokens.index("and")
    left, right = phrase_of(tokens[:at]), phrase_of(tokens[at + 1 :])
    if not left or not right or "of" in tokens[:at] or "and" in tokens[at + 1 :] or "of" in tokens[at:]:
        return None
    bare = right.is_bare and left.is_bare
    if left.kind == "common" and right.is_bare and not right.is_plural and right.head not in MASS:
        return None
    return Phrase(tokens, right.head, left.kind if left.kind == right.kind else "common", True, bare)


def _of(tokens: tuple[str, ...], at: int) -> Phrase | None:
    """A phrase of another: `the king of Spain`, `all of us`, `hundreds of people`."""
    right = phrase_of(tokens[at + 1 :])
    if not right or (right.kind == "pronoun" and tokens[at + 1] in NOMINATIVE and tokens[at + 1] not in ACCUSATIVE):
        return None
    if at == 1 and tokens[0] in QUANTITIES:
        return replace(right, tokens=tokens, kind="common", is_plural=right.is_plural, is_bare=False)
    left = phrase_of(tokens[:at])
    if tokens[0] == "a" and tokens[at - 1] in ("lot", "number", "couple", "majority", "variety", "range"):
        return replace(right, tokens=tokens, kind="common", is_bare=False)
    return replace(left, tokens=tokens) if left and left.kind == "common" and not left.is_bare else None


def _with_place(tokens: tuple[str, ...], at: int) -> Phrase | None:
    """A phrase and a prepositional one: `the man in the corner`."""
    left, right = phrase_of(tokens[:at]), phrase_of(tokens[at + 1 :], True)
    return replace(left, tokens=tokens) if left and right and left.kind == "common" else None


def _single(tokens: tuple[str, ...]) -> Phrase | None:
    """A pronoun, a name or a noun without a determiner."""
    word = tokens[0]
    if word in NOMINATIVE or word in ACCUSATIVE:
        return Phrase(tokens, word, "pronoun", word in ("we", "us", "they", "them", "you"))
    if word in SOMEBODIES or word in ("nobody", "nothing"):
        return Phrase(tokens, word, "pronoun", False)
    return _simple(tokens)


def _simple(tokens: tuple[str, ...]) -> Phrase | None:
    """Determiner, number, adjectives, nouns."""
    owned = max((at + 1 for at, word in enumerate(tokens) if word.endswith(("'s", "'"))), default=0)
    rest = tokens[owned:]
    plural: bool | None = None
    is_determined = False
    if owned:
        owner = tokens[owned - 1]
        if not phrase_of((*tokens[: owned - 1], owner[:-2] if owner.endswith("'s") else owner[:-1])):
            return None
        is_determined = True
    else:
        if rest[0] in ("all", "both") and len(rest) > 2 and rest[1] in DETERMINERS:
            rest = rest[1:]
        if rest[0] in DETERMINERS:
            plural = True if rest[0] in PLURAL_DETERMINERS else False if rest[0] in SINGULAR_DETERMINERS else None
            is_determined, rest = True, rest[1:]
    if rest and (rest[0][0].isdigit() or rest[0] in NUMBERS):
        plural, is_determined, rest = plural is not False, True, rest[1:]
    return _headed(tokens, rest, plural, is_determined) if rest else None


def _headed(tokens: tuple[str, ...], rest: tuple[str, ...], plural: bool | None, is_determined: bool) -> Phrase | None:
    """The phrase of modifiers and a head, after what determines it."""
    if all(word[0].isupper() for word in rest) and not any("'" in word for word in rest):
        number = None if is_determined and rest[-1].endswith("s") else False
        known = rest[-1].rstrip(".") not in TITLES
        return Phrase(tokens, rest[-1], "name", number if plural is None else plural) if known else None
    is_first_noun = is_determined and not any("NOUN" in classes(word) for word in rest[:-1])
    if not _are_modifiers(rest[:-1]) or not _may_head(rest[-1], is_first_noun):
        return None
    found = is_plural(rest[-1])
    if plural is not None and found is not None and plural != found:
        return None
    is_bare = not is_determined
    return Phrase(tokens, singular(rest[-1]), "common", found if plural is None else plural, is_bare)


def _are_modifiers(words: tuple[str, ...]) -> bool:
    """Whether these may stand before a noun: adverbs of degree, adjectives, then nouns in the singular."""
    seen_noun = False
    for at, word in enumerate(words):
        small = word.lower()
        if word[0].isupper():
            continue
        if _is_closed(small):
            return False
        found, tag = classes(small), lexicon_tag(small)
        if at + 1 < len(words) and (small == "very" or (small.endswith("ly") and tag == "RB")):
            continue
        is_adjective = "ADJ" in found or tag[:2] == "JJ" or "-" in word
        is_noun = "NOUN" in found and not (is_plural(small) and small not in MODIFIERS_IN_S)
        if not is_noun and (not is_adjective or seen_noun):
            return False
        seen_noun = seen_noun or not is_adjective
    return True


def _may_head(word: str, is_first_noun: bool) -> bool:
    """Whether a word may be the noun of a phrase; what is a verb first must be its first noun, behind a determiner."""
    small = word.lower()
    if _is_closed(small) or (small.endswith("ing") and not is_first_noun and small not in NOUNS_IN_ING):
        return False
    if word[0].isupper() or small in NOUNS_TOO or _is_new(small):
        return True
    barred = ("JJ", "RB", "IN", "PR") if is_first_noun else ("JJ", "RB", "IN", "PR", "VB")
    return "NOUN" in classes(small) and lexicon_tag(small)[:2] not in barred


def _is_new(word: str) -> bool:
    """Whether no list has the word, which is then taken for a noun."""
    is_unknown = not classes(word) and not lexicon_tag(word)
    return word.isalpha() and len(word) > 3 and is_unknown and not word.endswith(("ly", "ing", "ed"))


def _is_closed(small: str) -> bool:
    """Whether a word is no noun and no adjective, though the look-up may call it so."""
    if small in TIME_ADVERBS or small in DETERMINERS or small in PREPOSITIONS or small in NEAR_ADVERBS:
        return True
    return "'" in small or small in _FOCUS or small in ACCUSATIVE or small in NOMINATIVE

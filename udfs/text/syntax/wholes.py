"""Whether tokens are a whole clause of its own: a subject and a finite verb, and no second clause."""

from __future__ import annotations

from itertools import pairwise

from udfs.text.syntax.forms import classes, verbs_of
from udfs.text.syntax.lists import FREQUENCIES, MODALS, NOMINATIVE, QUESTIONS, SUBORDINATORS
from udfs.text.syntax.nouns import phrase_of
from udfs.text.syntax.roles import is_in_case, is_sure_without, person_of
from udfs.text.syntax.tokens import split_clitics
from udfs.text.syntax.verbs import is_manner
from udfs.text.words import listed

MAX_SUBJECT = 8  # tokens
_SUBJECTS = frozenset(NOMINATIVE) - {"you", "it"}
_SINGULAR = listed("is was has does")
_OTHER = listed("am are was were have do")
_SECOND = frozenset(["and", "that", "there", ",", ";"]) | QUESTIONS | SUBORDINATORS


def is_whole(tokens: tuple[str, ...]) -> bool:
    """Whether the tokens are surely one clause, none of it left out and nothing joined to it."""
    tokens = split_clitics(tokens)
    places = [at for at in range(1, min(len(tokens), MAX_SUBJECT + 1)) if _begins(tokens, at)]
    if not places or set(tokens[1:]) & _SECOND:
        return False
    is_noun = places[0] == len(tokens) - 1 and "NOUN" in classes(tokens[-1])  # the garden looks
    return not is_noun and not set(tokens[places[0] :]) & _SUBJECTS and not _has_second(tokens[places[0] :])


def _has_second(tokens: tuple[str, ...]) -> bool:
    """Whether `it` or `you` begins a clause of its own behind the verb: `I hope it works`."""
    pairs = pairwise(each for each in tokens if each not in FREQUENCIES)
    return any(each in ("it", "you") and is_finite(after, 3 if each == "it" else 0) for each, after in pairs)


def _begins(tokens: tuple[str, ...], at: int) -> bool:
    """Whether a finite verb follows a subject of so many tokens."""
    subject = phrase_of(tokens[:at], True)
    if subject is None or not is_in_case(subject, NOMINATIVE) or (subject.is_bare and not is_sure_without(subject)):
        return False
    if at == 1 and verbs_of(tokens[0], "VBZ"):
        return False  # `heads back`
    while at < len(tokens) - 1 and (tokens[at] in FREQUENCIES or is_manner(tokens[at])):
        at += 1
    return any(is_finite(tokens[at], person) for person in person_of(subject))


def is_finite(word: str, person: int) -> bool:
    """Whether a word may be a finite verb of a person."""
    plain = word.removesuffix("n't")
    if plain in _SINGULAR or plain in _OTHER:
        return plain in (_SINGULAR if person == 3 else _OTHER)
    if plain in MODALS or word in ("can't", "won't", "cannot", "had", "did", "'s", "'d"):
        return True
    tags = ("VBD", "VBZ") if person == 3 else ("VBD", "VBP")
    return word.islower() and any(verbs_of(word, tag) for tag in tags)

"""Verb groups: auxiliaries, negation, adverbs among them and the verb; read in either voice, written in either.

A group is written by affix hopping (Chomsky 1957): modal, have + VBN, be + VBG and be + VBN stand in this order, each
word has the form that the one before it asks for, and the first has the tense. All chains of auxiliaries that can be
written so stand in a table, and a group is read by its chain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from udfs.text.syntax.forms import classes, lexicon_tag, verb_form, verbs_of
from udfs.text.syntax.lists import BE, DO, FREQUENCIES, HAVE, MANNERS, MODALS, NOT_MANNERS
from udfs.text.syntax.tokens import Unsure

PERSONS = (1, 3, 0)  # I; he, she, it; all others
_LONG = {"can't": "can", "won't": "will", "shan't": "shall", "cannot": "can"}
_SHORT = {"can": ("can't",), "will": ("won't",), "shall": ("shan't",), "am": ("am", "not"), "may": ("may", "not")}
_SHORTENED = {"'s": ("is", "has"), "'d": ("had", "would")}


@dataclass(frozen=True)
class Verbs:
    """A verb group without its voice."""

    lemma: str = ""
    spelled: str = ""  # the verb as it stood
    is_past: bool = False
    modal: str = ""  # one of MODALS, `going to`, `have to`
    is_perfect: bool = False
    is_progressive: bool = False
    negation: str = ""  # not, n't or cannot
    early: tuple[str, ...] = ()  # adverbs behind the first auxiliary
    late: tuple[str, ...] = ()  # adverbs right before the verb
    persons: tuple[int, ...] = PERSONS  # that the finite form agrees with


def is_manner(word: str) -> bool:
    """Whether a word is an adverb of manner."""
    if word in MANNERS:
        return True
    if not word.endswith("ly") or len(word) < 5 or word in NOT_MANNERS or word in FREQUENCIES:
        return False
    return lexicon_tag(word) == "RB" or classes(word) == {"ADV"}


def read(tokens: tuple[str, ...], is_passive: bool) -> tuple[list[Verbs], int]:
    """The verb groups that may begin here, and how many tokens they have; else Unsure."""
    chain, negation, early, late, at = list[str](), "", list[str](), list[str](), 0
    while at < len(tokens):
        word, short = _without_negation(tokens[at], chain)
        if short:
            if negation or early:
                raise Unsure("unsure_verb")
            negation = short
        if word in FREQUENCIES:
            early.append(word)
        elif is_manner(word) and word not in MANNERS:
            late.append(word)
        elif word and not _goes_on(word, chain):
            break
        elif word and late:
            raise Unsure("unsure_adverb")
        elif word:
            chain.append(word)
        at += 1
    if at == len(tokens) or len(early) > 1 or len(late) > 1:
        raise Unsure("unsure_verb")
    extra = Verbs(negation=negation, early=tuple(early), late=tuple(late), spelled=tokens[at])
    return _matching(tuple(chain), extra, is_passive), at + 1


def _without_negation(word: str, chain: list[str]) -> tuple[str, str]:
    """An auxiliary and its negation."""
    if word == "not" and chain:
        return "", "not"
    if word in _LONG:
        return _LONG[word], "cannot" if word == "cannot" else "n't"
    return (word[:-3], "n't") if word.endswith("n't") else (word, "")


def _goes_on(word: str, chain: list[str]) -> bool:
    """Whether a word goes on a chain of auxiliaries."""
    if word == "going":
        return bool(chain) and (chain[-1] in BE or chain[-1] == "'s")
    if word == "to":
        return bool(chain) and (chain[-1] in HAVE or chain[-1] == "going")
    if word in DO or word in MODALS or word in _SHORTENED:
        return not chain
    return word in BE or word in HAVE


def _matching(chain: tuple[str, ...], extra: Verbs, is_passive: bool) -> list[Verbs]:
    """The groups of a chain of auxiliaries and a verb."""
    found = list[Verbs]()
    for first in _SHORTENED.get(chain[0], (chain[0],)) if chain else ("",):
        words = (first, *chain[1:]) if chain else ()
        for verbs, tag in _chains(is_passive, bool(extra.negation)).get(words, ()):
            for lemma in verbs_of(extra.spelled, tag)[:1]:
                more = replace(verbs, lemma=lemma, spelled=extra.spelled, negation=extra.negation)
                found.append(replace(more, early=extra.early, late=extra.late))
    if not found and not is_passive and chain and chain[-1] in BE:
        raise Unsure("linking_verb")
    return found


@cache
def _chains(is_passive: bool, is_negated: bool) -> dict[tuple[str, ...], list[tuple[Verbs, str]]]:
    """What each chain of auxiliaries says, and the tag of the verb behind it."""
    chains: dict[tuple[str, ...], list[tuple[Verbs, str]]] = {}
    modals = ("", "going to", "have to", *sorted(MODALS))
    either = (False, True)
    for modal, past, perfect, progressive, person in product(modals, either, either, either, PERSONS):
        if (modal in MODALS and past) or (progressive and (perfect or modal)):
            continue
        plain = Verbs("", "", past, modal, perfect, progressive, "x" if is_negated else "", persons=(person,))
        words = _words(plain, is_passive, person)
        seen = chains.setdefault(tuple(word for word, _ in words[:-1]), [])
        same = [at for at, (verbs, tag) in enumerate(seen) if tag == words[-1][1] and _alike(verbs, plain)]
        if same:
            seen[same[0]] = (replace(plain, persons=(*seen[same[0]][0].persons, person)), words[-1][1])
        else:
            seen.append((plain, words[-1][1]))
    return chains


def _alike(one: Verbs, other: Verbs) -> bool:
    """Whether two groups differ in their persons alone."""
    return replace(one, persons=()) == replace(other, persons=())


def _words(verbs: Verbs, is_passive: bool, person: int) -> list[tuple[str, str]]:
    """The words of a group with the tag of each, without negation and adverbs; the verb itself is its lemma."""
    finite = "VBD" if verbs.is_past else "VBZ" if person == 3 else "VBP"
    words, tag = list[tuple[str, str]](), finite
    simple = not (verbs.is_perfect or verbs.is_progressive or is_passive)
    if verbs.negation and (verbs.modal == "have to" or (simple and not verbs.modal)):
        words, tag = [(_finite("do", finite, person), finite)], "VB"
    if verbs.modal == "have to":
        words, tag = [*words, (_finite("have", tag, person), tag), ("to", "")], "VB"
    elif verbs.modal == "going to":
        words, tag = [(_finite("be", finite, person), finite), ("going", ""), ("to", "")], "VB"
    elif verbs.modal:
        words, tag = [(verbs.modal, "MD")], "VB"
    for is_here, lemma, following in (
        (verbs.is_perfect, "have", "VBN"),
        (verbs.is_progressive, "be", "VBG"),
        (is_passive, "be", "VBN"),
    ):
        if is_here:
            words, tag = [*words, (_finite(lemma, tag, person), tag)], following
    return [*words, (verbs.lemma, tag)]


def _finite(lemma: str, tag: str, person: int) -> str:
    """A form of be, have or do."""
    if lemma == "be" and tag in ("VBD", "VBP", "VBZ"):
        past = "were" if person == 0 else "was"
        return past if tag == "VBD" else {1: "am", 3: "is", 0: "are"}[person]
    forms = {"be": ("be", "been", "being"), "have": ("have", "had", "having"), "do": ("do", "done", "doing")}[lemma]
    finite = {"VBZ": {"have": "has", "do": "does"}, "VBD": {"have": "had", "do": "did"}}.get(tag, {})
    return finite.get(lemma) or forms[{"VBN": 1, "VBG": 2}.get(tag, 0)]


def written(verbs: Verbs, is_passive: bool, person: int) -> list[str]:
    """The group's words in a voice, with its negation and adverbs, agreeing with a person."""
    words = _words(verbs, is_passive, person)
    form = verb_form(verbs.lemma, words[-1][1], verbs.spelled)
    if not form:
        raise Unsure("unsure_verb")
    chain = [word for word, _ in words[:-1]]
    head = _negated(chain[0], verbs.negation) if chain else []
    return [*head, *verbs.early, *chain[1:], *verbs.late, form]


def _negated(word: str, negation: str) -> list[str]:
    """The first auxiliary with its negation."""
    if not negation:
        return [word]
    if negation == "n't":
        return list(_SHORT.get(word, (word + "n't",)))
    return ["cannot"] if negation == "cannot" and word == "can" else [word, "not"]

"""Which classes a word may belong to, and its forms, by lemminflect's look-up and textblob's lexicon.

A word's class is never guessed: a word that the look-up has not is no verb.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from udfs.text.syntax.lists import EITHER_NUMBER, PLURALS
from udfs.text.words import listed

_REMEMBERED = 1 << 15
_UNSURE_VERBS = listed("lay lain fell wound ground lie lies lied lying")  # of two verbs that take other things
_PARTICIPLES = {
    "wake": "woken", "bear": "borne", "get": "got", "light": "lit", "quit": "quit", "prove": "proven", "show": "shown",
    "spell": "spelled", "hang": "hung", "strike": "struck",
}  # fmt: skip
Found = Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=_REMEMBERED)
def _lemmas(word: str) -> Found:
    """A word's lemmas by class; the look-up copies all it gives, so it is asked once."""
    from lemminflect import getAllLemmas

    return dict(getAllLemmas(word))


@lru_cache(maxsize=_REMEMBERED)
def _inflections(verb: str) -> Found:
    """A verb's forms by tag."""
    from lemminflect import getAllInflections

    return dict(getAllInflections(verb, upos="VERB"))


def classes(word: str) -> frozenset[str]:
    """Of NOUN, VERB, ADJ and ADV those that a word in small letters may belong to."""
    return frozenset(_lemmas(word))


@lru_cache(maxsize=_REMEMBERED)
def lexicon_tag(word: str) -> str:
    """The tag of a word in textblob's lexicon; empty where it has none."""
    from textblob.en import parser

    return str(parser.lexicon.get(word) or "")


@lru_cache(maxsize=_REMEMBERED)
def verbs_of(word: str, tag: str) -> tuple[str, ...]:
    """The verbs that have this word, in small letters, as their form of a tag, the likeliest first."""
    if word in _UNSURE_VERBS:
        return ()
    found = [each for each in _lemmas(word).get("VERB", ()) if word in _forms(each, tag)]
    return tuple(sorted(found, key=lambda each: each == word))


def _forms(lemma: str, tag: str) -> tuple[str, ...]:
    """All forms of a verb for a tag; a participle that the look-up has not is the past."""
    if tag in ("VB", "VBP"):
        return (lemma,)
    known = _inflections(lemma)
    extra = (_PARTICIPLES[lemma],) if tag == "VBN" and lemma in _PARTICIPLES else ()
    return extra + tuple(known.get(tag) or (known.get("VBD", ()) if tag == "VBN" else ()))


@lru_cache(maxsize=_REMEMBERED)
def verb_form(lemma: str, tag: str, like: str = "") -> str:
    """A verb's form for a tag: the one spelled as `like` where there are several; empty where there is none."""
    forms = _forms(lemma, tag)
    alike = [each for each in forms if like.endswith(("ed", "ing")) and _stem(each) == _stem(like)]
    return like if like in forms else (alike or [*forms, ""])[0]


def _stem(form: str) -> str:
    """A regular form without its ending: `cancelled` and `cancelling` are spelled alike."""
    return form.removesuffix("ing").removesuffix("ed")


@lru_cache(maxsize=_REMEMBERED)
def is_plural(noun: str) -> bool | None:
    """Whether a noun is a plural; null where it may be either."""
    small = noun.lower()
    if small in PLURALS:
        return True
    lemmas = _lemmas(small).get("NOUN", ())
    if small in EITHER_NUMBER:
        return None
    if lemmas and (small not in lemmas or (len(lemmas) > 1 and small.endswith("s"))):
        return True
    return None if small.endswith("s") and not small.endswith(("ss", "us", "is", "ics", "news")) else False


def singular(noun: str) -> str:
    """A noun's singular in small letters; the noun itself where there is none."""
    return str((_lemmas(noun.lower()).get("NOUN") or (noun.lower(),))[0])

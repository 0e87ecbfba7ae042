"""Steps that make the errors of learners and of haste in grammar.

What can go wrong is found by parts of speech and lists of words, so a wrong tag may make another error than its name
says.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

from udfs.options import Probability
from udfs.rng import Floats, RowRandom
from udfs.text import tagging
from udfs.text.draws import fired, given_back, per_place, taken_apart
from udfs.text.english import is_plain_space
from udfs.text.values import Texts
from udfs.text.words import Words, listed

REVISION = 1
ErrorKind = Literal["any", "agreement", "article", "preposition", "tense", "homophone", "plural"]
Error = tuple[int, tuple[str, ...]]  # the place of a word and what may stand there instead; empty: nothing

_AGREEMENT = {
    "is": ("are",), "are": ("is",), "was": ("were",), "were": ("was",), "has": ("have",), "have": ("has",),
    "am": ("is", "are"), "does": ("do",), "do": ("does",), "doesn't": ("don't",), "don't": ("doesn't",),
    "isn't": ("aren't",), "aren't": ("isn't",), "wasn't": ("weren't",), "weren't": ("wasn't",),
}  # fmt: skip
_ARTICLES = {"a": ("an", "the", ""), "an": ("a", "the", ""), "the": ("", "a")}
_PREPOSITIONS = {
    "in": ("on", "at"), "on": ("in", "at"), "at": ("in", "on", "to"), "to": ("at", "for", "in"), "for": ("to", "of"),
    "of": ("from", "for"), "with": ("by", "to"), "by": ("with", "from"), "from": ("of", "by"), "about": ("of", "on"),
    "into": ("in", "to"), "since": ("for", "from"), "during": ("in", "for"), "until": ("to", "by"),
    "between": ("among", "in"), "among": ("between", "in"), "over": ("on", "above"), "under": ("below", "in"),
}  # fmt: skip
_UNCHANGED = listed("be am is are was were been being have has had do does did can will would should could may might")


def grammar_errors(random: RowRandom, texts: Texts, *, kind: ErrorKind = "any", p: Probability = 0.1) -> Texts:
    """Make each error of a `kind` that a text has room for with the probability `p`: `he go`, `a apple`, `to late`."""
    split = taken_apart(texts)
    possible = [_errors(words, kind) for words in split]
    places = fired(random, [len(each) for each in possible], p)
    choices = per_place(random, places)
    return given_back(texts, [_spoilt(*each) for each in zip(split, possible, places, choices, strict=True)])


def _spoilt(words: Words, possible: list[Error], places: list[int], choices: Floats) -> str:
    """The words with some of the possible errors, one for a word."""
    changes: dict[int, str] = {}
    for place, choice in zip(places, choices.tolist(), strict=True):
        at, forms = possible[place]
        changes.setdefault(at, forms[int(choice * len(forms))])
    gone = {at for at, form in changes.items() if not form}
    if not changes or len(gone) == len(words):
        return str(words)
    made = words.replaced({at: form for at, form in changes.items() if form})
    return str(made.without(gone) if gone else made)


def _errors(words: Words, kind: str) -> list[Error]:
    """Every error of a kind that there is room for."""
    tags = tagging.tags(words) if kind in ("any", "agreement", "preposition", "tense", "plural") else []
    found: list[Error] = []
    for at, word in enumerate(words.words):
        small = word.lower().replace("’", "'")
        if len(word) > tagging.MAX_WORD_CHARS:
            continue
        for name, errors in _ERRORS.items():
            if kind in ("any", name):
                forms = tuple(form for form in errors(words, tags, at, small) if form != small)
                if forms:
                    found.append((at, forms))
    return found


def _agreement(words: Words, tags: list[str], at: int, small: str) -> tuple[str, ...]:
    """A verb of the present in the other number; after an auxiliary or `to` it has none."""
    if small in _AGREEMENT:
        is_base = tags[at] == "VB" or (at and tags[at - 1] in ("MD", "TO"))
        return () if is_base else _AGREEMENT[small]
    if tags[at] == "VBZ":
        return (tagging.lemma(small, "VBZ"),)
    return _known(tagging.inflected(small, "VBZ")) if tags[at] == "VBP" else ()


def _article(words: Words, tags: list[str], at: int, small: str) -> tuple[str, ...]:
    is_before_word = at + 1 < len(words) and is_plain_space(words.gaps[at + 1])
    return _ARTICLES.get(small, ()) if is_before_word else ()


def _preposition(words: Words, tags: list[str], at: int, small: str) -> tuple[str, ...]:
    """Another preposition; `to` before a verb is none."""
    is_infinitive = small == "to" and tags[at + 1 : at + 2] == ["VB"]
    return () if is_infinitive or tags[at] not in ("IN", "TO") else _PREPOSITIONS.get(small, ())


def _tense(words: Words, tags: list[str], at: int, small: str) -> tuple[str, ...]:
    """Another form of a verb: `he write it yesterday`, `has went`, `can went`."""
    tag = tags[at]
    others = {"VBD": ("VB", "VBZ"), "VBN": ("VBD", "VB"), "VBZ": ("VBD",), "VBP": ("VBD",), "VB": ("VBD", "VBG")}
    if tag not in others or small in _UNCHANGED or "'" in small:
        return ()
    lemma = tagging.lemma(small, tag)
    return tuple(form for each in others[tag] for form in _known(tagging.inflected(lemma, each)))


def _homophone(words: Words, tags: list[str], at: int, small: str) -> tuple[str, ...]:
    return _homophones().get(small, ())


@cache
def _homophones() -> dict[str, tuple[str, ...]]:
    """Words to those that sound or look like them."""
    lines = (resources.files("udfs") / "lexicons" / "homophones.txt").read_text(encoding="utf-8").splitlines()
    groups = [line.split() for line in lines if line and not line.startswith("#")]
    return {word: tuple(other for other in group if other != word) for group in groups for word in group}


def _plural(words: Words, tags: list[str], at: int, small: str) -> tuple[str, ...]:
    """A noun in the other number."""
    if not small.isalpha() or tags[at] not in ("NN", "NNS"):
        return ()
    return (tagging.lemma(small, "NNS"),) if tags[at] == "NNS" else _known(tagging.inflected(small, "NNS"))


def _known(form: str | None) -> tuple[str, ...]:
    return (form,) if form else ()


_ERRORS = {
    "agreement": _agreement,
    "article": _article,
    "preposition": _preposition,
    "tense": _tense,
    "homophone": _homophone,
    "plural": _plural,
}

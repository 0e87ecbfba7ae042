"""Parts of speech, lemmas and inflections of English words.

Tags are those of the Penn Treebank. They come from textblob's lexicon and its rules for unknown words, as those of its
`PatternTagger` do, and then from Brill's rules of context (1992), which textblob has and that tagger leaves out. The
words are those of `Words`: a contraction counts as two in the rules and has the tag of its first part (`don't` that of
`do`). Lemmas and inflections are lemminflect's. What a word alone decides is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from udfs.text.words import Words, listed

UNIVERSAL = {"N": "NOUN", "V": "VERB", "J": "ADJ", "R": "ADV", "M": "AUX"}  # by the first letter of a Penn tag
NOWHERE = "STAART"  # the tag of the places before a sentence and after it, as the rules spell it
MAX_WORD_CHARS = 64  # a longer one is none, and is not worth remembering
_REMEMBERED = 1 << 16
_REACH = 3  # how far the rules look
_PART = re.compile(r"(?<=.)(?:n['’]t|['’](?:s|d|m|ll|re|ve))$", re.IGNORECASE)
_MARKS = {"!": ".", "?": ".", ".": ".", ",": ",", ":": ":", ";": ":", "-": ":", "–": ":", "—": ":", "(": "(", ")": ")"}
_ENDS = re.compile(r"[.!?\n]")
_NUMBER = re.compile(r"\d[\d-]*(?:st|nd|rd|th|s|k|m|am|pm)?", re.IGNORECASE)
_NAMES = listed(
    "Bill Mark Rose Frank Grace Jack Art Bob Dick Drew Gene Harry Jean Max Miles Nick Pat Ray Rob Sandy Sue Victor "
    "Dean Faith Dawn Carol Chase Chuck Cliff Earl Lance Wade Josh Randy Jimmy Tony Jim Tom Peter Paul Jenny"
)
FIXED = {
    **dict.fromkeys(listed("of in for with from at into by between among during without"), "IN"),
    **dict.fromkeys(listed("the a an this these those"), "DT"),
    **dict.fromkeys(listed("nothing something anything everything anyone someone everyone nobody somebody"), "NN"),
    **dict.fromkeys(listed("not never n't also then"), "RB"),
    **dict.fromkeys(listed("and or but"), "CC"),
    **dict.fromkeys(listed("such other same own"), "JJ"),
    "be": "VB",
    "was": "VBD",
    "were": "VBD",
    "is": "VBZ",
}  # words that no rule changes
_ONLY = {"WDT": listed("that which what whatever"), "DT": listed("that all no any some each both either neither")}
Holds = Callable[[Sequence[str], Sequence[str], int, str, str], bool]
Rule = tuple[str, str, Holds, str, str]

# What a rule of context asks of the tags t and words w around place i; x and y are the rule's own.
_CONDITIONS: dict[str, Holds] = {
    "prevtag": lambda t, w, i, x, y: x == t[i - 1],
    "nexttag": lambda t, w, i, x, y: x == t[i + 1],
    "prev2tag": lambda t, w, i, x, y: x == t[i - 2],
    "next2tag": lambda t, w, i, x, y: x == t[i + 2],
    "prev1or2tag": lambda t, w, i, x, y: x == t[i - 1] or x == t[i - 2],
    "next1or2tag": lambda t, w, i, x, y: x == t[i + 1] or x == t[i + 2],
    "prev1or2or3tag": lambda t, w, i, x, y: x == t[i - 1] or x == t[i - 2] or x == t[i - 3],
    "surroundtag": lambda t, w, i, x, y: x == t[i - 1] and y == t[i + 1],
    "curwd": lambda t, w, i, x, y: x == w[i],
    "prevwd": lambda t, w, i, x, y: x == w[i - 1],
    "nextwd": lambda t, w, i, x, y: x == w[i + 1],
    "prev1or2wd": lambda t, w, i, x, y: x == w[i - 1] or x == w[i - 2],
    "wdprevtag": lambda t, w, i, x, y: x == t[i - 1] and y == w[i],
    "wdnexttag": lambda t, w, i, x, y: x == w[i] and y == t[i + 1],
    "wdand2aft": lambda t, w, i, x, y: x == w[i] and y == w[i + 2],
    "wdand2tagbfr": lambda t, w, i, x, y: x == t[i - 2] and y == w[i],
    "wdand2tagaft": lambda t, w, i, x, y: x == w[i] and y == t[i + 2],
    "lbigram": lambda t, w, i, x, y: x == w[i - 1] and y == w[i],
    "rbigram": lambda t, w, i, x, y: x == w[i] and y == w[i + 1],
    "prevbigram": lambda t, w, i, x, y: x == t[i - 2] and y == t[i - 1],
    "nextbigram": lambda t, w, i, x, y: x == t[i + 1] and y == t[i + 2],
}


def tags(words: Words) -> list[str]:
    """The Penn tag of each word."""
    shouts = len(words) > 1 and all(word.upper() == word for word in words.words)  # capitals say nothing then
    tokens, found, places = [""] * _REACH, [NOWHERE] * _REACH, list[int]()
    for at, word in enumerate(words.words):
        gap = words.gaps[at]
        begins = at == 0 or (gap != " " and _ENDS.search(gap) is not None)
        mark = "" if gap == " " else gap.strip()[:1]
        if mark:
            tokens.append(mark)
            found.append(_MARKS.get(mark, "SYM"))
        if begins and at:
            tokens += [""] * _REACH
            found += [NOWHERE] * _REACH
        places.append(len(tokens))
        for part in parts(word):
            tokens.append(part.lower() if shouts else part)
            found.append(tag_alone(tokens[-1], begins))
            begins = False
    told = _in_context([*tokens, *[""] * _REACH], [*found, *[NOWHERE] * _REACH])
    return [told[place] for place in places]


def _in_context(tokens: list[str], found: list[str]) -> list[str]:
    """The tags as the rules change them: each rule in its turn, over the whole text from left to right."""
    where: dict[str, list[int]] = {}
    for at, tag in enumerate(found):
        if tag != NOWHERE and tokens[at] not in FIXED:
            where.setdefault(tag, []).append(at)
    for old, new, holds, x, y in _rules():
        if old in where:
            changed = [at for at in where[old] if holds(found, tokens, at, x, y) and suits(tokens[at], old, new)]
            if changed:
                _change(found, where, old, new, changed)
    return found


def suits(word: str, old: str, new: str) -> bool:
    """Whether a word can have a new tag for its old one: the rules ask for tags alone and say `fun` is a participle."""
    if new in _ONLY:
        return word in _ONLY[new]
    if new == "VBG":
        return word.endswith(("ing", "in"))
    return old != "IN" or new not in ("VB", "VBP") or word == "like"


def _change(found: list[str], where: dict[str, list[int]], old: str, new: str, changed: list[int]) -> None:
    """Give some places a new tag."""
    for at in changed:
        found[at] = new
    where[old] = [at for at in where[old] if found[at] == old]
    where[new] = sorted([*where.get(new, []), *changed])


@cache
def _rules() -> list[Rule]:
    """Brill's rules of context in their order, but those for any tag: the words in them are fixed here."""
    from textblob.en import lexicon

    told = [each for each in lexicon.context if each[0] != "*" and each[2].lower() in _CONDITIONS]
    return [(old, new, _CONDITIONS[condition.lower()], x, y[0] if y else "") for old, new, condition, x, *y in told]


def parts(word: str) -> tuple[str, ...]:
    """A word, or the two parts of a contraction or possessive, the second with a plain apostrophe."""
    found = _PART.search(word) if "'" in word or "’" in word else None
    return (word[: found.start()], found.group().lower().replace("’", "'")) if found else (word,)


def tag_alone(word: str, begins: bool = False) -> str:
    """A word's tag without its context; `begins`: where its capital says nothing."""
    return "NN" if len(word) > MAX_WORD_CHARS else _looked_up(word, begins)


@lru_cache(maxsize=_REMEMBERED)
def _looked_up(word: str, begins: bool) -> str:
    """The lexicon's tag, else by what the word looks like."""
    from textblob.en import lexicon, parser

    small = word.lower()
    if small in FIXED:
        return FIXED[small]
    if _NUMBER.fullmatch(word):
        return "CD"
    if begins and word not in _NAMES and word != "I" and small in lexicon:
        return str(lexicon[small])
    if word in lexicon:
        return "NNP" if word in _NAMES else str(lexicon[word])
    if len(word) > 1 and word.isupper() and small in lexicon:
        return str(lexicon[small])
    return str(parser.find_tags([word])[0][1])


@lru_cache(maxsize=_REMEMBERED)
def lemma(word: str, tag: str) -> str:
    """A word's dictionary form in small letters under its tag; the word itself where there is none."""
    from lemminflect import getAllLemmas, getLemma

    small, position = word.lower(), UNIVERSAL.get(tag[:1])
    if position is None or tag.startswith("NNP") or tag in ("NN", "VB", "JJ", "RB", "RP") or len(word) > MAX_WORD_CHARS:
        return small
    known: dict[str, tuple[str, ...]] = getAllLemmas(small)
    found = known.get(position) or (getLemma(small, position) if not known and position != "AUX" else ())
    return str(found[0]) if found else small


@lru_cache(maxsize=_REMEMBERED)
def inflected(lemma: str, tag: str) -> str | None:
    """The form of a lemma that a tag asks for; null where none is known.

    Nouns and verbs that lemminflect does not have go by rule; comparatives do not (`more beautiful` is two words).
    """
    from lemminflect import getAllInflections, getInflection

    if tag in ("NN", "VB", "JJ", "RB", "RP") or (tag == "VBP" and lemma != "be"):
        return lemma
    if tag[:2] not in ("NN", "VB", "JJ", "RB") or len(lemma) > MAX_WORD_CHARS or " " in lemma:
        return None
    known: dict[str, tuple[str, ...]] = getAllInflections(lemma)
    wanted = {"NNPS": "NNS", "NNP": "NN"}.get(tag, tag)
    if wanted in known:
        return str(known[wanted][0])
    has_base = any(each[:2] == tag[:2] for each in known)
    found = getInflection(lemma, tag) if tag[:2] in ("NN", "VB") and (has_base or not known) else ()
    return str(found[0]) if found else None

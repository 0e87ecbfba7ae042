"""A text as words and what stands between them, so that a changed text keeps its punctuation, spacing and case.

`Words.of(text)` holds n words and n + 1 gaps: gap 0 stands before the first word, gap n after the last. A word is a run
of letters and digits, with apostrophes and hyphens inside it (`don't`, `well-known`); everything else is gap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_APART = re.compile(f"({WORD.pattern})")
SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])|\n+")
_END = re.compile(r"[.!?]")


def listed(words: str) -> frozenset[str]:
    """The words of a list in the code."""
    return frozenset(words.split())


_ABBREVIATIONS = listed(
    "mr mrs ms dr prof st sr jr vs etc e.g i.e u.s u.k no inc ltd co gen sen rep gov capt lt col sgt rev hon fig al"
)


@dataclass(frozen=True)
class Words:
    """Words and the gaps around them."""

    words: tuple[str, ...]
    gaps: tuple[str, ...]  # one more than words

    @classmethod
    def of(cls, text: str) -> Words:
        """Take a text apart; `str(Words.of(text)) == text`."""
        pieces = _APART.split(text)
        return cls(tuple(pieces[1::2]), tuple(pieces[::2]))

    def __str__(self) -> str:
        pieces = [""] * (2 * len(self.words) + 1)
        pieces[::2], pieces[1::2] = self.gaps, self.words
        return "".join(pieces)

    def __len__(self) -> int:
        return len(self.words)

    def replaced(self, changes: dict[int, str]) -> Words:
        """The same with other words at some places, each in the case of the word that it replaces."""
        words = [cased_like(changes[at], word) if at in changes else word for at, word in enumerate(self.words)]
        return Words(tuple(words), self.gaps)

    def without(self, places: set[int]) -> Words:
        """The same without the words at these places: of the gaps on both sides, the one with punctuation stays.

        A new first word of a sentence takes the capital of the one before it.
        """
        words, gaps, capital = list[str](), [self.gaps[0]], False
        for at, word in enumerate(self.words):
            if at in places:
                gaps[-1] = _joined(gaps[-1], self.gaps[at + 1], bool(words))
                capital = capital or (is_first(self.words, self.gaps, at) and word[:1].isupper())
                continue
            words.append(word[:1].upper() + word[1:] if capital else word)
            gaps.append(self.gaps[at + 1])
            capital = False
        return Words(tuple(words), tuple(gaps))

    def inserted(self, additions: dict[int, str]) -> Words:
        """The same with words put in before the words at these places (n: after the last), with a space."""
        words, gaps = list[str](), [self.gaps[0]]
        for at in range(len(self.words) + 1):
            if at in additions:
                words.append(additions[at])
                if at == len(self.words):
                    tail = gaps[-1]
                    gaps[-1] = " "
                    gaps.append(tail)
                else:
                    gaps.append(" ")
            if at < len(self.words):
                words.append(self.words[at])
                gaps.append(self.gaps[at + 1])
        return Words(tuple(words), tuple(gaps))


def _joined(before: str, after: str, is_inside: bool) -> str:
    """What stays of the gaps on both sides of a word that is gone."""
    if not is_inside:
        return before + after.lstrip(" ,;:).!?") if before.strip() else after.lstrip(" ,;:).!?")
    if _END.search(before) and _END.search(after):  # it was a sentence
        return before.rstrip() + after[len(after.rstrip()) :]
    return after if after.strip() or not before.strip() else before


def is_first(words: Sequence[str], gaps: Sequence[str], at: int) -> bool:
    """Whether a word begins a sentence."""
    return at == 0 or bool(re.search(r"[.!?\n]", gaps[at]))


def cased_like(word: str, model: str) -> str:
    """A word in the case of another: all capitals, a first capital, or as it is."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    if model[:1].isupper() and (len(model) == 1 or not model.isupper()):
        return word[:1].upper() + word[1:]
    return word


def sentences(text: str) -> list[str]:
    """A text's sentences, each with the space that follows it: joined they are the text."""
    parts, begin = list[str](), 0
    for found in SENTENCE.finditer(text):
        before = text[begin : found.start()].rsplit(None, 1)
        last = before[-1].rstrip(".").lower() if before else ""
        is_short = last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last != "i")
        if is_short and text[found.start() - 1] == ".":
            continue
        parts.append(text[begin : found.end()])
        begin = found.end()
    return [*parts, text[begin:]] if begin < len(text) else parts

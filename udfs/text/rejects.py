"""Rules that refuse texts: each gives a reason code per text, or null where it finds nothing wrong.

A row without a text is refused by `reject_empty` alone.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from udfs.options import Names, Share, Within
from udfs.text.values import Reasons, Texts
from udfs.text.words import WORD

REVISION = 1

Count = Annotated[int, Within(0, 1_000_000_000)]
MANY = 1_000_000_000

_RUN = 3  # words whose repetition is looked for
_FUNCTION_WORDS = (
    "a about after all also an and any are as at be because been before but by can could did do does for from had has "
    "have he her him his how i if in into is it its just me more my no not of on one only or other our out over she so "
    "some such than that the their them then there these they this to up us was we were what when where which while "
    "who why will with would you your"
)
_SYMBOL = re.compile(r"[^\w\s]|_")
_SPACE = re.compile(r"\s+")
_PIDGIN = "pcm"
_SAMPLE_CHARACTERS = 10_000  # of a long text, by which its language is told


def _reasons(texts: Texts, refused: Callable[[str], bool], code: str) -> Reasons:
    """The code where a text is refused."""
    return [code if text is not None and refused(text) else None for text in texts]


def reject_empty(texts: Texts) -> Reasons:
    """`empty` where there is no text, or nothing but white space."""
    return ["empty" if text is None or not text.strip() else None for text in texts]


def reject_length(
    texts: Texts,
    *,
    min_words: Count = 0,
    max_words: Count = MANY,
    min_characters: Count = 0,
    max_characters: Count = MANY,
) -> Reasons:
    """`too_short` or `too_long` where a text has fewer or more words or characters than allowed."""
    counts_words = min_words > 0 or max_words < MANY

    def reason(text: str) -> str | None:
        words = sum(1 for _ in WORD.finditer(text)) if counts_words else 0
        if (counts_words and words < min_words) or len(text) < min_characters:
            return "too_short"
        return "too_long" if words > max_words or len(text) > max_characters else None

    return [None if text is None else reason(text) for text in texts]


def reject_repetition(
    texts: Texts, *, max_ngram_share: Share = 0.3, max_line_share: Share = 0.3, min_words: Count = 10
) -> Reasons:
    """`repetitive` where too large a share of three words in a row, or of lines, stood in the text before.

    Texts of fewer than `min_words` words pass.
    """

    def refused(text: str) -> bool:
        words = WORD.findall(text.casefold())
        if len(words) < min_words:
            return False
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        runs = list(zip(*(words[start:] for start in range(_RUN)), strict=False))
        return repeated_share(runs) > max_ngram_share or repeated_share(lines) > max_line_share

    return _reasons(texts, refused, "repetitive")


def repeated_share(things: Sequence[Any]) -> float:
    """The share of things that came before."""
    return (len(things) - len(set(things))) / len(things) if things else 0.0


def reject_symbols(texts: Texts, *, max_share: Share = 0.5) -> Reasons:
    """`many_symbols` where more than `max_share` of the characters, white space apart, are no letters or digits."""
    return _reasons(texts, lambda text: symbol_share(text) > max_share, "many_symbols")


def symbol_share(text: str) -> float:
    """The share of signs of all characters but white space; marks on letters are no signs."""
    symbols = _SYMBOL.findall(text)
    if not text.isascii():
        symbols = [sign for sign in symbols if not unicodedata.category(sign).startswith("M")]
    shown = len(_SPACE.sub("", text))
    return len(symbols) / shown if shown else 0.0


def reject_few_stopwords(texts: Texts, *, min_share: Share = 0.05, min_words: Count = 10) -> Reasons:
    """`few_stopwords` where too few words are English function words: lists of keywords, other languages, gibberish.

    Texts of fewer than `min_words` words pass.
    """

    def refused(text: str) -> bool:
        words = WORD.findall(text.lower())
        return len(words) >= min_words and sum(word in _stopwords() for word in words) < min_share * len(words)

    return _reasons(texts, refused, "few_stopwords")


@functools.cache
def _stopwords() -> frozenset[str]:
    return frozenset(_FUNCTION_WORDS.split())


def reject_language(
    texts: Texts, *, languages: Names = ("en",), min_confidence: Share = 0.6, min_words: Count = 5
) -> Reasons:
    """`other_language` where a text is in none of `languages` (ISO 639), with `min_confidence` or more (py3langid).

    Texts of fewer than `min_words` words pass. Raises ValueError for a language that it does not know.
    """
    unknown = sorted(set(languages) - set(_identifier().labels))
    if unknown:
        raise ValueError(f"{unknown[0]} is no language that can be told; there are {', '.join(_identifier().labels)}")

    def refused(text: str) -> bool:
        language, confidence = language_of(text)
        return language not in languages and confidence >= min_confidence and _has_words(text, min_words)

    return _reasons(texts, refused, "other_language")


def language_of(text: str) -> tuple[str, float]:
    """The likeliest language of a text's first ten thousand characters, and how sure that is (0 to 1)."""
    return _identifier().classify(text[:_SAMPLE_CHARACTERS])


@functools.cache
def _identifier() -> Any:
    """Read the model that comes with py3langid: about half a second, once in each process.

    It goes without Nigerian Pidgin, which it sees in much English that is written in haste.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([language for language in identifier.labels if language != _PIDGIN])
    return identifier


def _has_words(text: str, count: int) -> bool:
    """Whether a text has so many words; scripts without spaces count by characters."""
    return sum(1 for _ in WORD.finditer(text)) >= count or sum(sign >= "\u3040" for sign in text) >= 2 * count

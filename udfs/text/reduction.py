"""Steps that reduce words to stems or to dictionary forms."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from udfs.options import Probability
from udfs.rng import RowRandom
from udfs.text import tagging
from udfs.text.draws import fired, given_back, taken_apart
from udfs.text.values import Texts
from udfs.text.words import Words

REVISION = 1


@cache
def _stemmer() -> Any:
    """Porter's second stemmer for English (Porter 2001)."""
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


def stemming(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Cut each word to its stem with the probability `p`: `running`, `flies` to `run`, `fli`."""
    split = taken_apart(texts)
    places = fired(random, [len(words) for words in split], p)
    return given_back(texts, [_stemmed(words, some) for words, some in zip(split, places, strict=True)])


def _stemmed(words: Words, places: list[int]) -> str:
    """The words at these places as stems."""
    stems = {at: _stem(words.words[at].lower()) for at in places if len(words.words[at]) <= tagging.MAX_WORD_CHARS}
    return str(words.replaced({at: stem for at, stem in stems.items() if stem}))


def lemmatisation(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Put each word into its dictionary form with the probability `p`: `flies`, `better` to `fly`, `good`."""
    split = taken_apart(texts)
    places = fired(random, [len(words) for words in split], p)
    return given_back(texts, [_in_base_form(words, some) for words, some in zip(split, places, strict=True)])


def _in_base_form(words: Words, places: list[int]) -> str:
    """The words at these places as lemmas; contractions stay, and so does what no tag of an inflected form has."""
    if not places:
        return str(words)
    tags = tagging.tags(words)
    lemmas = {at: tagging.lemma(words.words[at], tags[at]) for at in places if len(tagging.parts(words.words[at])) == 1}
    changed = {at: lemma for at, lemma in lemmas.items() if lemma != words.words[at].lower()}
    return str(words.replaced(changed)) if changed else str(words)

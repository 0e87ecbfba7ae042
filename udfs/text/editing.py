"""Steps that move, drop and add words or sentences (Wei, Zou 2019, and Wu et al. 2020)."""

from __future__ import annotations

import numpy as np

from udfs.options import Probability, ShareSpan
from udfs.rng import Floats, RowRandom
from udfs.text import synonyms, tagging
from udfs.text.draws import fired, given_back, in_places, per_place, taken_apart
from udfs.text.english import FREQUENT, begins_sentence, is_plain_space, lowered
from udfs.text.values import Texts
from udfs.text.words import Words, sentences

REVISION = 1


def random_crop(random: RowRandom, texts: Texts, *, share: ShareSpan = (0.6, 0.9), p: Probability = 1.0) -> Texts:
    """Keep a run of `share` of the words, in a text with the probability `p`."""
    fires, shares, starts = random.bernoulli(p), random.uniform(*share), random.uniform()
    split = taken_apart(texts)
    spans = zip(split, shares.tolist(), starts.tolist(), strict=True)
    made = [_cropped(*each) if fires[row] else str(each[0]) for row, each in enumerate(spans)]
    return given_back(texts, made)


def _cropped(words: Words, share: float, start: float) -> str:
    """A run of the words; what stands before it and after it goes, but at the ends of the text."""
    count = max(1, round(share * len(words)))
    first = int(start * (len(words) - count + 1))
    last = first + count
    if count >= len(words):
        return str(words)
    before = words.gaps[0] if first == 0 else ""
    after = words.gaps[-1] if last == len(words) else ""
    return str(Words(words.words[first:last], (before, *words.gaps[first + 1 : last], after)))


def word_deletion(random: RowRandom, texts: Texts, *, p: Probability = 0.1) -> Texts:
    """Drop each word with the probability `p`; one stays."""
    split = taken_apart(texts)
    drawn = random.ragged([len(words) for words in split])
    made = [str(_shortened(words, numbers, p)) for words, numbers in zip(split, drawn, strict=True)]
    return given_back(texts, made)


def _shortened(words: Words, drawn: Floats, p: float) -> Words:
    """The words whose number is `p` or more; of several that are all below, the one with the largest."""
    places = set(np.flatnonzero(drawn < p).tolist())
    if places and len(places) == len(words):
        places.discard(int(drawn.argmax()))
    return words.without(places) if places else words


def word_swap(random: RowRandom, texts: Texts, *, p: Probability = 0.1) -> Texts:
    """Swap a word with the next, each with the probability `p`; the sentence's capital stays at its head."""
    split = taken_apart(texts)
    places = fired(random, [max(len(words) - 1, 0) for words in split], p)
    return given_back(texts, [_swapped(words, some) for words, some in zip(split, places, strict=True)])


def _swapped(words: Words, places: list[int]) -> str:
    """The words with neighbours swapped, each word once, and none over a mark."""
    mixed, busy = list(words.words), -1
    for at in places:
        if at <= busy or not is_plain_space(words.gaps[at + 1]):
            continue
        first, second = mixed[at], mixed[at + 1]
        if begins_sentence(words, at) and first[:1].isupper():
            first, second = lowered(first), second[:1].upper() + second[1:]
        mixed[at], mixed[at + 1] = second, first
        busy = at + 1
    return str(Words(tuple(mixed), words.gaps))


def word_insertion(random: RowRandom, texts: Texts, *, p: Probability = 0.1) -> Texts:
    """Put a word in after each with the probability `p`: a synonym of some word of the text, else a function word."""
    split = taken_apart(texts)
    places = fired(random, [len(words) for words in split], p)
    sources, choices = per_place(random, places), per_place(random, places)
    return given_back(texts, [str(_enriched(*each)) for each in zip(split, places, sources, choices, strict=True)])


def _enriched(words: Words, places: list[int], sources: Floats, choices: Floats) -> Words:
    """The words with one more after some places, but within a number or before a mark inside a sentence."""
    additions = {}
    for at, source, choice in zip(places, sources.tolist(), choices.tolist(), strict=True):
        if at + 1 == len(words) or is_plain_space(words.gaps[at + 1]):
            additions[at + 1] = _related(words.words[int(source * len(words))], choice)
    return words.inserted(additions) if additions else words


def _related(word: str, choice: float) -> str:
    """A synonym of a word in its form; a function word where it has none."""
    found = synonyms.in_form(word.lower(), tagging.tag_alone(word))
    return synonyms.chosen(found, choice) if found else FREQUENT[int(choice * len(FREQUENT))]


def sentence_shuffle(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Put the sentences of a text in another order, in a text with the probability `p`."""
    split = [sentences(text or "") for text in texts]
    fires, drawn = random.bernoulli(p), random.ragged([len(parts) for parts in split])
    made = [
        _shuffled(parts, np.argsort(numbers, kind="stable").tolist()) if fires[row] else "".join(parts)
        for row, (parts, numbers) in enumerate(zip(split, drawn, strict=True))
    ]
    return given_back(texts, made)


def _shuffled(parts: list[str], order: list[int]) -> str:
    """The sentences in this order, or moved round by one where it is theirs."""
    if order == sorted(order):
        order = [*order[1:], *order[:1]]
    return in_places([parts[at] for at in order], parts)

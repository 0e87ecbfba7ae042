"""Words replaced by synonyms, in the form that the place asks for.

A synonym shares a first sense with the word, and has it among its own first: `car` gives `automobile`, not `gondola`;
or it shares several. Of what is left, the more used words and those that share more senses are drawn more often.
Function words, numbers, names, contractions and parts of fixed phrases stay, and so does a word in a part of speech
that is rare for it: the tag is wrong, more likely. Synonyms of two words are left out: too few of them fit a sentence.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import Annotated

from udfs.options import Probability, Within
from udfs.rng import Floats, RowRandom
from udfs.text import tagging, thesaurus
from udfs.text.draws import fired, given_back, per_place, taken_apart
from udfs.text.english import FUNCTION_WORDS, PARTICLES, is_plain_space, with_articles
from udfs.text.values import Texts
from udfs.text.words import Words, listed

REVISION = 1
Found = tuple[tuple[str, ...], tuple[float, ...]]  # words in their form, running sums of their weights

_POS: dict[str, thesaurus.Pos] = {"N": "n", "V": "v", "J": "a", "R": "r"}
_TAGS = listed("NN NNS VB VBD VBG VBN VBP VBZ JJ JJR JJS RB RBR RBS")
_COARSE = listed(
    "shit crap piss pee fuck screw bang hump shag ass arse tit tits boob boobs whore slut bitch bastard nigger negro "
    "coon faggot fag dyke queer cock dick prick cunt pussy bugger sod turd fart retard cripple gook chink spic kike "
    "honkey tart hooker bonk poop dump shitty crappy fucking nookie stool wiener"
)
_RARE = 0.25  # of the senses of a word's main part of speech


def synonym_replacement(
    random: RowRandom,
    texts: Texts,
    *,
    p: Probability = 0.15,
    senses: Annotated[int, Within(1, 20)] = 1,
    min_count: Annotated[int, Within(0, 1000)] = 1,
) -> Texts:
    """Replace each word that has synonyms by one with the probability `p`, in its number, tense or degree and case.

    At `senses` of 1 it has to be a first sense of both, at 2 the second of one of them, and so on. `min_count`: how
    often a synonym occurs, at least, in a million words of English prose.
    """
    split = taken_apart(texts)
    places = fired(random, [len(words) for words in split], p)
    choices = per_place(random, places)
    return given_back(texts, [_replaced(*each, senses, min_count) for each in zip(split, places, choices, strict=True)])


def _replaced(words: Words, places: list[int], choices: Floats, senses: int, min_count: int) -> str:
    """The text with synonyms at those of the places that allow one."""
    open_places = [(at, choice) for at, choice in zip(places, choices.tolist(), strict=True) if _is_open(words, at)]
    tags = tagging.tags(words) if open_places else []
    changes = {}
    for at, choice in open_places:
        found = in_form(words.words[at].lower(), tags[at], senses, min_count)
        if found and not _is_in_phrase(words, tags, at):
            changes[at] = chosen(found, choice)
    return str(words.replaced(with_articles(words, changes))) if changes else str(words)


def _is_open(words: Words, at: int) -> bool:
    """Whether a word may be one of content, as far as it tells itself."""
    word = words.words[at]
    return word.lower() not in FUNCTION_WORDS and word.isascii() and word.replace("-", "").isalpha()


def _is_in_phrase(words: Words, tags: list[str], at: int) -> bool:
    """Whether a word belongs with a neighbour: `give up`, `ice cream`, a name's second word."""
    lemma = tagging.lemma(words.words[at], tags[at])
    if at + 1 < len(words) and is_plain_space(words.gaps[at + 1]):
        after = words.words[at + 1].lower()
        if (tags[at][0] == "V" and after in PARTICLES) or tags[at + 1].startswith("NNP"):
            return True
        if thesaurus.has(f"{lemma} {after}") or thesaurus.has(f"{lemma} {tagging.lemma(after, tags[at + 1])}"):
            return True
    if not at or not is_plain_space(words.gaps[at]):
        return False
    before = tagging.lemma(words.words[at - 1], tags[at - 1])
    return thesaurus.has(f"{before} {lemma}") or (words.words[at][:1].isupper() and tags[at - 1].startswith("NNP"))


def chosen(found: Found, choice: float) -> str:
    """The word on which a number of [0, 1) falls."""
    words, sums = found
    return words[min(bisect_right(sums, choice * sums[-1]), len(words) - 1)]


@lru_cache(maxsize=1 << 16)
def in_form(word: str, tag: str, senses: int = 1, min_count: int = 1) -> Found | None:
    """The synonyms of a word in small letters, in the form that its tag asks for; null for none."""
    if tag not in _TAGS or word in FUNCTION_WORDS or len(word) > tagging.MAX_WORD_CHARS:
        return None
    lemma, pos = tagging.lemma(word, tag), _POS[tag[0]]
    if lemma in FUNCTION_WORDS or thesaurus.share_of(lemma, pos) < _RARE:
        return None
    weights: dict[str, float] = {}
    for other in sorted({other for sense in thesaurus.synonyms(lemma, pos) for other in sense}):
        form = tagging.inflected(other, tag) if _is_usable(other, min_count) else None
        weight = _closeness(lemma, other, pos, senses) * (1 + thesaurus.count(other)) ** 0.5
        if form and weight and form != word and other != lemma:
            weights[form] = max(weight, weights.get(form, 0.0))
    return (tuple(weights), tuple(accumulate(weights.values()))) if weights else None


def _closeness(lemma: str, other: str, pos: thesaurus.Pos, senses: int) -> float:
    """How near two words are: by how many senses they share, and which; 0 for too far apart."""
    own, back = thesaurus.shared(lemma, other, pos), thesaurus.shared(other, lemma, pos)
    if not back or (len(own) < 2 and own[0] + back[0] >= senses):
        return 0.0
    return len(own) ** 2 / (1 + own[0] + back[0])


def _is_usable(other: str, min_count: int) -> bool:
    """Whether a synonym can stand in any text: one word in small letters, used enough, not coarse."""
    is_plain = other.isascii() and other.isalpha() and other.islower() and len(other) > 1
    return is_plain and thesaurus.count(other) >= min_count and other not in _COARSE and other not in FUNCTION_WORDS

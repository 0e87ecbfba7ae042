"""Small facts of English that several steps need: function words, `a` and `an`, capitals at a sentence's head."""

from __future__ import annotations

import re

from udfs.text import tagging
from udfs.text.words import Words, is_first, listed

FREQUENT = ("the", "of", "and", "to", "a", "in", "that", "it", "for", "on", "with", "as", "so", "but", "at", "just")
PARTICLES = listed("up off out down away back over along apart on in around through about after for into across")
FUNCTION_WORDS = PARTICLES | listed(
    "a an the this that these those some any no every each either neither both all half many much more most few fewer "
    "less least several enough other another such same own one ones two three four five six seven eight nine ten "
    "hundred thousand million billion first second third last next i me my mine myself you your yours yourself he him "
    "his himself she her hers herself it its itself we us our ours ourselves they them their theirs themselves who "
    "whom whose which what whatever whoever when where why how whether if because although though while since until "
    "unless than as so and or but nor yet for of to in on at by with from into onto about above below under over "
    "between among through during before after against without within toward towards upon via per be am is are was "
    "were been being have has had having do does did doing done can could will would shall should may might must ought "
    "not never ever also too very quite rather just only even still already again always often sometimes here there "
    "now then thus hence however therefore else well please yes ok okay oh let lets got get gets getting gotten used "
    "everything everyone everybody something someone somebody anything anyone anybody nothing nobody none today "
    "tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday january february march april june "
    "july august september october november december don doesn didn isn aren wasn weren won t s ll re ve d m u ur im "
    "dont cant wont mr mrs ms dr st vs etc lot lots kind sort bit am pm kg km cm mm"
)
_VOWEL = re.compile(r"(?:[aeiou]|hour|heir|hono|honest)", re.IGNORECASE)
_CONSONANT = re.compile(r"(?:uni(?![dmn])|us[eu]|uti|ura|ubi|eu|ewe|one(?![a-z])|once|u(?![a-z]))", re.IGNORECASE)
_SPELT = re.compile(r"[AEFHILMNORSX](?:[A-Z]|\b)")
_EIGHT = re.compile(r"(?:8|1[18](?!\d))")


def article_for(word: str) -> str:
    """`a` or `an`, by the sound that a word begins with, as far as its spelling tells."""
    if word.isupper() and len(word) > 1 and not re.search(r"[AEIOU]", word[1:]):
        return "an" if _SPELT.match(word) else "a"  # spelt out: an FBI
    has_vowel = bool(_EIGHT.match(word)) or (bool(_VOWEL.match(word)) and not _CONSONANT.match(word))
    return "an" if has_vowel else "a"


def with_articles(words: Words, changes: dict[int, str]) -> dict[int, str]:
    """The changes, and `a` or `an` changed before those that no longer go with it."""
    repairs = {}
    for at, word in changes.items():
        before = words.words[at - 1].lower() if at else ""
        if before in ("a", "an") and words.gaps[at].isspace() and article_for(word) != before:
            repairs[at - 1] = article_for(word)
    return repairs | changes


def lowered(word: str) -> str:
    """A word from a sentence's head as it stands elsewhere: names, `I` and what is all capitals stay."""
    if word[:1].islower() or word[1:] != word[1:].lower() or tagging.parts(word)[0] == "I":
        return word
    return word if tagging.tag_alone(word, begins=True).startswith("NNP") else word[:1].lower() + word[1:]


def is_plain_space(gap: str) -> bool:
    """Whether nothing but spaces stands between two words of one line."""
    return gap == " " or (gap.isspace() and "\n" not in gap)


def begins_sentence(words: Words, at: int) -> bool:
    """Whether the word at a place begins a sentence."""
    return at == 0 or (words.gaps[at] != " " and is_first(words.words, words.gaps, at))

"""Steps that contract auxiliaries, and that write contractions out.

What may be read in two ways (`'s` of is, of has and of whose, `'d` of had and of would) is written out only where the
word behind it tells.
"""

from __future__ import annotations

from collections.abc import Callable

from udfs.options import Probability
from udfs.rng import RowRandom
from udfs.text.draws import fired, given_back, taken_apart
from udfs.text.syntax.forms import verbs_of
from udfs.text.syntax.lists import BE, DETERMINERS, DO, HAVE, MODALS, NOMINATIVE, PREPOSITIONS, QUESTIONS, TIME_ADVERBS
from udfs.text.syntax.verbs import is_manner
from udfs.text.values import Texts
from udfs.text.words import Words, cased_like, is_first, listed

REVISION = 1
Sites = dict[int, tuple[str, int]]  # places of words, what stands there instead, and of how many words

_NEGATED = {
    "is": "isn't", "are": "aren't", "was": "wasn't", "were": "weren't", "do": "don't", "does": "doesn't",
    "did": "didn't", "has": "hasn't", "have": "haven't", "had": "hadn't", "can": "can't", "could": "couldn't",
    "will": "won't", "would": "wouldn't", "should": "shouldn't", "must": "mustn't",
}  # fmt: skip
_WRITTEN_OUT = {short: f"{plain} not" for plain, short in _NEGATED.items()} | {"can't": "cannot", "shan't": "shall not"}
_ENDINGS = {"m": "am", "re": "are", "ve": "have", "ll": "will"}
_SUBJECTS = listed("i you he she it we they")
_PEOPLE = _SUBJECTS - {"it"}
_SHORT = {"am": "m", "are": "re", "is": "s", "has": "s", "have": "ve", "had": "d", "will": "ll", "would": "d"}
_GOES_WITH = {
    "am": {"i"}, "are": {"you", "we", "they"}, "is": {"he", "she", "it"}, "has": {"he", "she", "it"},
    "have": {"i", "you", "we", "they"}, "had": _PEOPLE, "will": _PEOPLE, "would": _PEOPLE,
}  # fmt: skip
_WITH_S = listed("he she it that there here what who where")
_JOINING = listed("and or nor than as")
_AUXILIARIES = BE | HAVE | DO | MODALS
_WOULD = listed("like love rather be have prefer hate want need go say think")
_IS = DETERMINERS | listed("not very so too in on at from about under quite really going all always never just only")


def contraction(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Contract auxiliaries with `not` or with a pronoun (do not: don't, I am: I'm), each with probability `p`."""
    return _changed(random, texts, p, contractible)


def expansion(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Write contractions out (don't: do not, I'm: I am), each with probability `p`."""
    return _changed(random, texts, p, expandable)


def _changed(random: RowRandom, texts: Texts, p: float, find: Callable[[Words], Sites]) -> Texts:
    """The texts with some of what is found in them replaced."""
    split = taken_apart(texts)
    found = [find(words) for words in split]
    places = fired(random, [len(each) for each in found], p)
    made = list[str]()
    for words, sites, some in zip(split, found, places, strict=True):
        keys = list(sites)
        made.append(str(replaced(words, {keys[at]: sites[keys[at]] for at in some})))
    return given_back(texts, made)


def replaced(words: Words, changes: Sites) -> Words:
    """Words with others in place of the one or more that begin at some places."""
    if not changes:
        return words
    new, gaps, skip = list[str](), [words.gaps[0]], 0
    for at, word in enumerate(words.words):
        if skip:
            gaps[-1] = words.gaps[at + 1]
        else:
            new.append(_cased(changes[at][0], word) if at in changes else word)
            gaps.append(words.gaps[at + 1])
        skip = changes[at][1] - 1 if at in changes else max(skip - 1, 0)
    return Words(tuple(new), tuple(gaps))


def _cased(new: str, word: str) -> str:
    """What replaces a word in the word's case; `I` says nothing of the case."""
    return new[:1].upper() + new[1:] if word == "I" else cased_like(new, word)


def expandable(words: Words) -> Sites:
    """The places of contractions that are surely read in one way, and what they are written out."""
    small = [word.lower().replace("’", "'") for word in words.words]
    found = {at: _expanded(words, small, at) for at, word in enumerate(small) if "'" in word}
    return {at: (new, 1) for at, new in found.items() if new}


def _expanded(words: Words, small: list[str], at: int) -> str:
    """A contraction written out; empty where the rules are not sure."""
    following = small[at + 1] if at + 1 < len(small) and words.gaps[at + 1] == " " else ""
    begins = is_first(words.words, words.gaps, at) or words.gaps[at] != " "
    if small[at] in _WRITTEN_OUT:
        asks = following in NOMINATIVE or following == "i" or (not begins and small[at - 1] in QUESTIONS)
        asks = asks or (begins and small[at] != "don't")
        return "" if asks else _WRITTEN_OUT[small[at]]
    before, _, ending = small[at].partition("'")
    if ending in _ENDINGS and (before in _SUBJECTS or (ending == "ve" and before in MODALS)):
        return f"{'I' if before == 'i' else before} {_ENDINGS[ending]}"
    if small[at] == "let's":
        return "let us" if verbs_of(following, "VB") else ""
    auxiliary = _of_s(following) if ending == "s" and before in _WITH_S else ""
    if ending == "d" and before in _SUBJECTS:
        auxiliary = _of_d(following)
    return f"{'I' if before == 'i' else before} {auxiliary}" if auxiliary else ""


def _of_s(following: str) -> str:
    """What `'s` is before a word: is, has, or empty where it may be both."""
    if following in ("been", "got", "had"):
        return "has"
    return "is" if following in _IS or (following.endswith("ing") and verbs_of(following, "VBG")) else ""


def _of_d(following: str) -> str:
    """What `'d` is before a word: had, would, or empty where it may be both."""
    if following in ("better", "been"):
        return "had"
    is_base, is_participle = bool(verbs_of(following, "VB")), bool(verbs_of(following, "VBN"))
    if following in _WOULD or (is_base and not is_participle):
        return "would"
    return "had" if is_participle and not is_base else ""


def contractible(words: Words) -> Sites:
    """The places of two words that are surely said as one, and that one; `cannot` is two of them."""
    small = [word.lower() for word in words.words]
    found: Sites = {at: ("can't", 1) for at, word in enumerate(words.words) if word == "cannot"}
    for at in range(len(small) - 1):
        if words.gaps[at + 1] == " " and at - 1 not in found and not _shouts(words.words[at], words.words[at + 1]):
            new = _negative(words, small, at) if small[at + 1] == "not" else _with_subject(words, small, at)
            found |= {at: (new, 2)} if new else {}
    return dict(sorted(found.items()))


def _shouts(*pair: str) -> bool:
    """Whether a word is written in capitals for its weight."""
    return any(len(word) > 1 and word.isupper() for word in pair)


def _negative(words: Words, small: list[str], at: int) -> str:
    """An auxiliary with its `not`; empty where they may not be one."""
    following = small[at + 2] if at + 2 < len(small) else ""
    begins = is_first(words.words, words.gaps, at) or words.gaps[at] != " "
    if following == "only" or (begins and small[at] != "do"):
        return ""
    return _NEGATED.get(small[at], "")


def _with_subject(words: Words, small: list[str], at: int) -> str:
    """A pronoun with its auxiliary; empty where they may not be one."""
    subject, auxiliary = small[at], small[at + 1]
    if subject not in _GOES_WITH.get(auxiliary, ()) or at + 2 >= len(small) or words.gaps[at + 2] != " ":
        return ""
    before, following = small[at - 1] if at and words.gaps[at] == " " else "", small[at + 2]
    asks = any(each in QUESTIONS for each in small[max(at - 5, 0) : at]) and auxiliary in BE  # `what they are in life`
    if asks or before in _AUXILIARIES or before in PREPOSITIONS or before in _JOINING:
        return ""
    if following in TIME_ADVERBS or (following == "not" and auxiliary != "am"):
        return ""
    tag = {"has": "VBN", "have": "VBN", "had": "VBN", "will": "VB", "would": "VB"}.get(auxiliary)
    fits = not tag or following in ("been", "better") or is_manner(following) or bool(verbs_of(following, tag))
    return f"{'I' if subject == 'i' else subject}'{_SHORT[auxiliary]}" if fits else ""

"""Steps that move clauses and adverbs, and that split and join sentences.

A sentence is changed where the rules are sure of it, and all else stays as it is: whoever reads a changed text should
not see that it is one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from udfs.options import Probability, Within
from udfs.rng import RowRandom
from udfs.text.sentencewise import changed
from udfs.text.syntax.adverbials import is_time
from udfs.text.syntax.lists import BE, DETERMINERS, NOMINATIVE, PREPOSITIONS, TIME_ADVERBS
from udfs.text.syntax.tokens import Sentence, Unsure, put_together, split_clitics, taken_apart
from udfs.text.syntax.verbs import is_manner
from udfs.text.syntax.wholes import is_whole
from udfs.text.values import Texts
from udfs.text.words import listed, sentences

REVISION = 1
Mark = Literal["any", "and", "semicolon"]

_FRONTED = listed("because when if although though while after before since unless")
_BEFORE_CLAUSE = listed(
    "even just only as not especially particularly except ever long soon shortly right immediately day year "
    "week month hour minute days years weeks months hours minutes time moment reason part scene point case "
    "instance situation period age era place"
)  # what would be torn from the conjunction
_ASKING = listed(
    "wonder wonders wondered ask asks asked know knows knew known see sees saw tell tells told doubt care "
    "cares cared mind check checked decide remember remembers remembered forget forgot say says said think "
    "thought hear heard"
)
_OF_SENTENCES = listed(
    "unfortunately fortunately luckily obviously clearly hopefully frankly honestly actually really similarly "
    "additionally consequently accordingly interestingly surprisingly strangely oddly importantly apparently "
    "evidently presumably basically literally technically theoretically historically politically economically "
    "lastly firstly secondly thirdly thankfully regrettably understandably seriously simply ultimately "
    "completely totally absolutely fully highly deeply strongly extremely badly greatly truly merely namely "
    "specifically notably conversely relatively approximately easily nicely lightly kindly poorly exactly "
    "precisely roughly nearly regretfully incidentally naturally predictably personally remarkably inevitably "
    "ironically coincidentally curiously supposedly undoubtedly mercifully admittedly arguably conceivably "
    "essentially fundamentally ideally stylistically altogether tremendously"
)
_DEGREES = listed(
    "very so too more most as quite rather less least how pretty fairly really extremely nearly almost just about set"
)
_NEGATIONS = listed("not never cannot nobody nothing no hardly")
_THIRD = listed("he she it they him her them his its their")  # what would come before the name that it stands for
_MOVING_TIMES = listed("yesterday today tonight tomorrow recently")


def clause_fronting(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Move clauses with `because`, `when`, `if` and their like to their sentence's front, or back to its end.

    Each sentence with probability `p`.
    """
    return changed(random, texts, p, front_clause)


def adverb_moving(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Move an adverb of manner or a time from a sentence's end to its front, or back; each with probability `p`."""
    return changed(random, texts, p, move_adverb)


def conjunction_split(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Make two sentences of two clauses with `, and` between them, each with probability `p`."""
    return changed(random, texts, p, split_conjunction)


def conjunction_join(
    random: RowRandom,
    texts: Texts,
    *,
    mark: Mark = "any",
    max_words: Annotated[int, Within(2, 30)] = 12,
    p: Probability = 1.0,
) -> Texts:
    """Join two sentences of at most `max_words` each by `, and` or `;`, each two with probability `p`."""
    parts = [sentences(text or "") for text in texts]
    draws, marks = (random.ragged([len(each) for each in parts]) for _ in range(2))
    made = list[str]()
    for some, fires, choices in zip(parts, draws, marks, strict=True):
        joined = list[str]()
        for each, draw, choice in zip(some, fires, choices, strict=True):
            chosen = mark if mark != "any" else "and" if choice < 0.5 else "semicolon"
            both = join_sentences(joined[-1], each, chosen, max_words) if joined and draw < p else None
            joined = [*joined[:-1], both] if both else [*joined, each]
        made.append("".join(joined))
    return [text and new for text, new in zip(texts, made, strict=True)]


def _tokens(text: str) -> Sentence | None:
    """A sentence's tokens; null where the rules are not sure of them."""
    try:
        return taken_apart(text)
    except Unsure:
        return None


def front_clause(sentence: str) -> str | None:
    """The sentence with its subordinate clause at its other end; null where the rules are not sure of it."""
    if not any(each in _FRONTED for each in sentence.lower().split()):
        return None
    told = _tokens(sentence)
    if told is None:
        return None
    places = [at for at, each in enumerate(told.tokens) if each in _FRONTED]
    if len(places) != 1:
        return None
    return _fronted(told, places[0]) if places[0] else _moved_back(told)


def _fronted(told: Sentence, at: int) -> str | None:
    """`A because B` as `Because B, A`."""
    main, clause = told.tokens[:at], told.tokens[at + 1 :]
    if main[-1] == "," and told.tokens[at] in ("although", "though", "while"):
        main = main[:-1]
    is_bound = main[-1] in _BEFORE_CLAUSE or main[-1] in PREPOSITIONS or set(main) & (_ASKING | _NEGATIONS | {"to"})
    if is_bound or any(each.endswith("n't") for each in main) or not is_whole(main) or not is_whole(clause):
        return None
    return put_together(told, [told.tokens[at], *clause, ",", *main])


def _moved_back(told: Sentence) -> str | None:
    """`Because B, A` as `A because B`."""
    if told.tokens.count(",") != 1:
        return None
    at = told.tokens.index(",")
    clause, main = told.tokens[1:at], told.tokens[at + 1 :]
    refers = clause[0] not in NOMINATIVE and set(main) & _THIRD
    if refers or set(main) & (_ASKING | _NEGATIONS | {"to"}) or any(each.endswith("n't") for each in main):
        return None
    if not is_whole(main) or not is_whole(clause):
        return None
    return put_together(told, [*main, told.tokens[0], *clause])


def move_adverb(sentence: str) -> str | None:
    """The sentence with its adverb of manner or time at its other end; null where the rules are not sure of it."""
    told = _tokens(sentence)
    if told is None or set(told.tokens) & (_NEGATIONS | {"to"}) or any(each.endswith("n't") for each in told.tokens):
        return None
    tokens = told.tokens
    if any(each.endswith("ing") and before in PREPOSITIONS for before, each in pairwise(tokens)):
        return None
    size = _first_size(tokens)
    if size:
        main = tokens[size + 1 :] if tokens[size] == "," else tokens[size:]
        is_free = not _last_size(main) and not is_manner(main[-1]) and not _is_of_sentence(tokens[0], main)
        return put_together(told, [*main, *tokens[:size]]) if is_free and is_whole(main) else None
    size = _last_size(tokens)
    if not size or not is_whole(tokens[:-size]):
        return None
    return put_together(told, [*tokens[-size:], ",", *tokens[:-size]])


def _is_of_sentence(adverb: str, main: tuple[str, ...]) -> bool:
    """Whether an adverb of manner judges what is said rather than tells how: `amazingly, he was right`."""
    is_about_being = bool(set(split_clitics(main)) & (BE | {"'s"}))
    return is_manner(adverb) and (is_about_being or adverb.endswith(("ally", "ingly")))


def _first_size(tokens: tuple[str, ...]) -> int:
    """How many tokens the adverb has that a sentence begins with; 0: none that may move."""
    for size in (4, 3, 2):
        has_comma = tokens[size : size + 1] == (",",)
        if len(tokens) > size + 2 and is_time(tokens[:size]) and (has_comma or tokens[0] not in PREPOSITIONS):
            return size
    return int(_may_move(tokens[0]))


def _last_size(tokens: tuple[str, ...]) -> int:
    """How many tokens the adverb has that a sentence ends with; 0: none that may move."""
    for size in (4, 3, 2):
        part, before = tokens[-size:], tokens[-size - 1 : -size]
        if len(tokens) > size + 2 and is_time(part) and before and not _holds(before[0]) and before[0] not in _DEGREES:
            return 0 if part[0] in ("a", "an", "per", "for") else size
    return int(len(tokens) > 2 and _may_move(tokens[-1]) and tokens[-2] not in _DEGREES and not _holds(tokens[-2]))


def _holds(word: str) -> bool:
    """Whether a word before an adverb binds it."""
    is_bound = word in PREPOSITIONS or word in TIME_ADVERBS or word in DETERMINERS or word.endswith("ing")
    return is_bound or word in ("of", ",") or is_manner(word)


def _may_move(word: str) -> bool:
    """Whether a word is an adverb that may stand at either end."""
    return word in _MOVING_TIMES or (is_manner(word) and word.endswith("ly") and word not in _OF_SENTENCES)


def split_conjunction(sentence: str) -> str | None:
    """`A, and B.` as `A. B.`; null where the rules are not sure of it."""
    if ", and " not in sentence:
        return None
    told = _tokens(sentence)
    if told is None or told.opening.strip() or told.tokens.count(",") != 1 or not told.closing.startswith("."):
        return None
    at = told.tokens.index(",")
    first, second = told.tokens[:at], told.tokens[at + 2 :]
    if told.tokens[at + 1] != "and" or not is_whole(first) or not is_whole(second):
        return None
    joined = put_together(told, [*second])
    return put_together(told, [*first]).removesuffix(told.closing) + ". " + joined[len(told.opening) :]


def join_sentences(first: str, second: str, mark: str, max_words: int) -> str | None:
    """Two sentences as one, by `, and` or a semicolon; null where the rules are not sure of it."""
    if len(first) + len(second) > 20 * max_words or not first.endswith(" ") or "\n" in first:
        return None
    one, other = _tokens(first), _tokens(second)
    if one is None or other is None or one.closing.strip() != "." or other.closing.strip() != ".":
        return None
    if max(len(one.tokens), len(other.tokens)) > max_words or one.opening.strip() or other.opening.strip():
        return None
    if not is_whole(one.tokens) or not is_whole(other.tokens):
        return None
    links = [",", "and"] if mark == "and" else [";"]
    return put_together(other, [*one.tokens, *links, *other.tokens]).replace(" ;", ";") if not one.opening else None

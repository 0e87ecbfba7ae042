"""A sentence as one simple clause: who did what to what, and when; or by whom it was done.

The rules refuse what they are not sure of: the whole sentence must fit, in one way alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from udfs.text.syntax.adverbials import Adverbial, adverbials_of, is_time
from udfs.text.syntax.lists import (
    ACCUSATIVE,
    LINKING,
    NOMINATIVE,
    PREPOSITIONS,
    QUANTIFIERS,
    QUESTIONS,
    SUBORDINATORS,
)
from udfs.text.syntax.nouns import Phrase, phrase_of
from udfs.text.syntax.roles import (
    attached,
    check_agent,
    check_object,
    check_pair,
    check_verb,
    is_in_case,
    person_of,
)
from udfs.text.syntax.tokens import Sentence, Unsure, split_clitics, taken_apart
from udfs.text.syntax.verbs import Verbs, is_manner, read

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Clause:
    """A transitive clause of either voice: the agent does it, the patient has it done."""

    sentence: Sentence
    front: Tokens
    agent: Phrase
    verbs: Verbs
    patient: Phrase
    middle: tuple[Adverbial, ...]  # bound to the verb
    rest: tuple[Adverbial, ...]


def active_clause(text: str) -> Clause:
    """The active clause with an object that a sentence is; else Unsure, with a reason."""
    return _only(text, False)


def passive_clause(text: str) -> Clause:
    """The passive clause with an agent that a sentence is; else Unsure, with a reason."""
    return _only(text, True)


def _only(text: str, is_passive: bool) -> Clause:
    """The one clause that a sentence can be read as."""
    if is_passive and " by " not in text:
        raise Unsure("no_agent")
    sentence = taken_apart(text)
    tokens = split_clitics(sentence.tokens)
    if set(tokens) & (QUESTIONS | SUBORDINATORS) or "that" in tokens[1:]:
        raise Unsure("several_clauses")
    if tokens[0] == "there":
        raise Unsure("existential")
    front, tokens = _front(tokens)
    if "," in tokens:
        raise Unsure("several_clauses")
    if is_passive and tokens.count("by") != 1:
        raise Unsure("no_agent")
    found = list(_readings(sentence, front, tokens, is_passive))
    reasons = [each for each in found if isinstance(each, Unsure)]
    clauses = [each for each in found if isinstance(each, Clause)]
    if len(clauses) == 1 and not any(each.args[1:] for each in reasons):
        return clauses[0]
    if clauses and len(clauses) + len(reasons) > 1:
        raise Unsure("ambiguous")
    raise max(reasons, key=lambda each: len(each.args), default=Unsure("unsure_verb"))


def _front(tokens: Tokens) -> tuple[Tokens, Tokens]:
    """An adverb, a time or a prepositional phrase before the subject, and what follows it."""
    if tokens.count(",") == 1:
        at = tokens.index(",")
        part = tokens[:at]
        told = adverbials_of(part) if part else None
        if (told and len(told) == 1) or (len(part) == 1 and part[0].endswith("ly")):
            return tokens[: at + 1], tokens[at + 1 :]
        return (), tokens
    for end in (3, 2, 1):
        if is_time(tokens[:end]) and (tokens[0] not in PREPOSITIONS) and len(tokens) > end + 2:
            return tokens[:end], tokens[end:]
    is_free = is_manner(tokens[0]) and tokens[1] not in QUANTIFIERS and not tokens[1][0].isdigit()
    return (tokens[:1], tokens[1:]) if is_free else ((), tokens)


def _readings(sentence: Sentence, front: Tokens, tokens: Tokens, is_passive: bool) -> Iterator[Clause | Unsure]:
    """The clauses that the tokens may be, and why others failed; a second word marks what was a whole clause."""
    for at in range(1, len(tokens)):
        subject = phrase_of(tokens[:at], True)
        if subject is None or not is_in_case(subject, NOMINATIVE):
            continue
        try:
            groups, size = read(tokens[at:], is_passive)
        except Unsure as unsure:
            yield unsure
            continue
        persons = set(person_of(subject))
        groups = [each for each in groups if persons & set(each.persons)]
        if not groups:
            continue
        after = tokens[at + size :]
        try:
            if is_passive:
                yield _passive(sentence, front, subject, groups, after)
            else:
                yield _active(sentence, front, subject, groups, after)
        except Unsure as unsure:
            yield unsure


def _active(sentence: Sentence, front: Tokens, agent: Phrase, groups: list[Verbs], after: Tokens) -> Clause:
    """A clause of a subject, verbs and what follows them."""
    for end in range(len(after), 0, -1):
        patient, rest = _without_time(after[:end]), adverbials_of(after[end:])
        if patient is None or rest is None:
            continue
        verbs = _of_one_tense(groups, front, rest)
        if not is_in_case(patient, ACCUSATIVE):
            raise Unsure("no_object")
        try:
            check_verb(verbs)
            check_object(verbs, patient, rest)
            patient, middle, end_part = attached(verbs, patient, rest)
            check_pair(agent, verbs, patient)
        except Unsure as unsure:
            raise Unsure(unsure.args[0], "whole") from unsure
        return Clause(sentence, front, agent, verbs, patient, tuple(middle), tuple(end_part))
    raise Unsure("linking_verb" if groups[0].lemma in LINKING else "no_object")


def _passive(sentence: Sentence, front: Tokens, patient: Phrase, groups: list[Verbs], after: Tokens) -> Clause:
    """A clause of a subject, verbs, what is bound to them, a by-phrase and what follows it."""
    at = after.index("by") if "by" in after else -1
    middle = adverbials_of(after[: max(at, 0)])
    if at < 0 or middle is None:
        raise Unsure("no_agent")
    for end in range(len(after), at + 1, -1):
        agent, rest = _without_time(after[at + 1 : end]), adverbials_of(after[end:])
        if agent is None or rest is None:
            continue
        if not is_in_case(agent, ACCUSATIVE):
            raise Unsure("no_agent")
        try:
            check_verb(groups[0])
            check_agent(groups[0], agent, rest)
            check_pair(agent, groups[0], patient)
        except Unsure as unsure:
            raise Unsure(unsure.args[0], "whole") from unsure
        return Clause(sentence, front, agent, groups[0], patient, tuple(middle), tuple(rest))
    raise Unsure("no_agent")


def _without_time(tokens: Tokens) -> Phrase | None:
    """The noun phrase that the tokens are, unless it would end with what says when."""
    return None if any(is_time(tokens[at:]) for at in range(1, len(tokens))) else phrase_of(tokens)


def _of_one_tense(groups: list[Verbs], front: Tokens, rest: list[Adverbial]) -> Verbs:
    """The group, or that of the past where the time is surely past."""
    if len(groups) == 1:
        return groups[0]
    told = {*front, *(token for each in rest for token in each.tokens)}
    past = [each for each in groups if each.is_past]
    if len(past) == 1 and past[0].lemma != past[0].spelled:
        return past[0]  # `saw` is of see
    if len(past) == 1 and told & {"yesterday", "ago", "last", "Yesterday", "Last"}:
        return past[0]
    raise Unsure("unsure_tense")

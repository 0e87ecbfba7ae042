"""Steps that turn active sentences into passive ones, and back.

A sentence is changed where it is surely one simple clause with an agent and a patient; all others stay as they are.
"""

from __future__ import annotations

from collections import Counter

from udfs.options import Probability
from udfs.rng import RowRandom
from udfs.text.clauses import Clause, active_clause, passive_clause
from udfs.text.sentencewise import changed
from udfs.text.syntax.lists import ACCUSATIVE, NOMINATIVE
from udfs.text.syntax.roles import person_of
from udfs.text.syntax.tokens import Unsure, put_together
from udfs.text.syntax.verbs import written
from udfs.text.values import Texts
from udfs.text.words import sentences

REVISION = 1


def passive_voice(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Make active sentences passive, each with probability `p` where the rules are sure of it."""
    return changed(random, texts, p, to_passive)


def active_voice(random: RowRandom, texts: Texts, *, p: Probability = 1.0) -> Texts:
    """Make passive sentences that name their agent active, each with probability `p` where the rules are sure of it."""
    return changed(random, texts, p, to_active)


def to_passive(sentence: str) -> str | None:
    """The sentence in the passive; null where the rules are not sure of it."""
    try:
        return passive_of(active_clause(sentence))
    except Unsure:
        return None


def to_active(sentence: str) -> str | None:
    """The passive sentence in the active; null where the rules are not sure of it."""
    try:
        return active_of(passive_clause(sentence))
    except Unsure:
        return None


def voiced(text: str, *, passive: bool = True) -> tuple[str, int, dict[str, int]]:
    """A text with all its sentences in a voice, how many were changed, and why how many others were not."""
    told, changed, skipped = list[str](), 0, Counter[str]()
    for sentence in sentences(text):
        try:
            new = passive_of(active_clause(sentence)) if passive else active_of(passive_clause(sentence))
        except Unsure as unsure:
            told.append(sentence)
            skipped[unsure.args[0]] += 1
        else:
            told.append(new)
            changed += 1
    return "".join(told), changed, dict(skipped)


def passive_of(clause: Clause) -> str:
    """The clause's patient first, the agent behind `by`; else Unsure."""
    subject = clause.patient.in_case(ACCUSATIVE)
    verbs = _agreeing(clause, True)
    middle = [token for each in clause.middle for token in each.tokens]
    agent = ["by", *clause.agent.in_case(NOMINATIVE)]
    return _sentence(clause, [*subject, *verbs, *middle, *agent])


def active_of(clause: Clause) -> str:
    """The clause's agent first, the patient behind the verb; else Unsure."""
    subject = clause.agent.in_case(ACCUSATIVE)
    verbs = _agreeing(clause, False)
    middle = [token for each in clause.middle for token in each.tokens]
    return _sentence(clause, [*subject, *verbs, *clause.patient.in_case(NOMINATIVE), *middle])


def _agreeing(clause: Clause, is_passive: bool) -> list[str]:
    """The verbs of the other voice, agreeing with its subject."""
    subject = clause.patient if is_passive else clause.agent
    forms = [written(clause.verbs, is_passive, each) for each in person_of(subject)]
    if any(each != forms[0] for each in forms):
        raise Unsure("unsure_number")
    return forms[0]


def _sentence(clause: Clause, core: list[str]) -> str:
    """The clause's words between what stood before and after it."""
    rest = [token for each in clause.rest for token in each.tokens]
    return put_together(clause.sentence, [*clause.front, *core, *rest])

"""Whether a verb's object is surely a patient, and a by-phrase surely an agent; and what belongs to which."""

from __future__ import annotations

from udfs.text.syntax.adverbials import Adverbial, is_time
from udfs.text.syntax.lists import (
    ADDRESSING,
    BODY,
    COMPASS,
    COMPLEMENTS,
    DIRECTIONS,
    IDIOMS,
    LINKING,
    MASS,
    MAY_BE_PLACES,
    MOVERS,
    NEGATABLE,
    NEGATIVES,
    NO_PASSIVE,
    NOT_AGENTS,
    PLACERS,
    PLACES,
    POSITIONING,
    POSSESSIVES,
    QUANTIFIERS,
    REFLEXIVES,
    ROUTES,
    SUPPLIERS,
    TAKING_OF,
    TIME_NOUNS,
    TWO_OBJECTS,
)
from udfs.text.syntax.nouns import Phrase
from udfs.text.syntax.tokens import Unsure
from udfs.text.syntax.verbs import Verbs
from udfs.text.words import listed

_MEASURES = TIME_NOUNS | listed(
    "mile kilometre kilometer metre meter inch foot acre distance dollar pound kilo euro home times bit"
)


def check_verb(verbs: Verbs) -> None:
    """Refuse verbs that link, that have no passive, and groups whose passive nobody says."""
    if verbs.lemma in LINKING:
        raise Unsure("linking_verb")
    if verbs.lemma in NO_PASSIVE:
        raise Unsure("no_passive")
    if verbs.is_progressive and (verbs.is_perfect or verbs.modal):
        raise Unsure("unsure_verb")


def check_pair(agent: Phrase, verbs: Verbs, patient: Phrase) -> None:
    """Refuse an agent and a patient that are one, that say no, or that are an idiom with the verb."""
    if set(patient.tokens + agent.tokens) & REFLEXIVES or {"other", "another"} & set(patient.tokens[-1:]):
        raise Unsure("reflexive")
    owners = {POSSESSIVES[each] for each in patient.tokens if each in POSSESSIVES}
    if owners & set(agent.tokens) or (owners and patient.head in BODY):
        raise Unsure("reflexive")
    if (
        f"{verbs.lemma}:{patient.head}" in IDIOMS
        or (agent.head == "it" and verbs.lemma == "take")
        or (patient.is_bare and not is_sure_without(patient))
    ):
        raise Unsure("idiom")
    if agent.is_bare and not is_sure_without(agent):
        raise Unsure("unsure_noun")
    if (
        {agent.tokens[0], *verbs.early} & NEGATIVES
        or (set(patient.tokens) | set(agent.tokens)) & NEGATABLE
        or {"no", "neither"} & set(patient.tokens)
    ):
        raise Unsure("negative")
    if verbs.negation and patient.tokens[0] in ("a", "an"):
        raise Unsure("negative")
    if verbs.negation and {agent.tokens[0], patient.tokens[0]} & QUANTIFIERS:
        raise Unsure("negative")


def is_sure_without(phrase: Phrase) -> bool:
    """Whether a noun without a determiner is one that needs none."""
    return phrase.is_plural is not False or phrase.head in MASS or phrase.kind == "name"


def check_object(verbs: Verbs, patient: Phrase, rest: list[Adverbial]) -> None:
    """Refuse what may be a measure, a second object or a complement."""
    if is_time(patient.tokens) or (patient.head in _MEASURES and patient.kind == "common"):
        raise Unsure("no_object")
    if patient.tokens[0] == "her" and len(patient.tokens) > 1 and verbs.lemma in TWO_OBJECTS | COMPLEMENTS:
        raise Unsure("two_objects")
    if "her" in patient.tokens[1:-1]:
        raise Unsure("two_objects")
    if ("of" in patient.tokens and verbs.lemma in TAKING_OF) or patient.head in COMPASS:
        raise Unsure("unsure_attachment")
    if any(each.tokens[0] in ("by", "for", "as", "like", "than", "except") and each.role != "time" for each in rest):
        raise Unsure("unsure_attachment")


def attached(verbs: Verbs, patient: Phrase, rest: list[Adverbial]) -> tuple[Phrase, list[Adverbial], list[Adverbial]]:
    """The patient with what belongs to it, what is bound to the verb, and the rest."""
    middle, end = list[Adverbial](), list[Adverbial]()
    for at, each in enumerate(rest):
        first = each.tokens[0]
        if each.role in ("manner", "near") and not end:
            middle.append(each)
        elif each.role == "time":
            end.append(each)
        elif at == 0 and first == "about" and verbs.lemma not in ADDRESSING and patient.kind == "common":
            patient = _with(patient, each)
        elif each.role == "place" and not end and _is_of_the_verb(verbs, patient, each, at):
            middle.append(each)
        else:
            raise Unsure("unsure_attachment")
    return patient, middle, end


def _with(patient: Phrase, more: Adverbial) -> Phrase:
    """A phrase with the prepositional phrase that follows it."""
    kind, tokens = patient.kind, patient.tokens + more.tokens
    return Phrase(tokens, patient.head, kind, patient.is_plural, patient.is_bare)


def _is_of_the_verb(verbs: Verbs, patient: Phrase, each: Adverbial, at: int) -> bool:
    """Whether a phrase cannot belong to the noun before it."""
    free = patient.kind in ("pronoun", "name") or at > 0
    return free or (is_bound(verbs, each) and not (verbs.lemma == "take" and patient.head in ROUTES))


def is_bound(verbs: Verbs, each: Adverbial) -> bool:
    """Whether a verb of motion, placing or supplying takes this prepositional phrase."""
    first, lemma = each.tokens[0], verbs.lemma
    takes = (
        (lemma in MOVERS and first in DIRECTIONS)
        or (lemma in PLACERS and first in PLACES)
        or (lemma in SUPPLIERS and first == "with")
    )
    return each.role == "place" and takes


def check_agent(verbs: Verbs, agent: Phrase, rest: list[Adverbial]) -> None:
    """Refuse a by-phrase that may say when, where or how, and a rest that may belong to it."""
    if is_time(agent.tokens) or is_time(("by", *agent.tokens)) or agent.head in TIME_NOUNS:
        raise Unsure("no_agent")
    is_place = agent.head in MAY_BE_PLACES and verbs.lemma in POSITIONING
    if agent.kind == "common" and (agent.head in NOT_AGENTS or is_place):
        raise Unsure("no_agent")
    if agent.head[0].isdigit() or (agent.is_bare and agent.head.endswith("ing")) or set(agent.tokens) & REFLEXIVES:
        raise Unsure("no_agent")
    for at, each in enumerate(rest):
        free = each.role in ("time", "manner") or is_bound(verbs, each)
        if not free and (agent.kind == "common" or at > 0 or each.tokens[0] == "by"):
            raise Unsure("unsure_attachment")


def person_of(phrase: Phrase) -> tuple[int, ...]:
    """The persons that a phrase as a subject may be."""
    if phrase.tokens in (("I",), ("me",)):
        return (1,)
    if phrase.is_plural is None:
        return (3, 0)
    return (0,) if phrase.is_plural else (3,)


def is_in_case(phrase: Phrase, case: dict[str, str]) -> bool:
    """Whether the pronouns of a phrase are of a case."""
    return all(each in case for each in phrase.pronouns())

"""Who made users are: attributes, length and first moment, drawn together as train users have them.

A train user is drawn by its steps (`alphabet.py`), and each number is drawn anew within its step: a made user has the
ways of a kind of train users and no one's numbers. Conditions (`sex=F,age>=50`) keep the train users who can meet them,
and each number is drawn within what they leave of its step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.errors import RecipeError
from conf.schema.where import Condition, parse
from synth.behaviour.alphabet import Alphabet, Trait
from synth.behaviour.bins import Bins

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]
MOST_WHOLE = 100_000  # whole numbers of one step that are asked one by one


@dataclass(frozen=True)
class Profiles:
    """Codes (N, traits + 2) of train users, and of each trait what its steps may give: numbers, or one word."""

    alphabet: Alphabet
    codes: Codes
    offers: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, alphabet: Alphabet, codes: Codes, where: str = "") -> Profiles:
        """Those that conditions leave. Raises RecipeError where they leave nobody."""
        asked = parse(where) if where else ()
        offers = tuple(_offers(t, [c for c in asked if c.column == t.name]) for t in alphabet.traits)
        stays = np.ones(len(codes), bool)
        for place, offer in enumerate(offers):
            stays &= np.array([each is not None for each in offer], bool)[codes[:, place]]
        if not stays.any():
            raise RecipeError(f"rows.where is {where!r}, and no train user meets it: ask for less.")
        return cls(alphabet, codes[stays], offers)

    def drawn(self, uniforms: Numbers) -> Codes:
        """(N, traits + 2): a train user's codes for each of N uniform numbers."""
        return self.codes[np.minimum((uniforms * len(self.codes)).astype(np.int64), len(self.codes) - 1)]

    def attributes(self, codes: Codes, uniforms: Numbers) -> dict[str, list[Any]]:
        """Each attribute's values for users of these codes, by uniform numbers (N, traits)."""
        return {
            trait.name: [
                _value(trait, self.offers[place][code], uniform)
                for code, uniform in zip(codes[:, place].tolist(), uniforms[:, place].tolist(), strict=True)
            ]
            for place, trait in enumerate(self.alphabet.traits)
        }


def _offers(trait: Trait, asked: Sequence[Condition]) -> tuple[Any, ...]:
    """What each code of a trait may give under conditions: None where nothing."""
    missing = ("missing",) if _meets(None, asked, trait) else None
    if trait.bins is None:
        return (*(("word", word) if _meets(word, asked, trait) else None for word in trait.words), missing)
    read = _whole if trait.kind == "integer" else _between
    return (*(read(trait, place, asked) for place in range(len(trait.bins))), missing)


def _whole(trait: Trait, place: int, asked: Sequence[Condition]) -> tuple[Any, ...] | None:
    """The whole numbers of a step that meet all conditions, or its bounds where nothing is asked."""
    low, high = _bounds(trait.bins, place)
    if not asked or high - low > MOST_WHOLE:
        return _between(trait, place, asked)
    found = [number for number in range(int(np.ceil(low)), int(high) + 1) if _meets(float(number), asked, trait)]
    return ("one of", found) if found else None


def _between(trait: Trait, place: int, asked: Sequence[Condition]) -> tuple[Any, ...] | None:
    """What conditions leave of a step's span."""
    low, high = _bounds(trait.bins, place)
    for condition in asked:
        values = [value for value in condition.values if value is not None]
        if not values:
            if condition.op == "=":
                return None
            continue
        number = _number(values[0], trait)
        if condition.op == "=":
            if len(values) > 1:
                raise RecipeError(f"rows.where: {trait.name} takes one value with =, or a span with >= and <=.")
            low, high = max(low, number), min(high, number)
        elif condition.op in (">", ">="):
            low = max(low, number)
        elif condition.op in ("<", "<="):
            high = min(high, number)
    return ("between", low, high) if low <= high else None


def _bounds(bins: Bins | None, place: int) -> tuple[float, float]:
    assert bins is not None
    return bins.lows[place], bins.highs[place]


def _meets(value: Any, asked: Sequence[Condition], trait: Trait) -> bool:
    """Whether a value, None for missing, meets all conditions."""
    return all(_meets_one(value, condition, trait) for condition in asked)


def _meets_one(value: Any, condition: Condition, trait: Trait) -> bool:
    if condition.op in ("=", "!="):
        if trait.kind == "category" or value is None:
            there = value in condition.values
        else:
            there = value in [_number(each, trait) for each in condition.values if each is not None]
        return there if condition.op == "=" else not there
    if value is None:
        return False
    if trait.kind == "category":
        raise RecipeError(f"rows.where: {trait.name} has words, which go with = and != alone.")
    number = _number(condition.values[0], trait)
    return {"<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number}[condition.op]


def _number(text: str | None, trait: Trait) -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise RecipeError(f"rows.where: {trait.name} is a number, and {text!r} is none.") from error


def _value(trait: Trait, offer: tuple[Any, ...], uniform: float) -> Any:
    """A value of what a step may give."""
    if offer[0] == "missing":
        return None
    if offer[0] == "word":
        return offer[1]
    if offer[0] == "one of":
        return int(offer[1][int(uniform * len(offer[1]))])
    whole = trait.kind == "integer"
    drawn = float(Bins((offer[1],), (offer[2],)).drawn(np.zeros(1, np.int64), np.array([uniform]), whole)[0])
    return int(drawn) if whole else drawn

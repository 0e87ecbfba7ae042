"""Columns that are tied to each other by arithmetic: of rules of the recipe, and found in the train rows.

Each tie is a linear relation: columns, each times a number, add up to at most, less than, or exactly a bound. So
inequalities (`begin <= end`), sums (`total = net + tax`) and groups of columns of which exactly one is 1 are one thing.

While rows are drawn, a column's values are bounded by those drawn before it and by the least and most that those after
it can reach, so that a relation can still be kept; the last column of a sum follows from all others. A missing value
frees the other columns of its relation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from conf.schema import Recipe
from synth.tables.column import ColumnTokens, Floats
from synth.tables.tokens import TableTokens
from udfs.table.form import Matrix, TableForm

Op = Literal["<=", "<", "="]
MIN_GROUP = 3  # of two columns the one follows from the other
MIN_ROWS = 100  # by which a group of columns of which exactly one is 1 is no accident

_COMPARED = re.compile(r"<=|>=|==|=|<|>")
_WORD = re.compile(r"\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|([-+*]))")
_NEARLY = re.compile(r"^\s*abs\s*\(([^()]*)\)\s*(?:<|<=)\s*[\d.eE-]+\s*$", re.IGNORECASE)
_FLIPPED: dict[str, tuple[Op, int]] = {"<=": ("<=", 1), "<": ("<", 1), ">=": ("<=", -1), ">": ("<", -1), "=": ("=", 1)}


@dataclass(frozen=True)
class Relation:
    """The columns at drawing places, each times a number, add up to what `op` says of the bound."""

    terms: tuple[tuple[int, float], ...]  # (drawing place, what it is multiplied by), rising
    op: Op
    bound: float

    @property
    def places(self) -> frozenset[int]:
        """The columns that it ties."""
        return frozenset(place for place, _ in self.terms)

    def bounds(
        self, place: int, values: Floats, there: NDArray[np.bool_], reach: Floats, gap: float
    ) -> tuple[Floats, Floats]:
        """Lowest and highest value (N,) of the column at `place`.

        Of the other columns `values` (N, C) count where `there` (N, C) is true, elsewhere all that they may be: `reach`
        (C, 2). `gap` is by how much a column lies below what it must be less than.
        """
        own = dict(self.terms)[place]
        least, most = np.zeros(len(values)), np.zeros(len(values))
        for other, factor in self.terms:
            if other != place:
                ends = np.sort(factor * reach[other])
                said = factor * values[:, other]
                least += np.where(there[:, other], said, ends[0])
                most += np.where(there[:, other], said, ends[1])
        free = np.isnan(least)
        upper = np.where(free, np.inf, self.bound - least) / abs(own)
        lower = np.where(free, -np.inf, self.bound - most if self.op == "=" else -np.inf) / abs(own)
        low, high = (lower, upper) if own > 0 else (-upper, -lower)
        if self.op == "<":
            low, high = (low, high - gap) if own > 0 else (low + gap, high)
        return low, high


def step(column: ColumnTokens) -> float:
    """The least by which two values of a column differ; a hair where it has no step."""
    times, per = column.step
    return float(times / per) if times else float(np.finfo(np.float64).eps * max(np.abs(column.high).max(initial=1), 1))


def held(recipe: Recipe, matrix: Matrix, tokens: TableTokens, form: TableForm) -> list[list[Any]]:
    """All relations that are kept while drawing, as JSON: of the recipe's rules but those that only warn, and of groups
    among float64[N, D] train rows.
    """
    names = {form.modelled[place].name: number for number, place in enumerate(tokens.places)}
    numeric = {name: number for name, number in names.items() if form.modelled[tokens.places[number]].is_numeric}
    found = []
    for rule in recipe.clean.rules:
        if rule.name.rpartition(".")[2] == "relation" and rule.options.get("severity", "quarantine") != "warn":
            found += of_expression(str(rule.options.get("expression", "")), numeric)
    found += groups(matrix[:, list(tokens.places)], tokens.columns)
    return [[[list(term) for term in each.terms], each.op, each.bound] for each in with_implied(found)]


def told(listed: Sequence[Any]) -> list[Relation]:
    """What `held` listed."""
    return [Relation(tuple((place, factor) for place, factor in terms), op, bound) for terms, op, bound in listed]


def with_implied(found: Sequence[Relation]) -> list[Relation]:
    """The relations, and those that follow where a sum stands for one of its columns in another relation.

    With `total = net + tax` and `tax <= net`, a `net` drawn after `total` is at least half of it.
    """
    whole = dict.fromkeys(found)
    for equal in found:
        for other in found:
            for place in equal.places & other.places if equal.op == "=" and equal is not other else ():
                whole |= dict.fromkeys(_without(place, other, equal))
    return list(whole)


def _without(place: int, relation: Relation, equal: Relation) -> list[Relation]:
    """A relation in which the other columns of a sum stand for one of its columns; none where nothing is left."""
    ours, theirs = dict(relation.terms), dict(equal.terms)
    times = ours[place] / theirs[place]
    factors = {each: ours.get(each, 0.0) - times * theirs.get(each, 0.0) for each in sorted({*ours, *theirs})}
    terms = tuple((each, factor) for each, factor in factors.items() if each != place and factor)
    return [Relation(terms, relation.op, relation.bound - times * equal.bound)] if terms else []


def of_expression(text: str, names: Mapping[str, int]) -> list[Relation]:
    """The relations that an expression of a rule says, joined by AND; none where it says more than sums of columns.

    `abs(SUM) < tolerance` says that a sum is zero.
    """
    found = []
    for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE):
        nearly = _NEARLY.match(part)
        one = _relation(f"{nearly[1]} = 0" if nearly else part, names)
        if one is None:
            return []
        found.append(one)
    return found


def _relation(text: str, names: Mapping[str, int]) -> Relation | None:
    """The relation of one comparison, if it is one of two sums."""
    signs = _COMPARED.findall(text)
    if len(signs) != 1:
        return None
    left, right = (_sum(side, names) for side in _COMPARED.split(text))
    if left is None or right is None:
        return None
    op, direction = _FLIPPED[signs[0].replace("==", "=")]
    factors = {place: left.get(place, 0.0) - right.get(place, 0.0) for place in {*left, *right}}
    bound = -factors.pop(-1, 0.0) * direction
    terms = tuple((place, factor * direction) for place, factor in sorted(factors.items()) if factor)
    return Relation(terms, op, bound) if terms else None


def _sum(text: str, names: Mapping[str, int]) -> dict[int, float] | None:
    """Factors of a sum's columns by place, of its numbers at -1; None where it is no sum of known columns."""
    found: dict[int, float] = {}
    at, sign, factor, place = 0, 1.0, 1.0, -1
    wants = True  # a number or a column comes next
    text = text.rstrip()
    while at < len(text):
        word = _WORD.match(text, at)
        if word is None:
            return None
        at = word.end()
        number, name, mark = word.groups()
        if mark == "*":
            if wants:
                return None
            wants = True
        elif mark:
            if not wants:
                found[place] = found.get(place, 0.0) + sign * factor
                sign, factor, place = 1.0, 1.0, -1
            sign, wants = -sign if mark == "-" else sign, True
        elif not wants or (name and (name not in names or place >= 0)):
            return None
        else:
            factor, place, wants = factor * float(number or 1), names[name] if name else place, False
    if wants:
        return None
    found[place] = found.get(place, 0.0) + sign * factor
    return found


def groups(values: Floats, columns: Sequence[ColumnTokens]) -> list[Relation]:
    """Neighbouring columns of which exactly one is 1 in each of the train rows (N, C), and all others are 0."""
    if len(values) < MIN_ROWS:
        return []
    binary = [
        set(np.unique(values[:, place])) == {0.0, 1.0} and bool((column.bin < 0).all())
        for place, column in enumerate(columns)
    ]
    found, start = [], 0
    while start < len(columns):
        stop = _one_each(values, binary, start)
        if stop - start >= MIN_GROUP:
            found.append(Relation(tuple((place, 1.0) for place in range(start, stop)), "=", 1.0))
        start = max(stop, start + 1)
    return found


def _one_each(values: Floats, binary: Sequence[bool], start: int) -> int:
    """The end of the columns from `start` of which each row has one; `start` itself where there are none."""
    total = np.zeros(len(values))
    for place in range(start, len(binary)):
        if not binary[place]:
            return start
        total += values[:, place]
        if total.max() > 1:
            return start
        if total.min() == 1:
            return place + 1
    return start

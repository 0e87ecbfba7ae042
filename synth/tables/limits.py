"""What drawn values must keep to: conditions that were asked for, and relations of columns (see `relations.py`).

Each becomes weights of a column's tokens: 1 where all that a token stands for is allowed, 0 where nothing is, the
allowed share of a bin in between; within the bin values are then drawn from that share alone. Nothing is drawn and
thrown away.

Columns that follow from each other are derived anyway, so their fixed combinations stay. What else rules ask is left to
the gate.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.errors import RecipeError
from conf.schema.where import Condition
from synth.tables.column import ColumnTokens, Floats, Tokens
from synth.tables.relations import Relation, step
from synth.tables.rows import FALSE_WORDS
from synth.tables.tokens import TableTokens
from udfs.table.form import Column, TableForm, arrow_type, cells

Flags = NDArray[np.bool_]
CLOSE = 1e-9  # of a value: bounds nearer to each other leave one value


@dataclass
class Span:
    """What a column's values may be: weights of its tokens, and bounds (both included) that hold within bins."""

    weights: Floats  # (tokens,) 0 to 1
    low: float = -np.inf
    high: float = np.inf
    members: Floats | None = None  # of categories in buckets: how often each may still be drawn


@dataclass
class Limits:
    """All that holds for the rows of one sampler; columns by their drawing place."""

    tokens: TableTokens
    spans: dict[int, Span] = field(default_factory=dict)
    relations: Sequence[Relation] = ()

    @property
    def first(self) -> list[int]:
        """Columns that must be drawn before the others, so that the others follow from what was asked."""
        return sorted(self.spans)

    def weights(self, place: int, values: Floats, there: Flags, complete: bool) -> Floats | None:
        """(N or 1, tokens): weights of a column's tokens, beside the values (N, C) that are `there` (N, C); `complete`:
        none of the others will be missing.
        """
        span, column = self.spans.get(place), self.tokens.columns[place]
        found = None if span is None else span.weights[None]
        for low, high in self._bounds(place, values, there, complete):
            more = covered(column, low, high)
            settled = np.isfinite(low) & (low == high)
            more[settled, :-1] = 0.0
            more[settled, column.encode(low[settled])] = 1.0
            found = more if found is None else found * more
        return found

    def within(self, place: int, values: Floats, there: Flags, complete: bool) -> tuple[Floats, Floats]:
        """Lowest and highest value (N,) that each row's cell may have."""
        span = self.spans.get(place, Span(np.ones(0)))
        low, high = np.full(len(values), span.low), np.full(len(values), span.high)
        for least, most in self._bounds(place, values, there, complete):
            low, high = np.fmax(low, least), np.fmin(high, most)
        return low, high

    def _bounds(self, place: int, values: Floats, there: Flags, complete: bool) -> list[tuple[Floats, Floats]]:
        """Bounds (N,) by each relation of the column, at the column's step where they leave one value."""
        column, found = self.tokens.columns[place], []
        for each in self.relations:
            if place in each.places:
                reach = self.reach if complete else self.reach_or_missing
                low, high = each.bounds(place, values, there, reach, step(column))
                if each.op == "=":
                    near = np.isfinite(low) & (high - low <= CLOSE * np.maximum(1.0, np.abs(low)))
                    low[near] = high[near] = column.rounded(low[near])
                found.append((low, high))
        return found

    @functools.cached_property
    def reach(self) -> Floats:
        """(C, 2): the least and most that each column can be."""
        found = np.empty((len(self.tokens.columns), 2))
        for place, column in enumerate(self.tokens.columns):
            span = self.spans.get(place, Span(np.ones(column.size)))
            able = (span.weights[:-1] > 0) & (column.count[:-1] > 0)
            ends = column.low[able].min(initial=np.inf), column.high[able].max(initial=-np.inf)
            found[place] = (max(ends[0], span.low), min(ends[1], span.high)) if able.any() else (-np.inf, np.inf)
        return found

    @functools.cached_property
    def reach_or_missing(self) -> Floats:
        """The same, without end where a column can be missing."""
        able = np.array([column.count[-1] > 0 for column in self.tokens.columns])
        return np.where(able[:, None], [-np.inf, np.inf], self.reach)

    @property
    def tied(self) -> list[int]:
        """Of each column the first of those that relations tie it to, itself where there are none."""
        first = list(range(len(self.tokens.columns)))
        for _ in self.relations:
            for each in self.relations:
                least = min(first[place] for place in each.places)
                for place in each.places:
                    first[place] = least
        return first

    def beside(self, place: int) -> list[int]:
        """The columns that a relation ties to this one."""
        return sorted({other for each in self.relations if place in each.places for other in each.places} - {place})

    def touches(self, place: int) -> bool:
        """Whether anything limits this column."""
        return place in self.spans or any(place in each.places for each in self.relations)


def covered(column: ColumnTokens, low: Floats, high: Floats) -> Floats:
    """float64[N, tokens]: which share of each token's values lies between low (N,) and high (N,); missing counts."""
    least, most = column.low[None], column.high[None]
    there = ((most >= low[:, None]) & (least <= high[:, None])).astype(np.float64)
    for place in np.flatnonzero(column.bin >= 0):
        grid = column.grid[column.bin[place]]
        share = position_of(grid, high) - position_of(grid, low)
        edge = np.maximum(share, 1e-6)  # the end of a bin is a value too
        there[:, place] *= edge
    return np.concatenate([there, np.ones((len(there), 1))], 1)


def position_of(grid: Floats, values: Floats) -> Floats:
    """(N,) in 0 to 1: where values lie along a bin's quantiles."""
    return np.interp(values, grid, np.linspace(0, 1, len(grid)))


def asked(conditions: Sequence[Condition], tokens: TableTokens, form: TableForm, where: str) -> dict[int, Span]:
    """Spans of drawing places that meet conditions. Raises RecipeError for one that no train row's value meets."""
    spans: dict[int, Span] = {}
    names = [column.name for column in form.modelled]
    for condition in conditions:
        if condition.column not in names:
            raise RecipeError(
                f"{where}: {condition.column} is no column that is modelled; there are {', '.join(names)}."
            )
        matrix_place = names.index(condition.column)
        place, span = _span(condition, matrix_place, tokens, form.modelled[matrix_place], where)
        if place < 0:
            continue
        if place in spans:
            old = spans[place]
            members = old.members if span.members is None else span.members
            if old.members is not None and span.members is not None:
                members = np.minimum(old.members, span.members)
            span = Span(old.weights * span.weights, max(old.low, span.low), min(old.high, span.high), members)
        spans[place] = span
    for span, place in ((span, place) for place, span in spans.items()):
        if not (span.weights * tokens.columns[place].count > 0).any():
            raise RecipeError(f"{where}: no train row has such a {names[tokens.places[place]]}, so none can be made.")
    return spans


def _span(condition: Condition, matrix_place: int, tokens: TableTokens, column: Column, where: str) -> tuple[int, Span]:
    """The drawing place that a condition bears on (-1: none, it always holds), and what it asks there."""
    values = [_number(word, column, where) for word in condition.values]
    if matrix_place in tokens.places:
        place = tokens.places.index(matrix_place)
        own = _of_categories if not tokens.columns[place].is_number else _of_numbers
        return place, own(condition, values, tokens.columns[place], f"{where}: {column.name}")
    derived = next(each for each in tokens.derived if each.place == matrix_place)
    met = np.array([_met(condition, values, value) for value in derived.table])
    if derived.source < 0:
        if not met[0]:
            raise RecipeError(f"{where}: all train rows have one {column.name}, and it is another.")
        return -1, Span(np.ones(0))
    return tokens.places.index(derived.source), Span(met.astype(np.float64))


def _of_categories(condition: Condition, values: list[float], column: ColumnTokens, where: str) -> Span:
    """What = or != asks of a column of categories."""
    if condition.op not in ("=", "!="):
        raise RecipeError(f"{where} has no order: ask for it with = or !=.")
    same = condition.op == "="
    there = np.isin(np.arange(len(column.code)), [value for value in values if not np.isnan(value)])
    members = column.weight * (there[column.members] == same)
    weights = np.zeros(column.size)
    own = column.bin < 0
    weights[:-1][own] = there[column.low[own].astype(np.int64)] == same
    buckets = column.code[column.members]
    held, all_of = (np.bincount(buckets, each, column.size) for each in (members, column.weight))
    weights[all_of > 0] = held[all_of > 0] / all_of[all_of > 0]
    weights[-1] = any(np.isnan(value) for value in values) == same
    return Span(weights, members=members)


def _of_numbers(condition: Condition, values: list[float], column: ColumnTokens, where: str) -> Span:
    """What a condition asks of a column of numbers."""
    op, value = condition.op, values[0]
    if op in ("=", "!="):
        chosen = np.zeros(column.size)
        chosen[column.encode(np.array(values))] = 1.0
        missed = [each for each in values if not np.isnan(each) and not (column.low <= each).any()]
        inner = bool((np.append(column.bin, -1)[chosen > 0] >= 0).any())
        if inner and (op == "!=" or len(values) > 1):
            raise RecipeError(f"{where} is measured in bins, so != and | cannot be held exactly: ask with < and >.")
        if not inner and (missed or not np.isin(column.low[np.flatnonzero(chosen[:-1])], values).all()):
            raise RecipeError(f"{where} is never {' or '.join(map(str, condition.values))} in the train rows.")
        return Span(chosen, value, value) if inner else Span(chosen if op == "=" else 1.0 - chosen)
    gap = step(column) if op in ("<", ">") else 0.0
    low = value + gap if op in (">", ">=") else -np.inf
    high = value - gap if op in ("<", "<=") else np.inf
    weights = covered(column, np.array([low]), np.array([high]))[0]
    weights[-1] = 0.0  # what is missing is neither less nor more
    return Span(weights, low, high)


def _met(condition: Condition, values: list[float], value: float) -> bool:
    """Whether a derived value meets a condition."""
    same = any(value == each or (np.isnan(value) and np.isnan(each)) for each in values)
    if condition.op in ("=", "!="):
        return same == (condition.op == "=")
    least = values[0]
    return bool({"<": value < least, "<=": value <= least, ">": value > least, ">=": value >= least}[condition.op])


def _number(word: str | None, column: Column, where: str) -> float:
    """A condition's value as the matrix has it."""
    if word is None:
        return np.nan
    if column.kind == "category":
        if word not in column.vocabulary:
            raise RecipeError(f"{where}: {column.name} is never {word!r} in the train rows.")
        return float(column.vocabulary.index(word))
    if column.kind == "boolean":
        return 0.0 if word.lower() in FALSE_WORDS else 1.0
    try:
        if column.kind in ("date", "datetime"):
            told = pa.array([np.datetime64(word, "us").astype("datetime64[us]")]).cast(pa.timestamp("us", tz="UTC"))
            return float(cells(told.cast(arrow_type(column.kind), safe=False), column)[0])
        return float(word)
    except (ValueError, pa.ArrowException) as error:
        raise RecipeError(f"{where}: {word!r} is no {column.kind}, which {column.name} is.") from error


def log_weights(weights: Floats) -> Tensor:
    """(N or 1, tokens): what is added to logits. Rows to which nothing is allowed are left as they are."""
    allowed = np.where(weights.sum(1, keepdims=True) > 0, weights, 1.0)
    with np.errstate(divide="ignore"):
        return torch.from_numpy(np.log(allowed).astype(np.float32))


def placed(
    column: ColumnTokens, span: Span | None, bounds: tuple[Floats, Floats], tokens: Tokens, at: Floats
) -> Floats:
    """(N,): values of tokens at positions (N,), held between bounds (N,) in bins, to a span's members in buckets."""
    if not column.is_number:
        kept = column if span is None or span.members is None else replace(column, weight=span.members)
        return kept.decode(tokens, at)
    (low, high), inner, moved = bounds, np.append(column.bin, -1)[tokens], at.copy()
    for number in np.unique(inner[inner >= 0]):
        mine = inner == number
        first, last = (position_of(column.grid[number], bound[mine]) for bound in (low, high))
        moved[mine] = first + at[mine] * (last - first)
    values = column.decode(tokens, moved)
    settled = np.isfinite(low) & (low == high) & ~np.isnan(values)
    values[settled] = low[settled]
    bounded = inner >= 0
    values[bounded] = np.clip(values[bounded], _up(column, low[bounded]), _down(column, high[bounded]))
    return values


def _up(column: ColumnTokens, bound: Floats) -> Floats:
    """The least value of the column's step that is not below a bound."""
    times, per = column.step
    return np.ceil(np.round(bound * per / times, 6)) * times / per if times else bound


def _down(column: ColumnTokens, bound: Floats) -> Floats:
    """The greatest value of the column's step that is not above a bound."""
    times, per = column.step
    return np.floor(np.round(bound * per / times, 6)) * times / per if times else bound

"""How columns of a matrix are laid out for models and tools, and back: each way beside its return.

`decode(encode(matrix))` is the matrix: exactly for categories and dates, to a microsecond or two for datetimes, but for
rounding for numbers (none is left where they are whole or of known decimals and of less than twelve digits);
`quantile_normal` holds what lies outside the measured range to its ends. A missing number stays NaN, a missing category
is a row of zeros under `one_hot` and `hash`. With a flag, a missing cell is 0 and a column beside it says 1. Numbers
whose differences or ratios no double can hold have no way back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from udfs.hashing import word_of
from udfs.rng import mix
from udfs.table.form import OTHER, Column, Matrix, TableForm, fitted
from udfs.table.statistics import GRID, ColumnStatistics, Statistics

Floats = NDArray[np.float64]
Pair = tuple[Callable[[Floats, ColumnStatistics], Floats], Callable[[Floats, ColumnStatistics], Floats]]

HASH_WIDTH = 32  # signs that tell categories apart under `hash`
_EDGE = 0.5 / GRID  # least and greatest of a column lie so far from shares of 0 and 1: 3.3 deviations from the middle
_DAY_SECONDS = 86_400.0
_MONDAY = 4  # 1970-01-05 in days since 1970-01-01


def z_score(values: Floats, facts: ColumnStatistics) -> Floats:
    """Mean 0, deviation 1 over what was measured; a constant becomes 0."""
    return (values - (facts.mean or 0.0)) / (facts.std or 1.0)


def from_z_score(encoded: Floats, facts: ColumnStatistics) -> Floats:
    """Back."""
    return encoded * (facts.std or 1.0) + (facts.mean or 0.0)


def min_max(values: Floats, facts: ColumnStatistics) -> Floats:
    """0 to 1 from least to greatest."""
    return (values - (facts.min or 0.0)) / _span(facts)


def from_min_max(encoded: Floats, facts: ColumnStatistics) -> Floats:
    """Back."""
    return encoded * _span(facts) + (facts.min or 0.0)


def _span(facts: ColumnStatistics) -> float:
    return ((facts.max or 0.0) - (facts.min or 0.0)) or 1.0


def robust(values: Floats, facts: ColumnStatistics) -> Floats:
    """Distance from the median, in distances between the quartiles; outliers do not move the scale."""
    return (values - _median(facts)) / _quartiles(facts)


def from_robust(encoded: Floats, facts: ColumnStatistics) -> Floats:
    """Back."""
    return encoded * _quartiles(facts) + _median(facts)


def _median(facts: ColumnStatistics) -> float:
    return facts.quantile(0.5) if facts.told else 0.0


def _quartiles(facts: ColumnStatistics) -> float:
    """Between the quartiles; the deviation where they are one."""
    between = facts.quantile(0.75) - facts.quantile(0.25) if facts.told else 0.0
    return between or facts.std or 1.0


def log1p(values: Floats, facts: ColumnStatistics) -> Floats:
    """The logarithm of 1 + the size, with the sign of the value."""
    return np.copysign(np.log1p(np.abs(values)), values)


def from_log1p(encoded: Floats, facts: ColumnStatistics) -> Floats:
    """Back."""
    return np.copysign(np.expm1(np.abs(encoded)), encoded)


def quantile_normal(values: Floats, facts: ColumnStatistics) -> Floats:
    """The normal number that has the same share below it; a frequent value gets the middle of its shares."""
    return ndtri(_EDGE + (1 - 2 * _EDGE) * share_below(values, facts)) if len(facts.grid) else values.copy()


def share_below(values: Floats, facts: ColumnStatistics) -> Floats:
    """0 to 1: the share of what was measured that lies below, half of what is equal included; NaN stays."""
    grid = facts.grid
    share = np.linspace(0.0, 1.0, GRID)
    held = np.clip(values, grid[0], grid[-1])
    first, after = np.searchsorted(grid, held, "left"), np.searchsorted(grid, held, "right")
    on_grid = (after > first) & ~np.isnan(held)
    middle = (share[np.minimum(first, GRID - 1)] + share[np.clip(after - 1, 0, GRID - 1)]) / 2
    return np.where(on_grid, middle, np.interp(held, grid, share))


def from_quantile_normal(encoded: Floats, facts: ColumnStatistics) -> Floats:
    """Back; numbers beyond the ends of the grid give the ends."""
    if not len(facts.grid):
        return encoded.copy()
    below = (ndtr(encoded) - _EDGE) / (1 - 2 * _EDGE)
    return np.where(np.isnan(encoded), np.nan, np.interp(below, np.linspace(0.0, 1.0, GRID), facts.grid))


NUMBERS: dict[str, Pair] = {
    "z_score": (z_score, from_z_score),
    "min_max": (min_max, from_min_max),
    "robust": (robust, from_robust),
    "log1p": (log1p, from_log1p),
    "quantile_normal": (quantile_normal, from_quantile_normal),
}
CATEGORIES = ("vocabulary", "one_hot", "hash")
DATES = ("cyclic",)


def one_hot(codes: Floats, size: int) -> Floats:
    """(N, size): 1 at the code, `other` last; zeros where it is missing."""
    return (codes[:, None] == np.arange(size)).astype(np.float64)


def from_one_hot(encoded: Floats) -> Floats:
    """The code of the largest number, the first of equal ones; missing where none is above 0."""
    return np.where(encoded.max(axis=1) > 0, encoded.argmax(axis=1), np.nan)


def signatures(words: Sequence[str]) -> Floats:
    """(words, HASH_WIDTH) of 1 and -1, of each word's hash: whatever else is in the vocabulary, and no two alike."""
    for salt in range(2**16):
        hashes = mix(np.array([word_of(salt, word) for word in words], np.uint64))
        bits = (hashes[:, None] >> np.arange(HASH_WIDTH, dtype=np.uint64)) & np.uint64(1)
        if len(np.unique(bits, axis=0)) == len(words):
            return bits.astype(np.float64) * 2 - 1
    raise ValueError(f"{len(words)} words are too many for signatures of {HASH_WIDTH} signs")


def hashed(codes: Floats, table: Floats) -> Floats:
    """(N, HASH_WIDTH): the signatures of the codes; zeros where one is missing."""
    missing = np.isnan(codes)
    found = table[np.where(missing, 0, codes).astype(np.int64)]
    return np.where(missing[:, None], 0.0, found)


def from_hashed(encoded: Floats, table: Floats) -> Floats:
    """The code whose signature agrees most."""
    return np.where(np.abs(encoded).max(axis=1) > 0, (encoded @ table.T).argmax(axis=1), np.nan)


def turns(values: Floats, column: Column) -> Floats:
    """(N, 4) or (N, 6): sine and cosine of the place in the week, in the year and, for datetimes, in the day."""
    days = values if column.kind == "date" else values / _DAY_SECONDS
    whole = np.floor(np.where(np.isnan(days), 0.0, days))
    dates = whole.astype(np.int64).astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    start, end = (each.astype("datetime64[D]").astype(np.float64) for each in (years, years + 1))
    parts = [(whole - _MONDAY) % 7 / 7, (whole - start) / (end - start)]
    parts += [days - whole] if column.kind == "datetime" else []
    angles = 2 * np.pi * np.stack(parts, axis=1)
    rounds = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(values), -1)
    return np.where(np.isnan(days)[:, None], np.nan, rounds)


@dataclass(frozen=True)
class Encoding:
    """One column's way to one or more columns, and back."""

    column: Column
    method: str
    facts: ColumnStatistics
    flag: bool = False  # whether a column says what was missing

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that it makes."""
        stem = f"{self.column.name}__{self.method}"
        if self.method == "cyclic":
            turning = ("week", "year", "day")[: 3 if self.column.kind == "datetime" else 2]
            told = (f"{self.column.name}__z_score", *(f"{stem}_{t}_{way}" for t in turning for way in ("sin", "cos")))
        elif self.method in ("one_hot", "hash"):
            width = self.column.size if self.method == "one_hot" else HASH_WIDTH
            told = tuple(f"{stem}_{place}" for place in range(width))
        else:
            told = (stem,)
        return (*told, f"{self.column.name}__was_missing") if self.flag else told

    @cached_property
    def _signatures(self) -> Floats:
        words = (*self.column.vocabulary, OTHER) if self.column.kind == "category" else ("false", "true")
        return signatures(words)

    def encode(self, values: Floats) -> Floats:
        """(N,) to (N, len(names))."""
        if self.method == "one_hot":
            made = one_hot(values, self.column.size)
        elif self.method == "hash":
            made = hashed(values, self._signatures)
        elif self.method == "vocabulary":
            made = values[:, None]
        elif self.method == "cyclic":
            made = np.concatenate([z_score(values, self.facts)[:, None], turns(values, self.column)], axis=1)
        else:
            made = NUMBERS[self.method][0](values, self.facts)[:, None]
        if not self.flag:
            return made
        missing = np.isnan(values)[:, None]
        return np.concatenate([np.where(missing, 0.0, made), missing], axis=1)

    def decode(self, encoded: Floats) -> Floats:
        """(N, len(names)) to (N,), held to what the column may be."""
        made = encoded[:, :-1] if self.flag else encoded
        if self.method == "one_hot":
            values = from_one_hot(made)
        elif self.method == "hash":
            values = from_hashed(made, self._signatures)
        elif self.method == "vocabulary":
            values = made[:, 0]
        else:
            back = from_z_score if self.method == "cyclic" else NUMBERS[self.method][1]
            values = back(made[:, 0], self.facts)
        if self.flag:
            values = np.where(encoded[:, -1] > 0.5, np.nan, values)
        return fitted(values, self.column)


def encodings(
    form: TableForm,
    statistics: Statistics,
    *,
    numeric: str = "quantile_normal",
    category: str = "vocabulary",
    columns: Mapping[str, str] | None = None,
    flag: bool = False,
) -> tuple[Encoding, ...]:
    """How each modelled column is encoded: by its kind, or as `columns` has it by name.

    With `flag`, columns in which cells are missing say so beside. Raises ValueError for a method that does not go
    with the column.
    """
    chosen = []
    for column in form.modelled:
        facts = statistics.columns[column.name]
        method = (columns or {}).get(column.name, numeric if column.is_numeric else category)
        _check_method(column, method)
        chosen.append(Encoding(column, method, facts, flag and facts.missing > 0))
    return tuple(chosen)


def _check_method(column: Column, method: str) -> None:
    """Raise ValueError where a method does not go with a column."""
    known = [*NUMBERS, *(DATES if column.kind in ("date", "datetime") else ())] if column.is_numeric else CATEGORIES
    if method not in known:
        what = f"column {column.name} is {column.kind} and {method} does not go with it"
        raise ValueError(f"normalize: {what}: it takes {', '.join(known)}")


def encode(matrix: Matrix, chosen: Sequence[Encoding]) -> Floats:
    """float64[N, all names]: every column encoded, side by side."""
    parts = [each.encode(matrix[:, place]) for place, each in enumerate(chosen)]
    return np.concatenate(parts, axis=1) if parts else np.empty((len(matrix), 0))


def decode(encoded: Floats, chosen: Sequence[Encoding]) -> Matrix:
    """Back to a matrix."""
    ends = np.cumsum([0, *(len(each.names) for each in chosen)])
    parts: list[Any] = [each.decode(encoded[:, ends[n] : ends[n + 1]]) for n, each in enumerate(chosen)]
    return np.stack(parts, axis=1) if parts else np.empty((len(encoded), 0))

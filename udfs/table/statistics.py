"""What is known of a table's columns, for encodings, steps, generators and reports: what follows from a tally.

Measure and merge lie in `udfs/table/tally.py`; `Statistics.of` draws the conclusions once, on the driver, and
`as_dict` is plain JSON whose `columns` a `TableForm` takes its vocabularies and decimals from. Columns of fewer than
`tally.KEPT` distinct values are told exactly. Beyond that, quantiles, frequent values and vocabularies come from the
sample of rows, and `distinct` is an estimate; so they are when a column is made of keys.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs.table.form import Column, TableForm
from udfs.table.tally import MAX_DECIMALS, ColumnTally, Tally, from_bytes, measure, merge, to_bytes

__all__ = ["ColumnStatistics", "Statistics", "from_bytes", "measure", "merge", "to_bytes"]

Floats = NDArray[np.float64]

GRID = 1001  # quantiles that are kept: every thousandth, least and greatest included
FREQUENT = 0.05  # a number that is more than so much of a column's is a value of its own, such as 0
FEW = 256  # distinct numbers that are all listed
SEEN_TWICE = 2  # a word of the sample that was met once says nothing of how frequent it is


@dataclass(frozen=True)
class ColumnStatistics:
    """One column: of its cells that are not missing, where nothing else is said. Null where there are none."""

    kind: str
    rows: int
    missing: int
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None  # of the whole population
    quantiles: tuple[float, ...] = ()  # GRID of them, from min to max
    distinct: int = 0
    distinct_is_exact: bool = True
    vocabulary: tuple[str, ...] = ()  # the most frequent first, ties by name
    counts: tuple[int, ...] = ()  # of the vocabulary's words
    values: tuple[float, ...] = ()  # all numbers in ascending order, where there are at most FEW
    value_counts: tuple[int, ...] = ()
    frequent: tuple[tuple[float, float], ...] = ()  # (number, share) in descending order of shares above FREQUENT
    decimals: int | None = None  # digits after the point that suffice; null: more than MAX_DECIMALS

    @staticmethod
    def of(tally: ColumnTally, words: int) -> ColumnStatistics:
        """What follows from a tally; at most `words` words of a vocabulary."""
        sums, distinct = tally.sums, tally.distinct
        known: dict[str, Any] = {"kind": tally.kind, "rows": sums.rows, "missing": sums.missing}
        known |= {"distinct": distinct.distinct, "distinct_is_exact": distinct.is_whole}
        if sums.rows == sums.missing:
            return ColumnStatistics(**known)
        more = _of_words(tally, words) if tally.kind == "category" else _of_numbers(tally)
        return ColumnStatistics(**known, **more)

    @property
    def told(self) -> int:
        """Cells that are not missing."""
        return self.rows - self.missing

    @property
    def inflated(self) -> tuple[float, ...]:
        """Frequent numbers, in a column of so many values that none would be frequent if all were alike."""
        return tuple(value for value, _ in self.frequent) if self.distinct > 1 / FREQUENT else ()

    @cached_property
    def grid(self) -> Floats:
        """(GRID,), or (0,) where all are missing."""
        return np.array(self.quantiles, np.float64)

    def quantile(self, share: float) -> float:
        """The value below which this share lies; NaN where all are missing."""
        return float(np.interp(share * (GRID - 1), np.arange(GRID), self.grid)) if len(self.grid) else math.nan

    def marginal(self, column: Column) -> Floats:
        """(column.size,): the share of each code of a category or boolean among cells that are not missing."""
        if column.kind == "boolean":
            return np.array([1.0 - (self.mean or 0.0), self.mean or 0.0])
        known = dict(zip(self.vocabulary, self.counts, strict=True))
        counts = np.array([known.get(word, 0) for word in column.vocabulary], np.float64)
        other = max(0.0, self.told - counts.sum())
        return np.append(counts, other) / max(1.0, counts.sum() + other)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ColumnStatistics:
        """Back from JSON."""
        told: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        told["frequent"] = tuple((value, share) for value, share in values["frequent"])
        return ColumnStatistics(**told)


def _of_words(tally: ColumnTally, words: int) -> dict[str, Any]:
    """A category's vocabulary with counts; those of the sample are scaled up."""
    counted = tally.distinct if tally.distinct.is_whole else tally.sample
    names, counts = counted.values.to_pylist(), counted.counts
    pairs = sorted(zip(names, counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    if tally.distinct.is_whole:
        return {"vocabulary": tuple(name for name, _ in pairs[:words]), "counts": tuple(n for _, n in pairs[:words])}
    summed: dict[str, int] = {}
    for name, count in pairs:
        summed[name] = summed.get(name, 0) + count
    scale = (tally.sums.rows - tally.sums.missing) / sum(summed.values())
    often = sorted((-count, name) for name, count in summed.items() if count >= SEEN_TWICE)[:words]
    return {"vocabulary": tuple(name for _, name in often), "counts": tuple(round(-n * scale) for n, _ in often)}


def _of_numbers(tally: ColumnTally) -> dict[str, Any]:
    """Moments, quantiles, frequent values and decimals of numbers."""
    sums = tally.sums
    told = sums.rows - sums.missing
    assert sums.least is not None and sums.greatest is not None
    values, counts = _in_order(tally)
    grid = _quantiles(values, counts)
    grid[0], grid[-1] = sums.least, sums.greatest
    share = counts / counts.sum()
    often = sorted((-share[place], values[place]) for place in np.flatnonzero(share > FREQUENT))
    few = tally.distinct.is_whole and len(values) <= FEW
    return {
        "min": sums.least,
        "max": sums.greatest,
        "mean": float(sums.total / told),
        "std": _root((told * sums.squares - sums.total**2) / told**2),
        "quantiles": tuple(grid.tolist()),
        "values": tuple(values.tolist()) if few else (),
        "value_counts": tuple(counts.tolist()) if few else (),
        "frequent": tuple((float(value), float(-part)) for part, value in often),
        "decimals": sums.digits if tally.kind == "number" and sums.digits <= MAX_DECIMALS else None,
    }


def _root(square: Fraction) -> float:
    """The square root, also of what no float holds."""
    halves = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(float(square / Fraction(4) ** halves)), halves)


def _in_order(tally: ColumnTally) -> tuple[Floats, NDArray[np.int64]]:
    """Distinct numbers in ascending order with their counts: all of the column's, or the sample's."""
    counted = tally.distinct if tally.distinct.is_whole else tally.sample
    values, place = np.unique(counted.values.to_numpy(zero_copy_only=False), return_inverse=True)
    return values, np.bincount(place, counted.counts).astype(np.int64)


def _quantiles(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """(GRID,): between the two numbers about each place, as numpy's `linear` method has it."""
    ends = np.cumsum(counts)
    place = np.linspace(0.0, 1.0, GRID) * (ends[-1] - 1)
    under = np.floor(place)
    low = values[np.searchsorted(ends, under, side="right")]
    high = values[np.searchsorted(ends, np.minimum(under + 1, ends[-1] - 1), side="right")]
    part = place - under
    return low * (1 - part) + high * part  # not by the difference, which may be infinite


@dataclass(frozen=True)
class Statistics:
    """Of all columns but ids, by name, in the order of the form."""

    columns: dict[str, ColumnStatistics]

    @staticmethod
    def of(tally: Tally, words: int = 1000) -> Statistics:
        """What follows from a tally; vocabularies have at most `words` words, the rest is `other`."""
        return Statistics({name: ColumnStatistics.of(each, words) for name, each in tally.items()})

    @staticmethod
    def none(form: TableForm) -> Statistics:
        """Of columns of which nothing is known."""
        return Statistics({each.name: ColumnStatistics(each.kind, 0, 0) for each in form.columns if each.kind != "id"})

    @property
    def rows(self) -> int:
        """Rows measured."""
        return max((each.rows for each in self.columns.values()), default=0)

    def as_dict(self) -> dict[str, Any]:
        """`{"columns": {name: {...}}}`, for JSON."""
        return json.loads(json.dumps({"columns": {name: asdict(each) for name, each in self.columns.items()}}))

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Statistics:
        """Back from `as_dict`; other keys beside `columns` do not matter."""
        return Statistics({name: ColumnStatistics.from_dict(told) for name, told in values["columns"].items()})

    @cached_property
    def digest(self) -> str:
        """16 hex digits that change with anything in here."""
        told = json.dumps(self.as_dict(), separators=(",", ":"), ensure_ascii=False).encode()
        return hashlib.blake2b(told, digest_size=8).hexdigest()

"""One column's values as tokens, and back.

A token is a value of its own (a category, a number that is seen often, any value of a column that has few), a bin of
numbers that lie between two of those, or a bucket of rare categories. The last token of every column stands for what is
missing, or was not among the train rows. Tokens of numbers are in the order of their values.

Within a bin a value is drawn along the bin's own quantiles (`GRID` of them, never the train values themselves), rounded
to the step that all values of the column keep: integers stay integers, and prices in tens stay in tens. Within a bucket
categories are drawn as often as they were seen.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tokens = NDArray[np.int64]

MAX_POINTS = 256  # a column of no more distinct numbers keeps each of them as a token
ROWS_PER_POINT = 5  # but only where each was seen so often on average: else they are measurements, not choices
MAX_BINS = 256
GRID = 17  # quantiles of a bin's values that are kept
INFLATED = 0.5  # a value that alone has so much of a bin's share of rows is a token of its own
MAX_WORDS = 1024  # categories that are tokens of their own
BUCKETS = 64  # that the others are dealt into
MAX_DECIMALS = 9
EXACT = 2.0**53  # whole numbers up to here are exact


@dataclass(frozen=True)
class ColumnTokens:
    """How a column becomes tokens: plain arrays, all finite, so that a checkpoint can hold them.

    Of numbers, V tokens are ordered by value and token t holds `low[t]` to `high[t]` (equal: that value alone). Of
    categories, `code[c]` is the token of category c. Token V is missing.
    """

    count: Floats  # (V + 1,) train rows that had it
    low: Floats  # (V,) of numbers; of categories the one that a token stands for, -1 for a bucket
    high: Floats  # (V,)
    grid: Floats  # (bins, GRID) quantiles of each bin's values
    bin: Tokens  # (V,) each token's row of the grid, or bucket; -1: it is one value
    code: Tokens  # (categories + 1,) the token of each category; empty for numbers
    members: Tokens  # categories in buckets, bucket by bucket
    weight: Floats  # (len(members),) how often each was seen
    step: Floats  # (2,) whole numbers p and q: all values are multiples of p / q; p 0: of nothing

    @property
    def size(self) -> int:
        """How many tokens there are, missing included."""
        return len(self.count)

    @property
    def is_number(self) -> bool:
        """Whether tokens have an order."""
        return len(self.code) == 0

    def positions(self) -> Floats:
        """float64[V + 1]: each token's middle rank among the train rows, 0 to 1; NaN where there is no order."""
        if not self.is_number or len(self.low) < 3:
            return np.full(self.size, np.nan)
        seen = self.count[:-1]
        return np.append((np.cumsum(seen) - seen / 2) / max(seen.sum(), 1.0), np.nan)

    def encode(self, values: Floats) -> Tokens:
        """int64[N]: tokens of float64[N] values; numbers between two tokens take the nearer one above."""
        last = self.size - 1
        missing = np.isnan(values)
        if last == 0:
            return np.zeros(len(values), np.int64)
        if self.is_number:
            tokens = np.minimum(np.searchsorted(self.high, values, "left"), last - 1)
        else:
            known = np.clip(np.where(missing, len(self.code) - 1, values), 0, len(self.code) - 1)
            tokens = self.code[known.astype(np.int64)]
        return np.where(missing, last, tokens).astype(np.int64)

    def decode(self, tokens: Tokens, position: Floats) -> Floats:
        """float64[N]: values of tokens, at `position` (0 to 1) within a bin or bucket; NaN for missing."""
        values = np.append(self.low, np.nan)[tokens]
        if len(self.grid) or len(self.members):
            inner = np.append(self.bin, -1)[tokens]
            chosen = np.flatnonzero(inner >= 0)
            within = self._along if self.is_number else self._member
            values[chosen] = within(inner[chosen], position[chosen])
        return values

    def _along(self, bins: Tokens, position: Floats) -> Floats:
        """Values at a place along each bin's quantiles."""
        place = position * (self.grid.shape[1] - 1)
        left = np.minimum(place.astype(np.int64), self.grid.shape[1] - 2)
        low, high = self.grid[bins, left], self.grid[bins, left + 1]
        values = low + (high - low) * (place - left)
        return self.rounded(values)

    def rounded(self, values: Floats) -> Floats:
        """Values at the nearest multiple of the column's step."""
        times, per = self.step
        return np.rint(values * (per / times)) * times / per if times else values

    def _member(self, buckets: Tokens, position: Floats) -> Floats:
        """Categories of buckets, in proportion to how often they were seen."""
        upto = np.cumsum(self.weight)
        first = np.searchsorted(self.bin_of_members, np.arange(self.bin.max() + 2), "left")
        before = np.append(0.0, upto)[first]
        mass = before[buckets] + position * (before[buckets + 1] - before[buckets])
        found = np.clip(np.searchsorted(upto, mass, "right"), first[buckets], first[buckets + 1] - 1)
        return self.members[found].astype(np.float64)

    @property
    def bin_of_members(self) -> Tokens:
        """int64[len(members)]: the bucket of each member."""
        return self.bin[self.code[self.members]]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def of_numbers(values: Floats, bins: int = 0, *, whole: bool = False) -> ColumnTokens:
    """Tokens of a column of numbers, from float64[N] train values; `bins` 0 goes by the number of rows.

    `whole`: each value is a token of its own, however many there are.
    """
    present = np.sort(values[~np.isnan(values)])
    distinct, counts = np.unique(present, return_counts=True)
    bins = bins or bins_for(len(present))
    few = whole or (len(distinct) <= MAX_POINTS and len(present) >= ROWS_PER_POINT * len(distinct))
    share = 0.0 if few or len(distinct) <= 2 else INFLATED * len(present) / bins
    own = counts >= max(share, 1.0)
    runs = _runs(distinct, counts, own, len(present) / bins)
    low, high = np.array([run[0] for run in runs]), np.array([run[-1] for run in runs])
    single = low == high
    grid = [_quantiles(distinct, counts, run) for run in runs if run[0] != run[-1]]
    return _column(
        np.append(_tallied(present, high), len(values) - len(present)),
        low=low,
        high=high,
        grid=np.array(grid).reshape(len(grid), GRID),
        bin=np.where(single, -1, np.cumsum(~single) - 1),
        step=np.array(step_of(distinct)),
    )


def bins_for(rows: int) -> int:
    """Bins that so many rows can fill."""
    return int(np.clip(np.sqrt(rows), 4, MAX_BINS))


def _runs(distinct: Floats, counts: Tokens, own: NDArray[np.bool_], share: float) -> list[Floats]:
    """Distinct values in groups, in order: those of `own` alone, the others in bins of about `share` rows."""
    runs: list[Floats] = []
    starts = np.flatnonzero(np.diff(own.astype(np.int8)) != 0) + 1
    for part in np.split(np.arange(len(distinct)), starts):
        if not len(part):
            continue
        if own[part[0]]:
            runs += [distinct[[each]] for each in part]
            continue
        upto = np.cumsum(counts[part])
        number = max(1, round(float(upto[-1]) / share))
        group = np.minimum(((upto - counts[part] / 2) * number / upto[-1]).astype(np.int64), number - 1)
        runs += np.split(distinct[part], np.flatnonzero(np.diff(group)) + 1)
    return runs


def _quantiles(distinct: Floats, counts: Tokens, run: Floats) -> Floats:
    """float64[GRID]: quantiles of a bin's values, ends included."""
    first, last = np.searchsorted(distinct, (run[0], run[-1]))
    held = np.repeat(run, counts[first : last + 1])
    return np.quantile(held, np.linspace(0, 1, GRID))


def _tallied(present: Floats, high: Floats) -> Floats:
    """Rows of each token."""
    return np.diff(np.append(0, np.searchsorted(present, high, "right"))).astype(np.float64)


def step_of(distinct: Floats) -> tuple[float, float]:
    """The largest p / q whose multiples all values are, q a power of ten: (1, 1) for integers, (25, 100) for quarters;
    p 0 where there is none.
    """
    for per in 10.0 ** np.arange(MAX_DECIMALS + 1):
        whole = np.rint(distinct * per)
        if np.abs(whole).max(initial=0.0) > EXACT:
            break
        if np.array_equal(whole / per, distinct):
            return float(np.gcd.reduce(whole.astype(np.int64))), float(per)
    return 0.0, 1.0


def of_categories(codes: Floats, size: int, *, whole: bool = False) -> ColumnTokens:
    """Tokens of a column of categories, from float64[N] codes below `size`, NaN where missing.

    `whole`: each category is a token of its own, however many there are.
    """
    present = codes[~np.isnan(codes)].astype(np.int64)
    seen = np.bincount(present, minlength=size)
    by_count = np.argsort(-seen, kind="stable")
    by_count = by_count[seen[by_count] > 0]
    many = len(by_count) > MAX_WORDS and not whole
    own = np.sort(by_count[: MAX_WORDS - BUCKETS] if many else by_count)
    rare = by_count[MAX_WORDS - BUCKETS :] if many else by_count[:0]
    upto = np.cumsum(seen[rare])
    bucket = np.minimum((upto - seen[rare] / 2) * BUCKETS / max(upto[-1:].sum(), 1), BUCKETS - 1).astype(np.int64)
    _, bucket = np.unique(bucket, return_inverse=True)
    buckets = int(bucket.max(initial=-1)) + 1
    code = np.full(size + 1, len(own) + buckets, np.int64)  # what was not seen is as if it was missing
    code[own], code[rare] = np.arange(len(own)), len(own) + bucket
    count = np.append(seen[own], np.bincount(bucket, seen[rare], buckets))
    return _column(
        np.append(count, len(codes) - len(present)),
        low=np.append(own, np.full(buckets, -1)).astype(np.float64),
        high=np.append(own, np.full(buckets, -1)).astype(np.float64),
        bin=np.append(np.full(len(own), -1), np.arange(buckets)),
        code=code,
        members=rare,
        weight=seen[rare].astype(np.float64),
    )


def _column(count: Floats, **arrays: NDArray[Any]) -> ColumnTokens:
    """The arrays that were given, and empty ones for the others, each of its type."""
    none: dict[str, Any] = {
        "grid": np.zeros((0, GRID)),
        "step": np.array([0.0, 1.0]),
        "code": [],
        "members": [],
        "weight": [],
    }
    whole = {"bin", "code", "members"}
    laid: dict[str, Any] = {
        name: np.ascontiguousarray(value, np.int64 if name in whole else np.float64)
        for name, value in {**none, **arrays, "count": count}.items()
    }
    return ColumnTokens(**laid)

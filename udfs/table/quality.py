"""How like the real rows of a table made rows are, column by column and pair by pair.

The measures are those that papers report, by SDMetrics' definitions (datacebo, "Column Shapes", "Column Pair
Trends"): 1 where two sets cannot be told apart, 0 where they have nothing in common. What is missing is a value of
its own. Matrices are float64[N, D] of one form (`udfs/table/form.py`), the label included; nobody learns from them.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from udfs.table.form import Column, Matrix, TableForm

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_NOTHING = 1e-12  # a deviation that rounding may leave of a constant, in its own size
BINS = 10  # of equal width, in which a number is set against a category


def column_shapes(real: Matrix, made: Matrix, form: TableForm) -> dict[str, float]:
    """By column: 1 - Kolmogorov and Smirnov's distance for numbers, 1 - the total variation for categories.

    NaN where one of the sets is empty.
    """
    return {column.name: _shape(real[:, place], made[:, place], column) for place, column in enumerate(form.modelled)}


def _shape(real: Floats, made: Floats, column: Column) -> float:
    """One column's likeness."""
    if not len(real) or not len(made):
        return float("nan")
    if column.size:
        return _overlap(_codes(real, column), _codes(made, column))
    low, high = (np.sort(np.where(np.isnan(each), -np.inf, each)) for each in (real, made))
    places = np.concatenate([low, high])
    shares = (np.searchsorted(each, places, side="right") / len(each) for each in (low, high))
    return 1 - float(np.abs(next(shares) - next(shares)).max())


def _codes(values: Floats, column: Column) -> Codes:
    """Codes, what is missing the last."""
    return np.where(np.isnan(values), column.size, values).astype(np.int64)


def _overlap(real: Codes, made: Codes) -> float:
    """1 - half of all differences of shares."""
    size = int(max(real.max(), made.max())) + 1
    shares = [np.bincount(each, minlength=size) / len(each) for each in (real, made)]
    return 1 - float(np.abs(shares[0] - shares[1]).sum()) / 2


def pair_trends(real: Matrix, made: Matrix, form: TableForm) -> Floats:
    """(D, D): for each pair of columns how alike it is in both sets; NaN on the diagonal and for constant numbers.

    Two numbers by their correlations (1 - half of the difference), other pairs by the shares of all pairs of values,
    numbers in BINS of equal width over what the real rows have.
    """
    score = np.full((len(form.modelled), len(form.modelled)), np.nan)
    if not len(real) or not len(made):
        return score
    numeric = [place for place, column in enumerate(form.modelled) if not column.size]
    apart = np.abs(pearson(real[:, numeric]) - pearson(made[:, numeric]))
    score[np.ix_(numeric, numeric)] = 1 - apart / 2
    np.fill_diagonal(score, np.nan)
    parts = [_parts(real[:, place], made[:, place], column) for place, column in enumerate(form.modelled)]
    for one, two in combinations(range(len(parts)), 2):
        if form.modelled[one].size or form.modelled[two].size:
            width = max(int(each.max()) for each in parts[two]) + 1
            joint = [first * width + second for first, second in zip(parts[one], parts[two], strict=True)]
            score[one, two] = score[two, one] = _overlap_of_many(*joint)
    return score


def _parts(real: Floats, made: Floats, column: Column) -> tuple[Codes, Codes]:
    """Codes of a category, or a number's bin: what lies outside the real ones is in the first and last of them."""
    if column.size:
        return _codes(real, column), _codes(made, column)
    edges = _edges(real[~np.isnan(real)])
    first, second = (np.where(np.isnan(each), BINS, np.digitize(each, edges)) for each in (real, made))
    return first, second


def _edges(told: Floats) -> Floats:
    """(BINS - 1,): the edges between bins of equal width; a constant stands in the middle of its own."""
    low, high = (float(told.min()), float(told.max())) if len(told) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return 2 * np.linspace(low / 2, high / 2, BINS + 1)[1:-1]  # by halves, as the whole range may be infinite


def _overlap_of_many(real: Codes, made: Codes) -> float:
    """`_overlap` of codes so large that only those which occur are counted."""
    _, dense = np.unique(np.concatenate([real, made]), return_inverse=True)
    return _overlap(dense[: len(real)], dense[len(real) :])


def pearson(numbers: Matrix) -> Floats:
    """(D, D) correlations, of each pair the rows that have both; NaN where a number is constant there."""
    there = (~np.isnan(numbers)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        small = _small(numbers)
        centred = small - np.nansum(small, axis=0) / there.sum(axis=0)
        size = np.sqrt(np.nansum(centred**2, axis=0) / there.sum(axis=0))
        scaled = np.nan_to_num(centred / np.where(size > _NOTHING, size, np.nan))
        count = there.T @ there
        sums, squares = scaled.T @ there, (scaled**2).T @ there
        spread = count * squares - sums**2
        spread[spread < 1e-9 * count**2] = np.nan
        return np.clip((count * (scaled.T @ scaled) - sums * sums.T) / np.sqrt(spread * spread.T), -1, 1)


def _small(numbers: Floats) -> Floats:
    """Columns divided by their largest size, so that no square is infinite."""
    size = np.max(np.abs(numbers), axis=0, where=~np.isnan(numbers), initial=0.0)
    return numbers / np.where(size > 0, size, 1.0)


def coverage(real: Matrix, made: Matrix, form: TableForm) -> dict[str, float]:
    """By column: the share of the real rows' categories that are met, or of the range from their least to greatest."""
    found = {}
    for place, column in enumerate(form.modelled):
        ours, theirs = (each[~np.isnan(each[:, place]), place] for each in (real, made))
        if not len(ours) or not len(theirs):
            found[column.name] = float(not len(ours))
        elif column.size:
            found[column.name] = float(np.isin(np.unique(ours), theirs).mean())
        else:
            low, high = ours.min() / 2, ours.max() / 2  # by halves, as the whole range may be infinite
            lacking = max(theirs.min() / 2 - low, 0) + max(high - theirs.max() / 2, 0)
            found[column.name] = max(0.0, 1 - float(lacking / ((high - low) or 1.0)))
    return found


def associations(matrix: Matrix, form: TableForm) -> Floats:
    """(D, D), how much columns say of each other: correlation of two numbers, Cramér's V of two categories,
    correlation ratio of one of each; 1 on the diagonal, 0 where one is constant.
    """
    columns = form.modelled
    numeric = [place for place, column in enumerate(columns) if not column.size]
    found = np.zeros((len(columns), len(columns)))
    found[np.ix_(numeric, numeric)] = np.nan_to_num(pearson(matrix[:, numeric]))
    for one, two in combinations(range(len(columns)), 2):
        if columns[one].size and columns[two].size:
            found[one, two] = _cramer(matrix[:, one], matrix[:, two])
        elif columns[one].size or columns[two].size:
            word, number = (one, two) if columns[one].size else (two, one)
            found[one, two] = _ratio(matrix[:, word], matrix[:, number])
        found[two, one] = found[one, two]
    np.fill_diagonal(found, 1.0)
    return found


def association_difference(real: Matrix, made: Matrix, form: TableForm) -> Floats:
    """(D, D): what columns of made rows say of each other, less what those of real ones do."""
    return associations(made, form) - associations(real, form)


def _cramer(first: Floats, second: Floats) -> float:
    """Cramér's V of two columns of codes, of the rows that have both."""
    both = ~np.isnan(first) & ~np.isnan(second)
    if not both.any():
        return 0.0
    rows, row = np.unique(first[both], return_inverse=True)
    columns, column = np.unique(second[both], return_inverse=True)
    free = min(len(rows), len(columns)) - 1
    if not free:
        return 0.0
    joint = np.bincount(row * len(columns) + column, minlength=len(rows) * len(columns)).reshape(len(rows), -1)
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0) / joint.sum()
    return float(np.sqrt(((joint - expected) ** 2 / expected).sum() / joint.sum() / free))


def _ratio(codes: Floats, numbers: Floats) -> float:
    """The root of the share of a number's variance that lies between categories."""
    both = ~np.isnan(codes) & ~np.isnan(numbers)
    _, code = np.unique(codes[both], return_inverse=True)
    if not both.any():
        return 0.0
    told = _small(numbers[both])
    told = told - told.mean()
    total = float((told**2).sum())
    if total <= _NOTHING**2 * len(told):
        return 0.0
    counts = np.bincount(code)
    return float(np.sqrt((np.bincount(code, told) ** 2 / counts).sum() / total))

"""What the report shows of a table's columns: how often which value stands, which columns go together, rows on a plane.

Plain JSON, bounded whatever the table's size: histograms of real and made rows on bins of the real train rows,
associations of each pair of columns, and the first two principal components of the train rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from synth.tables.judges.encoding import Encoding
from synth.tables.rows import Codes, Numbers
from udfs.table.form import Column, Matrix, TableForm

BINS = 24
MOST_WORDS = 12  # values of a category that have a bar of their own; the others share one
MOST_COLUMNS = 30  # whose associations are told
MOST_ROWS = 20_000
POINTS = 400  # of each set on the plane
ROUNDED = 5


def histograms(form: TableForm, sets: Mapping[str, Matrix]) -> list[dict[str, Any]]:
    """Of each column the share of each set's rows in each bin, and of those that are missing; bins are of `train`."""
    return [_histogram(column, place, form, sets) for place, column in enumerate(form.modelled)]


def _histogram(column: Column, place: int, form: TableForm, sets: Mapping[str, Matrix]) -> dict[str, Any]:
    values = {name: matrix[:, place] for name, matrix in sets.items()}
    own = values["train"][~np.isnan(values["train"])]
    missing = {name: _share(np.isnan(each)) for name, each in values.items()}
    told: dict[str, Any] = {"column": column.name, "kind": column.kind, "missing": missing}
    if column.is_numeric:
        edges = _edges(own, column.kind)
        return told | {
            "edges": edges.tolist(),
            "shares": {name: _in_bins(each, edges) for name, each in values.items()},
        }
    codes = _frequent(own, column)
    words = _words(column)
    told["words"] = [words[code] for code in codes] + (["others"] if len(codes) < column.size else [])
    shares = {name: _in_words(each, codes, len(told["words"])) for name, each in values.items()}
    if len(told["words"]) > len(codes) and not any(each[-1] for each in shares.values()):
        told["words"], shares = told["words"][:-1], {name: each[:-1] for name, each in shares.items()}
    return told | {"shares": shares}


def _words(column: Column) -> list[str]:
    return ["no", "yes"] if column.kind == "boolean" else [*column.vocabulary, "others"]


def _edges(own: Numbers, kind: str) -> Numbers:
    """Equal steps from the hundredth to the last but one hundredth of the values; whole ones for few whole numbers."""
    if not len(own):
        return np.array([0.0, 1.0])
    low, high = np.quantile(own, [0.01, 0.99])
    if kind == "integer" and high - low < BINS:
        return np.arange(low, high + 2) - 0.5
    if high <= low:
        low, high = own.min(), max(own.max(), own.min() + 1)
    return np.linspace(low, high, BINS + 1)


def _in_bins(values: Numbers, edges: Numbers) -> list[float]:
    """Shares of all rows; what lies beyond the ends counts in the last bins."""
    there = values[~np.isnan(values)]
    counts, _ = np.histogram(np.clip(there, edges[0], edges[-1]), edges)
    return _rounded(counts / max(len(values), 1))


def _frequent(own: Numbers, column: Column) -> Codes:
    """The most frequent codes, in the order of the vocabulary."""
    counts = np.bincount(own.astype(np.int64), minlength=column.size)[: column.size]
    known = counts[:-1] if column.kind == "category" else counts
    most = MOST_WORDS if len(known) > MOST_WORDS else len(known)
    return np.sort(np.argsort(-known, kind="stable")[:most])


def _in_words(values: Numbers, codes: Codes, bars: int) -> list[float]:
    there = values[~np.isnan(values)]
    shares = [float((there == code).sum()) for code in codes]
    shares += [float(len(there) - sum(shares))] if bars > len(codes) else []
    return _rounded(np.array(shares) / max(len(values), 1))


def _share(mask: Any) -> float:
    return round(float(mask.mean()), ROUNDED) if len(mask) else 0.0


def _rounded(values: Numbers) -> list[float]:
    return [round(float(value), ROUNDED) for value in values]


def associations(form: TableForm, matrix: Matrix) -> Numbers:
    """float64[D, D]: how strongly each two columns go together, 0 to 1; of two numbers -1 to 1.

    Numbers: rank correlation. Categories: Cramér's V, corrected for chance (Bergsma 2013). A number and a category: the
    root of the share of the ranks' variance that lies between categories. Rows where one is missing are left out.
    """
    columns, rows = form.modelled[:MOST_COLUMNS], matrix[:MOST_ROWS]
    found = np.eye(len(columns))
    for one, first in enumerate(columns):
        for other, second in enumerate(columns[:one]):
            found[one, other] = found[other, one] = _association(rows[:, one], rows[:, other], first, second)
    return found


def _association(ours: Numbers, theirs: Numbers, first: Column, second: Column) -> float:
    both = ~(np.isnan(ours) | np.isnan(theirs))
    ours, theirs = ours[both], theirs[both]
    if len(ours) < 2:
        return 0.0
    if first.is_numeric and second.is_numeric:
        a, b = _ranks(ours), _ranks(theirs)
        return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0
    if first.is_numeric:
        return _ratio(_ranks(ours), theirs.astype(np.int64))
    if second.is_numeric:
        return _ratio(_ranks(theirs), ours.astype(np.int64))
    return _cramer(ours.astype(np.int64), theirs.astype(np.int64))


def _ranks(values: Numbers) -> Numbers:
    """Middle ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _ratio(ranks: Numbers, codes: Codes) -> float:
    counts = np.bincount(codes)
    sums = np.bincount(codes, ranks)
    there = counts > 0
    between = float((sums[there] ** 2 / counts[there]).sum()) / len(ranks) - float(ranks.mean()) ** 2
    whole = float(ranks.var())
    return float(np.sqrt(np.clip(between / whole, 0, 1))) if whole > 0 else 0.0


def _cramer(ours: Codes, theirs: Codes) -> float:
    _, ours = np.unique(ours, return_inverse=True)
    _, theirs = np.unique(theirs, return_inverse=True)
    rows, columns, count = int(ours.max()) + 1, int(theirs.max()) + 1, len(ours)
    table = np.bincount(ours * columns + theirs, minlength=rows * columns).reshape(rows, columns) / count
    expected = np.outer(table.sum(1), table.sum(0))
    square = float((table**2 / np.maximum(expected, 1e-300)).sum()) - 1
    square = max(0.0, square - (rows - 1) * (columns - 1) / max(count - 1, 1))
    rows_left = rows - (rows - 1) ** 2 / max(count - 1, 1)
    columns_left = columns - (columns - 1) ** 2 / max(count - 1, 1)
    least = min(rows_left, columns_left) - 1
    return float(np.sqrt(min(1.0, square / least))) if least > 0 else 0.0


def projection(form: TableForm, sets: Mapping[str, Matrix]) -> dict[str, Any] | None:
    """Rows of each set on the two axes along which the train rows differ most; None where there are too few."""
    train = sets["train"][:MOST_ROWS]
    if len(train) < 3:
        return None
    encode = Encoding.fitted(train, form.modelled)
    vectors = encode(train)
    if vectors.shape[1] < 2:
        return None
    found = PCA(2, svd_solver="randomized", random_state=0).fit(vectors)
    points = {name: _plane(found, encode, matrix) for name, matrix in sets.items() if len(matrix)}
    return {"points": points, "explained": [round(float(each), 4) for each in found.explained_variance_ratio_]}


def _plane(found: PCA, encode: Encoding, matrix: Matrix) -> list[list[float]]:
    some = found.transform(encode(matrix[:POINTS]))
    return [[round(float(x), 3), round(float(y), 3)] for x, y in some]


def names(form: TableForm) -> list[str]:
    """The columns whose associations are told."""
    return [column.name for column in form.modelled[:MOST_COLUMNS]]


def mean_difference(real: Numbers, made: Numbers) -> float:
    """Mean absolute difference of the associations of two different columns."""
    if len(real) < 2:
        return 0.0
    return float(np.abs(real - made)[np.triu_indices(len(real), 1)].mean())

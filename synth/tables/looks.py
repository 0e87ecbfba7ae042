"""What the report shows of a table's columns: how often which value stands, which columns go together, rows on a plane.

Plain JSON, bounded whatever the table's size: histograms of real and made rows on bins of the real train rows,
associations of each pair of columns, and the first two principal components of the train rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from synth.tables.judges.encoding import Encoding
from synth.tables.rows import Codes, Numbers
from udfs.table import quality
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
    """float64[D, D]: how much the first MOST_COLUMNS columns say of each other (udfs/table/quality.py)."""
    columns = form.modelled[:MOST_COLUMNS]
    return quality.associations(matrix[:MOST_ROWS, :MOST_COLUMNS], replace(form, columns=columns))


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

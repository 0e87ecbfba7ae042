"""Payloads as vectors: what the joint judge learns from, and the spaces in which rows lie near each other.

Images by their principal components, texts by TF-IDF of runs of characters within words brought down to a few
dimensions, windows scaled by the training rows and brought down likewise, cells encoded as for judges of tables. Each
space is measured on the rows that it is fitted on, and scaled so that they lie about one apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from synth.fusion.rows import Numbers, Payload, Rows, count
from synth.judges.vectors import Projection
from synth.series.scaled import flat, scale_of, scaled
from synth.tables.judges.encoding import Encoding
from udfs.series.scaling import Scale

MOST_FEATURES = 50_000
WORDS = {"analyzer": "word", "ngram_range": (1, 1), "token_pattern": r"(?u)\b\w+\b"}
SMALLEST = 1e-9
SEED = 0


@dataclass(frozen=True)
class Space:
    """One payload as vectors of about unit spread: float64[N, D]."""

    name: str
    encode: Any  # what turns the payload into numbers
    reduce: Any  # what brings them down, or None
    centre: Numbers
    width: float

    def __call__(self, payload: Payload) -> Numbers:
        """float64[N, D]."""
        if not count(payload):
            return np.zeros((0, len(self.centre)))
        numbers = self.encode(payload[self.name])
        found = self.reduce.transform(numbers) if self.reduce is not None else numbers
        return (np.asarray(found, np.float64) - self.centre) / self.width


@dataclass(frozen=True)
class Windows:
    """Windows scaled and laid flat."""

    scale: Scale

    def __call__(self, series: Numbers) -> Numbers:
        """float64[N, T C]; what is missing lies in the middle."""
        return np.nan_to_num(flat(scaled(series, self.scale)))


def space_of(name: str, rows: Rows, dimensions: int) -> Space:
    """The space of one payload, measured on the rows, of at most so many dimensions."""
    encode = _encoder(name, rows)
    numbers = encode(rows.payload[name])
    most = min(dimensions, numbers.shape[1] - 1, len(rows) - 1)
    reduce: Any = None
    if most >= 1 and numbers.shape[1] > dimensions:
        kind = TruncatedSVD if name == "text" else PCA
        reduce = kind(most, random_state=SEED).fit(numbers)
    elif name == "text":
        numbers = np.asarray(numbers.todense())
        encode = Dense(encode)
    found = np.asarray(reduce.transform(numbers) if reduce is not None else numbers, np.float64)
    centre = found.mean(0)
    return Space(name, encode, reduce, centre, max(float(np.sqrt(((found - centre) ** 2).sum(1).mean())), SMALLEST))


@dataclass(frozen=True)
class Dense:
    """Sparse vectors as dense ones."""

    encode: Callable[[Any], Any]

    def __call__(self, values: Any) -> Numbers:
        """float64[N, D]."""
        return np.asarray(self.encode(values).todense())


@dataclass(frozen=True)
class Cells:
    """Rows of a matrix, the label taken out, as judges of tables encode them."""

    encoding: Encoding
    place: int

    def __call__(self, matrix: Numbers) -> Numbers:
        """float64[N, D]."""
        return self.encoding(np.delete(matrix, self.place, axis=1)).astype(np.float64)


def _encoder(name: str, rows: Rows) -> Any:
    if name == "image":
        return Projection.fitted(rows.payload["image"])
    if name == "text":
        return (
            TfidfVectorizer(sublinear_tf=True, max_features=MOST_FEATURES, **WORDS).fit(rows.payload["text"]).transform
        )
    if name == "series":
        return Windows(scale_of(rows.payload["series"]))
    assert rows.question.cells is not None
    question = rows.question.cells
    return Cells(Encoding.fitted(question.cells(rows.payload["table"]), question.inputs), question.place)

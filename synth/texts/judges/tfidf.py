"""Logistic regression on TF-IDF: of words and pairs of them, or of runs of characters within words.

Its strength is chosen on the training rows themselves, by the cross-entropy on held-out collected rows once scores are
scaled and each label's are moved (Platt 1999): a strong penalty on few rows of a rare label makes it seem rarer than it
is. A mixed row counts as one of each label, by their shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from synth.judges import Effort
from synth.judges.folds import folds, tuning_rows
from synth.judges.vectors import cross_entropy, softmax
from synth.texts.rows import Codes, Judge, Numbers, Rows, Texts

FOLDS = 5
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)  # inverse regularisation
TUNING_ROWS = 6000
FIT_ROWS = 40_000
MAX_ITERATIONS = 400
MOST_FEATURES = 200_000
ABSENT = -30.0
TEMPERATURES = np.geomspace(0.05, 5, 31)
MOVES = 20  # rounds until labels are as frequent as they are
WORDS: Mapping[str, Any] = {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
CHARACTERS: Mapping[str, Any] = {"analyzer": "char_wb", "ngram_range": (2, 5)}


@dataclass(frozen=True)
class TfidfJudge:
    """A fitted vocabulary, weights (D, classes) and offsets (classes,)."""

    vectors: TfidfVectorizer
    weights: Numbers
    offsets: Numbers
    temperature: float
    moves: Numbers  # (classes,)

    def predict(self, texts: Texts) -> Numbers:
        """float64[N, classes]."""
        return softmax(
            self.vectors.transform(texts) @ self.weights + self.offsets + self.moves * self.temperature,
            self.temperature,
        )


def fit_words(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Words and pairs of words."""
    return _fit(rows, seed, WORDS)


def fit_characters(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Runs of two to five characters."""
    return _fit(rows, seed, CHARACTERS)


def _fit(rows: Rows, seed: int, told: Mapping[str, Any]) -> TfidfJudge:
    """Tune on a part of the rows, then fit on up to FIT_ROWS of them."""
    strength, temperature, moves = _tuned(rows.take(tuning_rows(rows, TUNING_ROWS)), seed, told)
    kept = rows.take(tuning_rows(rows, FIT_ROWS))
    vectors = _vectors(kept, told)
    weights, offsets = fitted(vectors.transform(kept.texts), kept.shares, strength)
    return TfidfJudge(vectors, weights, offsets, temperature, moves)


def _vectors(rows: Rows, told: Mapping[str, Any]) -> TfidfVectorizer:
    return TfidfVectorizer(sublinear_tf=True, max_features=MOST_FEATURES, dtype=np.float64, **told).fit(rows.texts)


def _tuned(rows: Rows, seed: int, told: Mapping[str, Any]) -> tuple[float, float, Numbers]:
    """(strength, temperature, moves) of the least cross-entropy on held-out rows, collected ones if there are any."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    parts = []
    for each in np.unique(fold):
        learned, held = rows.take(fold != each), np.flatnonzero((fold == each) & askable)
        if len(learned) and len(held):
            vectors = _vectors(learned, told)
            asked = vectors.transform(rows.take(held).texts)
            parts.append((vectors.transform(learned.texts), learned.shares, asked, held))
    if not parts:
        return STRENGTHS[1], 1.0, np.zeros(len(rows.question.classes))
    return _best([(strength, *_held_out(parts, strength, rows.labels)) for strength in STRENGTHS])


def _held_out(
    parts: list[tuple[csr_matrix, Numbers, csr_matrix, Codes]], strength: float, labels: Codes
) -> tuple[float, float, Numbers]:
    """(cross-entropy, temperature, moves) of held-out rows."""
    scores, right = [], []
    for learned, shares, asked, held in parts:
        weights, offsets = fitted(learned, shares, strength)
        scores.append(asked @ weights + offsets)
        right.append(labels[held])
    return calibrated(np.concatenate(scores), np.concatenate(right))


def calibrated(scores: Numbers, labels: Codes) -> tuple[float, float, Numbers]:
    """(cross-entropy, temperature, moves) that fit held-out scores best; moved, labels are as frequent as they are."""
    counts = np.bincount(labels, minlength=scores.shape[1])
    there = counts > 0
    tried = []
    for temperature in TEMPERATURES:
        moves = np.zeros(scores.shape[1])
        for _ in range(MOVES):
            said = softmax(scores + moves * temperature, temperature).sum(0)
            moves[there] += np.log(counts[there] / said[there])
        moves -= moves[there].mean()
        tried.append((cross_entropy(softmax(scores + moves * temperature, temperature), labels), temperature, moves))
    return min(tried, key=lambda each: each[:2])


def _best(tried: list[tuple[float, float, float, Numbers]]) -> tuple[float, float, Numbers]:
    strength, _, temperature, moves = min(tried, key=lambda each: (each[1], each[0]))
    return strength, temperature, moves


def fitted(vectors: csr_matrix, shares: Numbers, strength: float) -> tuple[Numbers, Numbers]:
    """Weights (D, classes) and offsets (classes,); labels that were not learned score ABSENT."""
    rows, labels = np.nonzero(shares)
    weights, offsets = np.zeros((vectors.shape[1], shares.shape[1])), np.full(shares.shape[1], ABSENT)
    known = np.unique(labels)
    if len(known) < 2:
        offsets[known] = 0.0
        return weights, offsets
    told = vectors if len(rows) == vectors.shape[0] else vstack([vectors[row] for row in rows])
    model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, solver="liblinear" if len(known) == 2 else "lbfgs")
    model.set_params(random_state=0)
    model.fit(told, labels, sample_weight=shares[rows, labels])
    if len(known) == 2:  # one column only: the second label against the first
        weights[:, known[1]], offsets[known[0]], offsets[known[1]] = model.coef_[0], 0.0, model.intercept_[0]
    else:
        weights[:, known], offsets[known] = model.coef_.T, model.intercept_
    return weights, offsets

"""Logistic regression on all payloads together: each as a short vector, and the products of every two of them.

Products make it a bilinear form of two payloads (Tenenbaum and Freeman 2000), which is the least that can say whether
an image and a text match; the vectors alone cannot. Its regularisation is tuned by cross-validation on its own training
rows, rows of one parent in one fold, asked of collected rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from synth.fusion.rows import Judge, Numbers, Payload, Rows
from synth.fusion.vectors import Space, space_of
from synth.judges import Effort
from synth.judges.folds import folds, tuning_rows
from synth.judges.vectors import softmax
from synth.texts.judges.tfidf import calibrated, fitted

DIMENSIONS = 32  # of each payload's vector
STRENGTHS = (0.003, 0.03, 0.3, 3.0)  # inverse regularisation
FOLDS = 3
TUNING_ROWS = 2000
FIT_ROWS = 10_000
LEAST_SPREAD = 1e-9


@dataclass(frozen=True)
class Features:
    """Payloads to vectors, and their products; every feature of unit spread over the training rows."""

    spaces: tuple[Space, ...]
    centre: Numbers
    spread: Numbers

    @staticmethod
    def fitted(rows: Rows) -> Features:
        """Measure the training rows."""
        spaces = tuple(space_of(name, rows, DIMENSIONS) for name in rows.payload)
        raw = _raw(spaces, rows.payload)
        return Features(spaces, raw.mean(0), np.maximum(raw.std(0), LEAST_SPREAD))

    def __call__(self, payload: Payload) -> Numbers:
        """float64[N, D]."""
        return (_raw(self.spaces, payload) - self.centre) / self.spread


def _raw(spaces: Sequence[Space], payload: Payload) -> Numbers:
    """Vectors side by side, then the products of every two payloads' vectors."""
    vectors = [space(payload) for space in spaces]
    products = [
        np.einsum("ni,nj->nij", one, two).reshape(len(one), one.shape[1] * two.shape[1])
        for one, two in combinations(vectors, 2)
    ]
    return np.concatenate([*vectors, *products], axis=1)


@dataclass(frozen=True)
class JointJudge:
    """Fitted weights (D, classes) and offsets (classes,)."""

    features: Features
    weights: Numbers
    offsets: Numbers
    temperature: float
    moves: Numbers

    def predict(self, payload: Payload) -> Numbers:
        """float64[N, classes]."""
        scores = self.features(payload) @ self.weights + self.offsets
        return softmax(scores + self.moves * self.temperature, self.temperature)


def fit_joint(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Tune on a part of the rows, then fit on up to FIT_ROWS of them."""
    strength, temperature, moves = _tuned(rows.take(tuning_rows(rows, TUNING_ROWS)), seed)
    kept = rows.take(tuning_rows(rows, FIT_ROWS))
    features = Features.fitted(kept)
    weights, offsets = fitted(features(kept.payload), kept.shares, strength)
    return JointJudge(features, weights, offsets, temperature, moves)


def _tuned(rows: Rows, seed: int) -> tuple[float, float, Numbers]:
    """(strength, temperature, moves) of the least cross-entropy on held-out rows, collected ones if there are any."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    parts = []
    for each in np.unique(fold):
        learned, held = rows.take(fold != each), np.flatnonzero((fold == each) & askable)
        if len(learned) > 1 and len(held):
            features = Features.fitted(learned)
            asked = features(rows.take(held).payload)
            parts.append((features(learned.payload), learned.shares, asked, held))
    if not parts:
        return STRENGTHS[1], 1.0, np.zeros(len(rows.question.classes))
    tried = []
    for strength in STRENGTHS:
        models = [(asked, *fitted(learned, shares, strength)) for learned, shares, asked, _ in parts]
        scores = np.concatenate([asked @ weights + offsets for asked, weights, offsets in models])
        right = np.concatenate([rows.labels[held] for *_, held in parts])
        tried.append((strength, *calibrated(scores, right)))
    best = min(tried, key=lambda each: (each[1], each[0]))
    return best[0], best[2], best[3]

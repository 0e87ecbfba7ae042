"""Logistic regression on pixels, its regularisation tuned on its own training rows: the humblest judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from synth.judges.folds import folds, tuning_rows
from synth.judges.rows import Effort, Images, Probabilities, Rows
from synth.judges.vectors import Projection, Vectors, best_temperature, softmax

TUNING_ROWS = 1500
FIT_ROWS = 20_000
FOLDS = 3
PENALTIES = (0.01, 0.1, 1.0, 10.0)
MAX_ITERATIONS = 300
ABSENT = -30.0


@dataclass(frozen=True)
class LinearJudge:
    """Fitted weights (D, classes) and offsets (classes,)."""

    project: Projection
    weights: Vectors
    offsets: Vectors
    temperature: float

    def predict_proba(self, images: Images) -> Probabilities:
        """float64[N, classes]."""
        return softmax(self.project(images) @ self.weights + self.offsets, self.temperature)


def fit_linear(rows: Rows, classes: int, effort: Effort, seed: int) -> LinearJudge:
    """Tune on a part of the rows, then fit on up to FIT_ROWS of them."""
    project = Projection.fitted(rows.images)
    penalty, temperature = _tuned(rows.take(tuning_rows(rows, TUNING_ROWS)), project, classes, seed)
    kept = rows.take(tuning_rows(rows, FIT_ROWS))
    weights, offsets = _fitted(project(kept.images), kept.labels, penalty, classes)
    return LinearJudge(project, weights, offsets, temperature)


def _tuned(rows: Rows, project: Projection, classes: int, seed: int) -> tuple[float, float]:
    """(C, temperature) of the least cross-entropy on held-out rows, real ones where there are any."""
    vectors = project(rows.images)
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    tried = []
    for penalty in PENALTIES:
        scores = np.zeros((len(rows), classes))
        for each in np.unique(fold):
            weights, offsets = _fitted(vectors[fold != each], rows.labels[fold != each], penalty, classes)
            scores[fold == each] = vectors[fold == each] @ weights + offsets
        temperature, loss = best_temperature(scores[askable], rows.labels[askable])
        tried.append((loss, penalty, temperature))
    return min(tried)[1:]


def _fitted(vectors: Vectors, labels: np.ndarray, penalty: float, classes: int) -> tuple[Vectors, Vectors]:
    """Weights (D, classes) and offsets (classes,); labels that were not learned score ABSENT."""
    weights, offsets = np.zeros((vectors.shape[1], classes)), np.full(classes, ABSENT)
    known = np.unique(labels)
    if len(known) < 2:
        offsets[known] = 0.0
        return weights, offsets
    model = LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS).fit(vectors, labels)
    if len(known) == 2:  # one column only: the second label against the first
        weights[:, known[1]], offsets[known[0]], offsets[known[1]] = model.coef_[0], 0.0, model.intercept_[0]
    else:
        weights[:, known], offsets[known] = model.coef_.T, model.intercept_
    return weights, offsets

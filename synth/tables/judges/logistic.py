"""Logistic regression, or ridge regression where the label is a number; its penalty tuned on its own training rows.

The humblest judge: what it gains, any model might.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from synth.judges import Effort
from synth.judges.folds import tuning_rows
from synth.tables.judges.encoding import Encoding, Vectors
from synth.tables.judges.held_out import loss, parts, spread_over
from synth.tables.rows import Codes, Numbers, Rows
from udfs.table.form import Matrix

TUNING_ROWS = 3000
FIT_ROWS = 50_000
FOLDS = 3
PENALTIES = (0.01, 0.1, 1.0, 10.0)  # C of the logistic: the larger, the less is held back
MAX_ITERATIONS = 300
NEWTON_TO = 400  # columns of vectors times scores: beyond, the Hessian costs more than it saves


@dataclass(frozen=True)
class LogisticJudge:
    """Fitted weights (W, K) and offsets (K,) of the `known` classes; of numbers, K is 1."""

    encode: Encoding
    weights: Numbers
    offsets: Numbers
    known: Codes
    width: int

    def predict(self, cells: Matrix) -> Numbers:
        """float64[N, classes], or float64[N, 1]."""
        scores = self.encode(cells) @ self.weights + self.offsets
        if self.width == 1:
            return scores
        return spread_over(_softmax(scores), self.known, self.width)


def fit_logistic(rows: Rows, effort: Effort, seed: int, penalty: float | None = None) -> LogisticJudge:
    """Tune on a part of the rows unless there is a penalty, then fit on up to FIT_ROWS of them."""
    with threadpool_limits(effort.threads):
        encode = Encoding.fitted(rows.cells, rows.question.inputs)
        if penalty is None:
            some = rows.take(tuning_rows(rows, TUNING_ROWS))
            penalty = _tuned(encode(some.cells), some, seed)
        kept = rows.take(tuning_rows(rows, FIT_ROWS))
        weights, offsets, known = _fitted(encode(kept.cells), kept, penalty)
    return LogisticJudge(encode, weights, offsets, known, rows.question.width)


def _tuned(vectors: Vectors, rows: Rows, seed: int) -> float:
    """The penalty of the least held-out loss."""
    folds = list(parts(rows, FOLDS, seed))
    tried = []
    for penalty in PENALTIES:
        total = 0.0
        for learned, asked in folds:
            weights, offsets, known = _fitted(vectors[learned], rows.take(learned), penalty)
            scores = vectors[asked] @ weights + offsets
            width = rows.question.width
            said = scores if width == 1 else spread_over(_softmax(scores), known, width)
            total += loss(said, rows.targets[asked]) * len(asked)
        tried.append((total, penalty))
    return min(tried)[1]


def _fitted(vectors: Vectors, rows: Rows, penalty: float) -> tuple[Numbers, Numbers, Codes]:
    """(weights, offsets, known classes)."""
    if not rows.question.classes:
        machine = Ridge(alpha=1 / penalty).fit(vectors.astype(np.float64), rows.targets)
        return machine.coef_[:, None], np.array([machine.intercept_]), np.zeros(1, np.int64)
    labels = rows.labels
    known = np.unique(labels)
    if len(known) == 1:
        return np.zeros((vectors.shape[1], 1)), np.zeros(1), known
    columns = vectors.shape[1] * (len(known) if len(known) > 2 else 1)
    solver = "newton-cholesky" if columns <= NEWTON_TO else "lbfgs"
    machine = LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS, solver=solver)
    machine.fit(vectors.astype(np.float64), labels)
    if len(known) == 2:  # one column of scores, the second class against the first
        weights = np.stack([np.zeros_like(machine.coef_[0]), machine.coef_[0]], axis=1)
        return weights, np.array([0.0, machine.intercept_[0]]), known
    return machine.coef_.T, machine.intercept_, known


def _softmax(scores: Numbers) -> Numbers:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)

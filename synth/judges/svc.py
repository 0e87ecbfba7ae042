"""A support vector machine with an RBF kernel, its C and gamma tuned on its own training rows.

Tuning goes by held-out *real* rows where there are any, since that is what the judge will be asked about. Held-out
scores also set the temperature that turns scores into probabilities; Platt's nested fits would cost five times as
much. Bounds: TUNING_ROWS are tuned on, FIT_ROWS learned from; beyond them all real rows up to half, and evenly spaced
others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC

from synth.judges.folds import folds, tuning_rows
from synth.judges.rows import Codes, Effort, Images, Probabilities, Rows
from synth.judges.vectors import Projection, Vectors, best_temperature, softmax

TUNING_ROWS = 1000
FIT_ROWS = 8000
FOLDS = 5
REPEATS_SMALL, SMALL_TO = 3, 300  # few rows: folds are drawn several times, as one draw of them is luck
PENALTIES = (1.0, 3.0, 10.0, 30.0)
GAMMAS = (0.25, 0.5, 1.0, 2.0, 4.0)  # times 1 / mean squared distance
CACHE_MB = 300
ABSENT = -10.0  # the score of a label that the judge never saw
BLOCK = 2000


@dataclass(frozen=True)
class SvcJudge:
    """A fitted machine; None where all training rows have one label."""

    project: Projection
    machine: SVC | None
    classes: int
    only: int
    temperature: float

    def predict_proba(self, images: Images) -> Probabilities:
        """float64[N, classes]."""
        if self.machine is None:
            return softmax(np.where(np.arange(self.classes) == self.only, 0.0, ABSENT) * np.ones((len(images), 1)))
        if not len(images):
            return np.zeros((0, self.classes))
        blocks = [images[at : at + BLOCK] for at in range(0, len(images), BLOCK)]
        scores = np.concatenate([_scores(self.machine, self.project(block), self.classes) for block in blocks])
        return softmax(scores, self.temperature)


def fit_svc(rows: Rows, classes: int, effort: Effort, seed: int) -> SvcJudge:
    """Tune on a part of the rows, then fit on up to FIT_ROWS of them."""
    project = Projection.fitted(rows.images)
    if len(np.unique(rows.labels)) == 1:
        return SvcJudge(project, None, classes, int(rows.labels[0]), 1.0)
    penalty, gamma, temperature = _tuned(rows.take(tuning_rows(rows, TUNING_ROWS)), project, classes, seed)
    kept = rows.take(tuning_rows(rows, FIT_ROWS))
    vectors = project(kept.images)
    machine = SVC(C=penalty, gamma=gamma / mean_square_distance(vectors), cache_size=CACHE_MB)
    return SvcJudge(project, machine.fit(vectors, kept.labels), classes, -1, temperature)


def mean_square_distance(vectors: Vectors) -> float:
    """Mean squared distance of two of the rows: twice the total variance."""
    return max(2.0 * float(vectors.var(0).sum()), 1e-9)


def _tuned(rows: Rows, project: Projection, classes: int, seed: int) -> tuple[float, float, float]:
    """(C, gamma, temperature) of the least held-out cross-entropy."""
    vectors = project(rows.images)
    squares = (vectors**2).sum(1)
    distances = np.maximum(squares[:, None] + squares - 2 * vectors @ vectors.T, 0) / mean_square_distance(vectors)
    repeats = REPEATS_SMALL if len(rows) <= SMALL_TO else 1
    drawn = [folds(rows.labels, rows.group_codes(), FOLDS, seed * REPEATS_SMALL + each) for each in range(repeats)]
    tried = []
    for gamma in GAMMAS:
        kernel = np.exp(-gamma * distances)
        parts = [_held_out(kernel, rows, fold, classes) for fold in drawn]
        for place, penalty in enumerate(PENALTIES):
            scores = np.concatenate([part[0][place] for part in parts])
            asked = np.concatenate([part[1] for part in parts])
            if len(asked):
                temperature, loss = best_temperature(scores, rows.labels[asked])
                tried.append((loss, penalty, gamma, temperature))
    return min(tried)[1:] if tried else (PENALTIES[-1], 1.0, 1.0)


def _held_out(kernel: Vectors, rows: Rows, fold: Codes, classes: int) -> tuple[list[Vectors], Codes]:
    """Scores of held-out rows (real ones where there are any) under each of PENALTIES, and their places."""
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    scores, places = [[np.zeros((0, classes))] for _ in PENALTIES], [np.zeros(0, np.int64)]
    for each in np.unique(fold):
        learned, asked = np.flatnonzero(fold != each), np.flatnonzero((fold == each) & askable)
        if len(np.unique(rows.labels[learned])) < 2 or not len(asked):
            continue
        among, towards = kernel[np.ix_(learned, learned)], kernel[np.ix_(asked, learned)]
        with config_context(assume_finite=True):  # else each fit looks through the kernel once more
            for mine, penalty in zip(scores, PENALTIES, strict=True):
                machine = SVC(C=penalty, kernel="precomputed").fit(among, rows.labels[learned])
                mine.append(_scores(machine, towards, classes))
        places.append(asked)
    return [np.concatenate(mine) for mine in scores], np.concatenate(places)


def _scores(machine: SVC, vectors: Vectors, classes: int) -> Vectors:
    """(N, classes): one score per label; a label that was not learned scores ABSENT."""
    raw = machine.decision_function(vectors)
    if raw.ndim == 1:
        raw = np.stack([-raw, raw], 1)
    scores = np.full((len(raw), classes), ABSENT)
    scores[:, machine.classes_] = raw
    return scores

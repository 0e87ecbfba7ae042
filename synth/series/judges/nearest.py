"""One nearest neighbour (Cover and Hart 1967): a window is of the class of the nearest one that is known.

Probabilities fall with the distance to each class's nearest window, by a temperature that fits held-out rows best. A
mixed row counts for the label of its larger share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.judges import Effort
from synth.judges.folds import folds, tuning_rows
from synth.judges.vectors import best_temperature, softmax
from synth.series.rows import Codes, Judge, Numbers, Rows, Windows
from synth.series.scaled import distances, flat, scale_of, scaled
from udfs.series.scaling import Scale

FOLDS = 5
TUNING_ROWS = 2000
KNOWN_ROWS = 20_000
FAR = 1e6  # as near as a class lies of which nothing is known


@dataclass(frozen=True)
class NearestJudge:
    """Known windows (M, T C), scaled, and their classes."""

    known: Numbers
    labels: Codes
    classes: int
    scale: Scale
    temperature: float

    def predict(self, windows: Windows) -> Numbers:
        """float64[N, classes]."""
        asked = flat(scaled(windows, self.scale))
        return softmax(-class_distances(asked, self.known, self.labels, self.classes), self.temperature)


def class_distances(asked: Numbers, known: Numbers, labels: Codes, classes: int) -> Numbers:
    """(N, classes): how far each class's nearest known window is."""
    out = np.full((len(asked), classes), FAR)
    for part, apart in distances(asked, known):
        for code in np.unique(labels).tolist():
            out[part, code] = apart[:, labels == code].min(1)
    return out


def fit_nearest(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Keep up to KNOWN_ROWS windows, and find the temperature on a part of them."""
    kept = rows.take(tuning_rows(rows, KNOWN_ROWS))
    scale, classes = scale_of(kept.windows), len(rows.question.classes)
    known, labels = flat(scaled(kept.windows, scale)), kept.shares.argmax(1)
    some = tuning_rows(kept, TUNING_ROWS)
    return NearestJudge(known, labels, classes, scale, _temperature(kept.take(some), known[some], seed))


def _temperature(rows: Rows, known: Numbers, seed: int) -> float:
    """By the cross-entropy of held-out rows, collected ones if there are any; 1 where there are no two groups."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    scores, right = [], []
    for each in np.unique(fold):
        learned, held = fold != each, (fold == each) & askable
        if learned.any() and held.any():
            labels = rows.shares[learned].argmax(1)
            scores.append(-class_distances(known[held], known[learned], labels, rows.shares.shape[1]))
            right.append(rows.labels[held])
    if not scores:
        return 1.0
    return best_temperature(np.concatenate(scores), np.concatenate(right))[0]

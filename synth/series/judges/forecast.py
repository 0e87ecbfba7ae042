"""Ridge regression of a window's last quarter on the steps before it (Hoerl and Kennard 1970), tuned on held-out rows.

Long windows go by their principal components. What is forecast is the distance from the channel's mean, or from its
last known value, whichever held-out rows like better: penalties pull towards one or the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.judges import Effort
from synth.judges.folds import folds, tuning_rows
from synth.series.judges.rocket import ridge
from synth.series.rows import Judge, Numbers, Rows, Windows, ends, known
from synth.series.scaled import scale_of, scaled
from udfs.series.scaling import Scale, decode, encode

FOLDS = 5
TUNING_ROWS = 3000
FIT_ROWS = 20_000
COMPONENTS = 256  # of what is seen: with as many values or fewer, these themselves
STRENGTHS = np.geomspace(1e-2, 1e5, 15)  # of the penalty
ANCHORS = (0.0, 1.0)  # share of the last known value in what is forecast from


@dataclass(frozen=True)
class ForecastJudge:
    """What windows are scaled by, the axes of what is seen (D, K), and weights (K, H C)."""

    scale: Scale
    axes: Numbers | None
    anchor: float
    weights: Numbers
    offsets: Numbers
    steps: int

    def predict(self, windows: Windows) -> Numbers:
        """float64[N, H, C] of whole windows, or of their first steps."""
        seen = scaled(windows[:, : self.steps], self.scale)
        told = _inputs(seen, self.axes) @ self.weights + self.offsets
        shape = (len(seen), -1, seen.shape[2])
        return decode(told.reshape(shape) + self.anchor * seen[:, -1:], self.scale)


def fit_forecast(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Tune on a part of the rows, then fit on up to FIT_ROWS of them; rows whose end is not whole teach nothing."""
    whole = ~np.isnan(ends(rows.windows)).any((1, 2))
    kept = rows.take(np.flatnonzero(whole)) if whole.any() else rows
    kept = kept.take(tuning_rows(kept, FIT_ROWS))
    scale = scale_of(kept.windows)
    seen = scaled(known(kept.windows), scale)
    axes = _axes(seen)
    told, targets = _inputs(seen, axes), np.nan_to_num(encode(ends(kept.windows), scale))
    some = tuning_rows(kept, TUNING_ROWS)
    anchor, strength = _tuned(kept.take(some), told[some], targets[some], seen[some, -1:], seed)
    weights, offsets = ridge(told, _flat(targets - anchor * seen[:, -1:]), (strength,))[0]
    return ForecastJudge(scale, axes, anchor, weights, offsets, seen.shape[1])


def _flat(values: Numbers) -> Numbers:
    return values.reshape(len(values), values.shape[1] * values.shape[2])


def _inputs(seen: Numbers, axes: Numbers | None) -> Numbers:
    """(N, D): scaled values, or their components."""
    return _flat(seen) if axes is None else _flat(seen) @ axes


def _axes(seen: Numbers) -> Numbers | None:
    """(D, COMPONENTS) along which windows differ most; None for short windows."""
    values = _flat(seen)
    if values.shape[1] <= COMPONENTS:
        return None
    from sklearn.decomposition import PCA

    some = values[:TUNING_ROWS]
    found = PCA(min(COMPONENTS, *some.shape), svd_solver="randomized", random_state=0).fit(some)
    return np.ascontiguousarray(found.components_.T)


def _tuned(rows: Rows, told: Numbers, targets: Numbers, last: Numbers, seed: int) -> tuple[float, float]:
    """(anchor, strength) of the least error on held-out rows, collected ones if there are any."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    tried = [(anchor, float(strength)) for anchor in ANCHORS for strength in STRENGTHS]
    errors = np.zeros(len(tried))
    for each in np.unique(fold):
        learned, held = fold != each, (fold == each) & askable
        if not learned.any() or not held.any():
            continue
        place = 0
        for anchor in ANCHORS:
            base = anchor * last
            for weights, offsets in ridge(told[learned], _flat(targets - base)[learned], STRENGTHS):
                said = (told[held] @ weights + offsets).reshape(targets[held].shape) + base[held]
                errors[place] += np.abs(said - targets[held]).mean((1, 2)).sum()
                place += 1
    if not errors.any():
        return ANCHORS[-1], float(STRENGTHS[len(STRENGTHS) // 2])
    best = min(range(len(tried)), key=lambda at: (errors[at], -tried[at][1]))
    return tried[best]

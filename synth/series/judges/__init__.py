"""The judges of series: `nearest` (the nearest train window, Euclidean over scaled channels), `rocket` (ridge
regression on features of random convolutions), `cnn` (a small net, equal steps); and of windows without labels
`forecast` (ridge regression of a window's end on what comes before).

All but `cnn` tune themselves by cross-validation on their own training rows, children of one parent in one fold, asked
of collected rows alone.
"""

from __future__ import annotations

from synth.judges import Effort
from synth.series.judges.cnn import fit_cnn
from synth.series.judges.forecast import fit_forecast
from synth.series.judges.nearest import fit_nearest
from synth.series.judges.rocket import fit_rocket
from synth.series.rows import Judge, Rows

OF_LABELS = {"nearest": fit_nearest, "rocket": fit_rocket, "cnn": fit_cnn}
KINDS = {**OF_LABELS, "forecast": fit_forecast}


def fit(kind: str, rows: Rows, effort: Effort, seed: int = 0) -> Judge:
    """Train a judge of this kind on the rows. Raises ValueError for an unknown kind, or no rows."""
    if not len(rows):
        raise ValueError("a judge needs at least one row to learn from")
    if kind not in KINDS:
        raise ValueError(f"{kind} is not a judge of series; there are {', '.join(KINDS)}")
    return KINDS[kind](rows, effort, seed)


__all__ = ["KINDS", "OF_LABELS", "fit"]

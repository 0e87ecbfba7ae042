"""The judges of tables: who tell the label from the other columns, to say what rows are worth.

Three kinds, unlike on purpose: `boosting` (trees), `logistic` (linear; ridge regression where the label is a number)
and `mlp` (a net). The net takes the same number of steps whatever the rows; the others are tuned by cross-validation on
their own training rows, children of one parent in one fold. Same rows, seed and threads: the same judge.
"""

from __future__ import annotations

from synth.judges import Effort
from synth.tables.judges.boosting import BoostingJudge, fit_boosting
from synth.tables.judges.encoding import Encoding
from synth.tables.judges.logistic import LogisticJudge, fit_logistic
from synth.tables.judges.mlp import MlpJudge, fit_mlp
from synth.tables.rows import Judge, Rows

KINDS = ("boosting", "logistic", "mlp")


def fit(kind: str, rows: Rows, effort: Effort, seed: int = 0) -> Judge:
    """Train a judge of this kind on the rows. Raises ValueError for an unknown kind, or no rows."""
    if len(rows) == 0:
        raise ValueError("a judge needs at least one row to learn from")
    if kind == "boosting":
        return fit_boosting(rows, effort, seed)
    if kind == "logistic":
        return fit_logistic(rows, effort, seed)
    if kind == "mlp":
        return fit_mlp(rows, effort, seed)
    raise ValueError(f"{kind} is not a judge of tables; there are {', '.join(KINDS)}")


__all__ = [
    "KINDS", "BoostingJudge", "Encoding", "Judge", "LogisticJudge", "MlpJudge", "Rows", "fit", "fit_boosting",
    "fit_logistic", "fit_mlp",
]  # fmt: skip

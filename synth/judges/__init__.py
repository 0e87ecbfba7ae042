"""The judges: classifiers that say what rows are worth, by what they learn from them.

Three kinds, unlike on purpose, so that a gain is not one model's taste: `cnn` (a small convolutional net), `svc`
(support vectors, RBF kernel) and `linear` (logistic regression). A gradient judge takes the same number of steps
whatever the rows, and its last step counts; the others tune their regularisation by cross-validation on their own
training rows, children of one parent in one fold. Without that a gain may be an artefact: plain duplication once
"gained" an untuned linear judge 20 points. Same rows, seed and threads: the same judge.
"""

from __future__ import annotations

from synth.judges.cnn import CnnJudge, fit_cnn
from synth.judges.linear import LinearJudge, fit_linear
from synth.judges.rows import Augmenter, Effort, Images, Judge, Probabilities, Rows, joined
from synth.judges.svc import SvcJudge, fit_svc

KINDS = ("cnn", "svc", "linear")


def fit(kind: str, rows: Rows, classes: int, effort: Effort, seed: int = 0, augment: Augmenter | None = None) -> Judge:
    """Train a judge of this kind on the rows; `augment` (cnn only) changes every batch on the fly.

    Raises ValueError for an unknown kind, or no rows.
    """
    if len(rows) == 0:
        raise ValueError("a judge needs at least one row to learn from")
    if kind == "cnn":
        return fit_cnn(rows, classes, effort, seed, augment)
    if kind == "svc":
        return fit_svc(rows, classes, effort, seed)
    if kind == "linear":
        return fit_linear(rows, classes, effort, seed)
    raise ValueError(f"{kind} is not a judge; there are {', '.join(KINDS)}")


__all__ = [
    "KINDS", "Augmenter", "CnnJudge", "Effort", "Images", "Judge", "LinearJudge", "Probabilities", "Rows", "SvcJudge",
    "fit", "fit_cnn", "fit_linear", "fit_svc", "joined",
]  # fmt: skip

"""How well judges' answers tell the label: the measures of evaluate, and each row's share in the error.

An error is one minus the area under the ROC curve (the mean over classes, each against the others, where they are more
than two), or one minus R2. `row_errors` writes it as a mean over rows: an AUC by the placements of its rows (DeLong et
al. 1988), so that one bootstrap over rows serves all measures; R2 by squared errors over the variance of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synth.tables.rows import Codes, Numbers

LEAST_PROBABILITY = 1e-7
OF_CLASSES = ("auc", "pr_auc", "f1", "minority_f1", "accuracy", "log_loss")
OF_NUMBERS = ("r2", "rmse", "mae")


class Question(Protocol):
    """What judges are asked: which of the classes, or a number where there are none."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Words."""


def error_name(question: Question) -> str:
    """What the error of this question is, in words."""
    if not question.classes:
        return "1 - R2"
    return "1 - AUC" if len(question.classes) == 2 else "1 - mean AUC of each class against the others"


def measures(said: Numbers, targets: Numbers, question: Question, focus: int, rare: int) -> dict[str, float]:
    """OF_CLASSES or OF_NUMBERS. `focus` is the class of f1 and pr_auc where there are two, `rare` that of minority_f1.

    Measures of classes that have no row are left out of means; NaN where nothing is left.
    """
    if not question.classes:
        return _of_numbers(said[:, 0], targets)
    labels = targets.astype(np.int64)
    top, present = said.argmax(1), [code for code in range(said.shape[1]) if 0 < (labels == code).sum() < len(labels)]
    asked = [focus] if said.shape[1] == 2 else present
    return {
        "auc": _mean([auc(said[:, code], labels == code) for code in (asked if present else [])]),
        "pr_auc": _mean([average_precision(said[:, code], labels == code) for code in asked if code in present]),
        "f1": _mean([f1(top == code, labels == code) for code in asked]),
        "minority_f1": f1(top == rare, labels == rare),
        "accuracy": float((top == labels).mean()),
        "log_loss": float(-np.log(np.maximum(said[np.arange(len(labels)), labels], LEAST_PROBABILITY)).mean()),
    }


def _of_numbers(said: Numbers, targets: Numbers) -> dict[str, float]:
    off = said - targets
    return {
        "r2": 1 - float((off**2).mean()) / variance(targets),
        "rmse": float(np.sqrt((off**2).mean())),
        "mae": float(np.abs(off).mean()),
    }


def variance(targets: Numbers) -> float:
    """Of the labels; 1 where they are all equal."""
    found = float(targets.var())
    return found if found > 0 else 1.0


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def placements(scores: Numbers, hits: NDArray[np.bool_]) -> Numbers:
    """float64[N]: of each row the share of the rows of the other kind that it is ranked rightly against; ties half."""
    order = np.argsort(scores, kind="stable")
    ranked = hits[order]
    found = np.empty(len(scores))
    found[order] = np.where(ranked, _below(scores[order], ~ranked), 1 - _below(scores[order], ranked))
    return found


def _below(scores: Numbers, kind: NDArray[np.bool_]) -> Numbers:
    """Of each of the sorted scores the share of the rows of the kind that score lower, those of the same score half."""
    total = np.concatenate([[0], np.cumsum(kind)])
    lower, same = (total[np.searchsorted(scores, scores, side)] for side in ("left", "right"))
    return (lower + same) / 2 / max(int(kind.sum()), 1)


def auc(scores: Numbers, hits: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a hit scores higher than a miss."""
    return float(placements(scores, hits)[hits].mean())


def average_precision(scores: Numbers, hits: NDArray[np.bool_]) -> float:
    """Area under the curve of precision over recall, in steps; rows of one score come together."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    found = np.cumsum(hits[order])[ends]
    recall = found / max(int(hits.sum()), 1)
    return float((np.diff(recall, prepend=0.0) * found / (ends + 1)).sum())


def f1(said: NDArray[np.bool_], hits: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall; 0 where nothing was found."""
    both = int((said & hits).sum())
    return 2 * both / max(int(said.sum()) + int(hits.sum()), 1)


def row_errors(said: Numbers, targets: Numbers, question: Question) -> Numbers:
    """float64[N] whose mean is the error, and whose mean over drawn rows is about the error on them.

    A class without rows has no part in it; without any two classes the error is that of chance, one half.
    """
    if not question.classes:
        return (said[:, 0] - targets) ** 2 / variance(targets)
    labels = targets.astype(np.int64)
    present = [code for code in range(said.shape[1]) if 0 < (labels == code).sum() < len(labels)]
    if not present:
        return np.full(len(labels), 0.5)
    asked = present[1:] if said.shape[1] == 2 else present  # of two classes one tells all
    return np.mean([_auc_errors(said[:, code], labels == code) for code in asked], axis=0)


def _auc_errors(scores: Numbers, hits: NDArray[np.bool_]) -> Numbers:
    """One minus AUC plus each row's influence on it (DeLong et al. 1988, the structural components)."""
    placed = placements(scores, hits)
    whole = float(placed[hits].mean())
    share = np.where(hits, hits.mean(), 1 - hits.mean())
    return (1 - whole) - (placed - whole) / share


def focus_of(classes: tuple[str, ...], positive: str | None, labels: Codes) -> tuple[int, int]:
    """(class of f1 and pr_auc, rarest class of `labels` that occurs): the positive one, or the rarest."""
    counts = np.bincount(labels, minlength=max(len(classes), 1))
    there = np.flatnonzero(counts)
    rare = int(there[np.argmin(counts[there])]) if len(there) else 0
    return (classes.index(positive) if positive is not None else rare), rare


def lopsided(labels: Codes, least: float) -> bool:
    """Whether the rarest class that occurs has less than `least` of the rows."""
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    return len(counts) > 1 and bool(counts.min() < least * counts.sum())


def by_seed(found: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """Each measure's values, one a seed; None where it could not be told."""
    plain = [{name: None if np.isnan(value) else float(value) for name, value in each.items()} for each in found]
    return {name: [each[name] for each in plain] for name in (plain[0] if plain else {})}

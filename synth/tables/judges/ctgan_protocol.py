"""The judges by which CTGAN and the papers after it are compared (Xu et al. 2019, the benchmark SDGym).

Trained on made rows, asked real test rows, with fixed settings that nobody tunes. Binary: F1 of the positive class,
mean over a decision tree, AdaBoost, logistic regression and a net; more classes: macro F1 of a tree and a net; numbers:
R2 of linear regression and a net. Only to be set beside published figures: `fit` has the better judges.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.ensemble import AdaBoostClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import f1_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from synth.tables.rows import Numbers, Question, Rows
from udfs.table.form import Column, Matrix

MOST_ROWS = 50_000
LOG_FROM = 1e3  # numbers that are never negative and reach this are looked at by their logarithm
LEAST = 1e-2  # below which no logarithm is taken
RANGE = 5.0  # the others lie between 0 and this


def scores(learned: Rows, asked: Rows, positive: int, seed: int = 0, threads: int = 1) -> dict[str, float]:
    """The score of each judge and their `mean`, trained on `learned`, asked `asked`. Missing numbers are the mean."""
    rows = learned.take(np.random.default_rng(seed).permutation(len(learned))[:MOST_ROWS])
    encode = _Encoding(rows)
    ours, theirs = encode(rows.cells), encode(asked.cells)
    found = {}
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fifty rounds are the protocol's, converged or not
        for name, judge in _judges(rows.question, seed).items():
            targets = rows.labels if rows.question.classes else rows.targets
            said = judge.fit(ours, targets).predict(theirs)
            found[name] = _score(said, asked, positive)
    return found | {"mean": float(np.mean(list(found.values())))}


def _judges(question: Question, seed: int) -> dict[str, Any]:
    if not question.classes:
        return {
            "linear": LinearRegression(),
            "mlp": MLPRegressor(hidden_layer_sizes=(100,), max_iter=50, random_state=seed),
        }
    two = len(question.classes) == 2
    tree = DecisionTreeClassifier(max_depth=15 if two else 30, class_weight="balanced", random_state=seed)
    net = MLPClassifier(hidden_layer_sizes=(50,) if two else (100,), max_iter=50, random_state=seed)
    if not two:
        return {"tree": tree, "mlp": net}
    logistic = LogisticRegression(class_weight="balanced", max_iter=50)
    return {"tree": tree, "adaboost": AdaBoostClassifier(random_state=seed), "logistic": logistic, "mlp": net}


def _score(said: Numbers, asked: Rows, positive: int) -> float:
    if not asked.question.classes:
        return float(r2_score(asked.targets, said))
    if len(asked.question.classes) == 2:
        return float(f1_score(asked.labels == positive, said == positive))
    return float(f1_score(asked.labels, said, average="macro"))


class _Encoding:
    """Cells as the protocol has them: numbers scaled to 0 to RANGE or by logarithm, categories of over two values as
    columns of their own, a missing one among them.
    """

    def __init__(self, rows: Rows) -> None:
        self._columns = rows.question.inputs
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
            facts = [np.nanmin(rows.cells, 0), np.nanmax(rows.cells, 0), np.nanmean(rows.cells, 0)]
        self._low, self._high, self._mean = (np.nan_to_num(each) for each in facts)

    def __call__(self, cells: Matrix) -> Matrix:
        parts = [self._encoded(cells[:, place], place, column) for place, column in enumerate(self._columns)]
        return np.concatenate(parts, axis=1)

    def _encoded(self, values: Numbers, place: int, column: Column) -> Matrix:
        if not column.is_numeric:
            codes = np.where(np.isnan(values), column.size, values).astype(np.int64)
            return codes[:, None].astype(np.float64) if column.size <= 2 else np.eye(column.size + 1)[codes]
        low, high = self._low[place], self._high[place]
        told = np.where(np.isnan(values), self._mean[place], values)
        if low >= 0 and high >= LOG_FROM:
            return np.log(np.maximum(told, LEAST))[:, None]
        return ((told - low) / ((high - low) or 1.0) * RANGE)[:, None]

"""Gradient boosting over histograms (Ke et al. 2017): the strongest judge of tables, and the peers' yardstick.

Categories and missing cells are taken as they are. How large its trees are and how many it takes is tuned on its own
training rows: on few rows by cross-validation, on many by one held-out part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from synth.judges import Effort
from synth.judges.folds import tuning_rows
from synth.tables.judges.held_out import loss, parts, spread_over
from synth.tables.rows import Codes, Numbers, Rows
from udfs.table.form import Column, Matrix

LEARNING_RATE = 0.1
TREES = (25, 50, 100, 150, 200)
SMALL = ((31, 20), (8, 10), (4, 5))  # (leaves of a tree, fewest rows in a leaf) that few rows are tuned over
LARGE = ((31, 20), (12, 20))
SMALL_TO = 3000  # rows
FOLDS = 3
TUNING_ROWS = 9000  # a third of them are asked
FIT_ROWS = 100_000
MOST_CODES = 250  # of a category: rarer codes are taken together
_RARE = MOST_CODES


@dataclass(frozen=True)
class Setting:
    """Leaves of a tree, fewest rows in a leaf, number of trees."""

    leaves: int
    least_rows: int
    trees: int


@dataclass(frozen=True)
class Codebook:
    """Categories as the machine takes them: at most MOST_CODES, the frequent ones; None for numbers."""

    codes: tuple[Codes | None, ...]

    @staticmethod
    def fitted(cells: Matrix, columns: Sequence[Column]) -> Codebook:
        """The frequent codes of each category."""
        found: list[Codes | None] = []
        for values, column in zip(cells.T, columns, strict=True):
            found.append(None if column.is_numeric else _frequent(values))
        return Codebook(tuple(found))

    @property
    def categories(self) -> list[bool]:
        """Which columns are categories."""
        return [codes is not None for codes in self.codes]

    def __call__(self, cells: Matrix) -> Matrix:
        """The cells with codes numbered anew, those that are rare or unknown taken together."""
        out = np.array(cells, np.float64, order="F")
        for place, codes in enumerate(self.codes):
            if codes is not None and len(codes):
                values = out[:, place]
                at = np.minimum(np.searchsorted(codes, values), len(codes) - 1)
                own = np.where(codes[at] == values, at, _RARE).astype(np.float64)
                out[:, place] = np.where(np.isnan(values), np.nan, own)
        return out


def _frequent(values: Numbers) -> Codes:
    """Sorted: the codes that occur, at most MOST_CODES of them."""
    codes, counts = np.unique(values[~np.isnan(values)].astype(np.int64), return_counts=True)
    return np.sort(codes[np.argsort(-counts, kind="stable")[:MOST_CODES]])


@dataclass(frozen=True)
class BoostingJudge:
    """A fitted machine; None where all training rows have one class, which is `known`."""

    machine: Any
    book: Codebook
    known: Codes
    width: int
    setting: Setting

    def predict(self, cells: Matrix) -> Numbers:
        """float64[N, classes], or float64[N, 1]."""
        if self.machine is None:
            return spread_over(np.ones((len(cells), 1)), self.known, self.width)
        if not len(cells):
            return np.zeros((0, self.width))
        return _answer(self.machine, self.book(cells), self.known, self.width)


def fit_boosting(
    rows: Rows, effort: Effort, seed: int, weights: Numbers | None = None, setting: Setting | None = None
) -> BoostingJudge:
    """Tune on a part of the rows unless there is a setting, then fit on up to FIT_ROWS of them.

    `weights` (N,) count rows more than once.
    """
    rows, weights = _bounded(rows, weights)
    width = rows.question.width
    book = Codebook.fitted(rows.cells, rows.question.inputs)
    known = np.unique(rows.labels) if rows.question.classes else np.zeros(1, np.int64)
    if rows.question.classes and len(known) == 1:
        return BoostingJudge(None, book, known, width, Setting(0, 0, 0))
    with threadpool_limits(effort.threads):
        setting = setting or tuned(rows, book, seed, weights)
        machine = _machine(rows, book, setting, seed)
        machine.fit(_told(book(rows.cells)), _labels(rows), sample_weight=weights)
    return BoostingJudge(machine, book, known, width, setting)


def _bounded(rows: Rows, weights: Numbers | None) -> tuple[Rows, Numbers | None]:
    if len(rows) <= FIT_ROWS:
        return rows, weights
    some = tuning_rows(rows, FIT_ROWS)
    return rows.take(some), None if weights is None else weights[some]


def tuned(rows: Rows, book: Codebook, seed: int, weights: Numbers | None = None) -> Setting:
    """The setting of the least held-out loss."""
    some = tuning_rows(rows, TUNING_ROWS)
    tried: dict[Setting, list[tuple[float, int]]] = {}
    part = rows.take(some)
    heavy = None if weights is None else weights[some]
    settings, most = (SMALL, FOLDS) if len(part) <= SMALL_TO else (LARGE, 1)
    for learned, asked in list(parts(part, FOLDS, seed))[:most]:
        for leaves, least in settings:
            for setting, each in _staged(part, book, Setting(leaves, least, max(TREES)), learned, asked, seed, heavy):
                tried.setdefault(setting, []).append((each, len(asked)))
    if not tried:
        return Setting(*SMALL[-1], TREES[0])
    mean = {setting: sum(a * n for a, n in told) / sum(n for _, n in told) for setting, told in tried.items()}
    return min(mean, key=lambda setting: (mean[setting], setting.trees, setting.leaves))


def _staged(
    rows: Rows, book: Codebook, setting: Setting, learned: Codes, asked: Codes, seed: int, weights: Numbers | None
) -> Iterator[tuple[Setting, float]]:
    """The held-out loss after each number of TREES."""
    own, cells = rows.take(learned), book(rows.cells)
    known = np.unique(own.labels) if rows.question.classes else np.zeros(1, np.int64)
    if rows.question.classes and len(known) == 1:
        return
    machine = _machine(own, book, setting, seed)
    machine.fit(_told(cells[learned]), _labels(own), sample_weight=None if weights is None else weights[learned])
    regression = not rows.question.classes
    stages = machine.staged_predict(cells[asked]) if regression else machine.staged_predict_proba(cells[asked])
    for trees, said in enumerate(stages, 1):
        if trees in TREES:
            whole = said[:, None] if regression else spread_over(said, known, rows.question.width)
            yield Setting(setting.leaves, setting.least_rows, trees), loss(whole, rows.targets[asked])


def _machine(rows: Rows, book: Codebook, setting: Setting, seed: int) -> Any:
    kind = HistGradientBoostingClassifier if rows.question.classes else HistGradientBoostingRegressor
    return kind(
        learning_rate=LEARNING_RATE,
        max_iter=setting.trees,
        max_leaf_nodes=setting.leaves,
        min_samples_leaf=setting.least_rows,
        categorical_features=book.categories,
        early_stopping=False,
        random_state=seed,
    )


def _told(cells: Matrix) -> Matrix:
    """The cells to learn from; a column without any value is all zeros, as the machine cannot cut nothing."""
    empty = np.isnan(cells).all(0)
    return np.where(empty, 0.0, cells) if empty.any() else cells


def _labels(rows: Rows) -> Numbers | Codes:
    return rows.labels if rows.question.classes else rows.targets


def _answer(machine: Any, cells: Matrix, known: Codes, width: int) -> Numbers:
    if width == 1:
        return np.asarray(machine.predict(cells), np.float64)[:, None]
    return spread_over(machine.predict_proba(cells), known, width)

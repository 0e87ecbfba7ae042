"""Two-sample tests: can a judge tell rows of one set from rows of another (Lopez-Paz and Oquab 2017)?

Equal numbers of both sets are laid together and told apart by judges in FOLDS folds; rows of one group (equal real
rows that nobody made) stay in one fold. The AUC is that of all rows' held-out answers: 0.5 where the sets cannot be
told apart. The detection score is 1 - 2 * max(AUC - 0.5, 0): 1 where they cannot be told apart, 0 where every row is
told.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth.judges import Effort
from synth.judges.folds import folds
from synth.tables.judges.boosting import Setting, fit_boosting
from synth.tables.judges.logistic import fit_logistic
from synth.tables.metrics import auc
from synth.tables.rows import Codes, Numbers, Question, Rows
from udfs.table.form import Column, Matrix, TableForm
from udfs.table.privacy import copies

FOLDS = 3
KINDS = ("boosting", "logistic")
SETTING = Setting(leaves=31, least_rows=20, trees=100)  # as peers use it: nothing is tuned
PENALTY = 1.0
WHICH = Column("row_set", "category", ("first", "second"))
LEAST_ROWS = 20


def two_sample(
    kind: str, first: Rows, second: Rows, form: TableForm, effort: Effort, most_rows: int, seed: int = 0
) -> dict[str, float] | None:
    """`auc`, `score` and the number of `rows` on either side; None where there are too few rows to say.

    Of either set its first rows count, as many as there are of both, at most `most_rows`.
    """
    count = min(len(first), len(second), most_rows)
    if count < LEAST_ROWS:
        return None
    rows = _together(first.take(np.arange(count)), second.take(np.arange(count)), form)
    said = _held_out(kind, rows, effort, seed)
    found = auc(said, rows.labels == 1)
    return {"auc": found, "score": detection(found), "rows": count}


def detection(found: float) -> float:
    """The detection score of an AUC."""
    return 1 - 2 * max(found - 0.5, 0.0)


def _together(first: Rows, second: Rows, form: TableForm) -> Rows:
    """Rows of both sets, which of them a row is from being their label."""
    matrix: Matrix = np.concatenate([first.matrix, second.matrix])
    which = np.repeat([0.0, 1.0], [len(first), len(second)])
    columns = (*form.modelled, WHICH)
    told = replace(form, columns=columns, label=WHICH.name, task="classification", classes=WHICH.vocabulary)
    return Rows(np.column_stack([matrix, which]), Question.of(told), _groups(first, second))


def _groups(first: Rows, second: Rows) -> Codes:
    """int64[N]: what stays in one fold: the rows' own groups, but for rows that both sets hold.

    Those are values that the rows' source repeats. All copies of one in a fold, and those of the other set in all,
    would teach that it is the other set's.
    """
    groups = np.concatenate([first.group_codes(), second.group_codes() + _apart(first, second)])
    shared = np.concatenate([copies(first.matrix, second.matrix), copies(second.matrix, first.matrix)])
    return np.where(shared, groups.max() + 1 + np.arange(len(groups)), groups)


def _apart(first: Rows, second: Rows) -> int:
    """What keeps plain numbers of rows apart where sets have no groups."""
    return 0 if first.groups is not None and second.groups is not None else len(first)


def _held_out(kind: str, rows: Rows, effort: Effort, seed: int) -> Numbers:
    """float64[N]: of each row the probability of the second set, by a judge that has not seen its fold."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    said = np.full(len(rows), 0.5)
    for each in range(FOLDS):
        learned, asked = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        if len(asked):
            part = rows.take(learned)
            judge = (
                fit_boosting(part, effort, seed, setting=SETTING)
                if kind == "boosting"
                else fit_logistic(part, effort, seed, penalty=PENALTY)
            )
            said[asked] = judge.predict(rows.take(asked).cells)[:, 1]
    return said

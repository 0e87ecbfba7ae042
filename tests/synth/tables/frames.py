"""Small real tables as matrices, with a column cut into categories and some cells missing."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from synth.tables.rows import Question, Rows
from udfs.table.form import Column, TableForm

SETS = {"cancer": load_breast_cancer, "wine": load_wine, "diabetes": load_diabetes}
KEPT = 8  # columns: fewer are faster, and leave the judges something to err at


@functools.cache
def table(name: str) -> tuple[TableForm, np.ndarray]:
    """(form, float64[N, 9]): seven numbers, the first column cut into the categories a to d, the label last.

    Every eleventh cell of the second column is missing. Rows are in a fixed random order.
    """
    bunch: Any = SETS[name]()
    order = np.random.default_rng(3).permutation(len(bunch.target))
    cells = bunch.data[order][:, :KEPT].astype(np.float64)
    cuts = np.quantile(cells[:, 0], [0.25, 0.5, 0.75])
    cells[:, 0] = np.searchsorted(cuts, cells[:, 0])
    cells[::11, 1] = np.nan
    columns = [Column("cut", "category", ("a", "b", "c", "d"))]
    columns += [Column(f"n{place}", "number") for place in range(1, KEPT)]
    if name == "diabetes":
        form = TableForm((*columns, Column("y", "number")), "y", "regression")
    else:
        classes = tuple(str(each) for each in bunch.target_names)
        form = TableForm((*columns, Column("y", "category", classes)), "y", "classification", classes)
    return form, np.column_stack([cells, bunch.target[order].astype(np.float64)])


def halves(name: str) -> tuple[Rows, Rows]:
    """Rows to learn from and rows to ask about."""
    form, matrix = table(name)
    question = Question.of(form)
    half = len(matrix) // 2
    return Rows(matrix[:half], question), Rows(matrix[half:], question)

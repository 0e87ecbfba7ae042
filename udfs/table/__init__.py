"""Tables: rows as a matrix of numbers, measures, steps.

A random step is `f(random, rows, *, options)`, one that mixes rows `f(random, rows, others, *, options)`, rows as
`udfs/table/values.py` has them. Only names in `__all__` can be named in a recipe. Rules are no functions here: Spark
cleans tables by column expressions.

Beside them lie `statistics` (what is known of columns), `encoding` (how they are laid out for models), `space` (which
rows are near), and `compiled` (a list of steps as one function).
"""

from __future__ import annotations

from udfs.table.form import Column, TableForm, from_matrix, to_matrix
from udfs.table.mixing import borderline_smote, knn, mixup, smote, smote_nc
from udfs.table.steps import category_swap, column_dropout, gaussian_jitter

VALUES = "rows"  # what the parameter of a step is called that holds them
GIVES = ("Rows",)  # what a step that does not mix gives

__all__ = [
    "Column",
    "TableForm",
    "borderline_smote",
    "category_swap",
    "column_dropout",
    "from_matrix",
    "gaussian_jitter",
    "knn",
    "mixup",
    "smote",
    "smote_nc",
    "to_matrix",
]

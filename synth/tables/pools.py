"""Sets of a table's rows for judges, read from stage folders, bounded by hash: the same rows whatever the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.runs import Done
from synth.arms import Pool, groups_of, in_hash_order, lowest
from synth.encode import list_files
from synth.tables.rows import Question, Rows, joined
from udfs.table.form import TableForm, to_matrix
from udfs.table.statistics import Statistics

MAX_BYTES = 256 << 20  # of one set's matrix: wide tables bound the rows before `max_rows` does
LINEAGE = ("row_origin", "row_parents", "row_group")


def form_of(config: Config, normalized: Done) -> TableForm:
    """The recipe's columns with what was measured of the train rows.

    Raises StageError where the statistics are gone.
    """
    return TableForm.of(config.recipe, _measured(normalized)["columns"])


def statistics_of(normalized: Done) -> Statistics:
    """What was measured of the train rows. Raises StageError where it is gone."""
    return Statistics.from_dict(_measured(normalized))


def _measured(normalized: Done) -> dict[str, Any]:
    told = runs.read_json(normalized.folder, "statistics.json")
    if not isinstance(told, dict) or "columns" not in told:
        raise StageError(f"{normalized.folder}/statistics.json has no columns: run `seedbed normalize --force`.")
    return told


def row_bound(config: Config, form: TableForm) -> int:
    """How many rows a set may have."""
    return max(1, min(config.recipe.evaluate.max_rows, MAX_BYTES // (8 * max(len(form.modelled), 1))))


def real_pool(folder: str, split: str, config: Config, form: TableForm) -> Pool[Rows]:
    """The real rows of a split, of a stage's `rows` folder; none where there is no such split.

    Raises StageError for one whose label is not among the classes, or missing: real rows have been cleaned.
    """
    pool = read_pool(list_files(f"{folder}/rows/row_split={split}"), config, form, {})
    if pool.unreadable:
        said = "is none of the task's classes, or missing"
        raise StageError(f"the label of row {pool.unreadable[0]} in {folder} {said}. Run clean again.")
    return pool


def read_pool(
    files: Sequence[str], config: Config, form: TableForm, parents: Mapping[str, int], origin: str | None = None
) -> Pool[Rows]:
    """Rows of these files, those of the lowest hashes, of one origin where asked.

    `parents` tells real rows' groups, so that children join them. Rows without a label are left out, and named in
    `unreadable`.
    """
    columns = (*LINEAGE, *(column.name for column in form.modelled))
    table, total = lowest(files, columns, row_bound(config, form), origin=origin)
    return replace(to_pool(table, form, parents), total=total) if table is not None else empty_pool(form)


def to_pool(table: pa.Table, form: TableForm, parents: Mapping[str, int]) -> Pool[Rows]:
    """The rows of a table, as a matrix."""
    question, matrix = Question.of(form), to_matrix(table, form)
    good = ~np.isnan(question.targets(matrix))
    ids = np.array(table.column("row_id").to_pylist(), object)
    real = np.array(table.column("row_origin").to_pylist()) == "real"
    rows = Rows(matrix, question, groups_of(table, parents), real)
    if good.all():
        return Pool(ids.tolist(), rows, len(ids))
    return Pool(ids[good].tolist(), rows.take(good), len(ids), tuple(ids[~good].tolist()))


def empty_pool(form: TableForm) -> Pool[Rows]:
    """No rows."""
    nothing = np.zeros((0, len(form.modelled)))
    return Pool([], Rows(nothing, Question.of(form), np.zeros(0, np.int64), np.zeros(0, bool)), 0)


def merged(pools: Sequence[Pool[Rows]], form: TableForm) -> Pool[Rows]:
    """The rows of several pools, in the order of their hashes."""
    return in_hash_order(pools, joined) if any(map(len, pools)) else empty_pool(form)

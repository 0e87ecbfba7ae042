"""Children of a table's rows: the steps of a recipe compiled, how many are made by one call, what partners hand over,
and the places by whose distance rows are near each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from udfs.table.compiled import CompiledTable, compile_table_steps
from udfs.table.form import TableForm, to_matrix
from udfs.table.space import views as views_in_space
from udfs.table.statistics import Statistics

CALL_ROWS = 8192  # children made by one call of the steps
VIEWS = pa.schema([pa.field("row_id", pa.string()), pa.field("label", pa.string()), pa.field("view", pa.binary())])


def compiled(recipe: Any, steps: Any, measured: Mapping[str, Any] | None = None) -> CompiledTable:
    """The steps, with what was measured of train rows; without it they are only checked.

    Raises StepError for one that is none, an option that it does not take, a column that is none.
    """
    if measured is None:
        return compile_table_steps(steps, form=TableForm.of(recipe))
    form = TableForm.of(recipe, measured["columns"])
    return compile_table_steps(steps, form=form, statistics=Statistics.from_dict(dict(measured)))


def call_rows(steps: CompiledTable) -> int:
    """Children that one call of the steps makes at most."""
    return CALL_ROWS


def label_name(steps: CompiledTable) -> str:
    """The column by whose values copies are counted."""
    return steps.form.label


def labels(rows: pa.Table, steps: CompiledTable) -> pa.ChunkedArray | pa.Array:
    """The labels by which partners are of one class; all rows of a regression are."""
    if steps.form.task == "classification":
        return pc.cast(rows.column(steps.form.label), pa.string())
    return pa.array([""] * rows.num_rows, pa.string())


def partner_types(steps: CompiledTable) -> dict[str, pa.DataType]:
    """The columns that a partner hands over: its id, its payload."""
    return {"partner_id": pa.string(), "partner_row": pa.struct(list(steps.form.schema()))}


def handed(rows: pa.Table, steps: CompiledTable) -> dict[str, list[Any]]:
    """The same, of rows that are partners."""
    payload = rows.select([column.name for column in steps.form.columns]).to_pylist()
    return {"partner_id": rows.column("row_id").to_pylist(), "partner_row": payload}


def views(rows: pa.Table, steps: CompiledTable) -> pa.Table:
    """row_id, label, and the row's place in the space of `udfs/table/space.py` as bytes."""
    payload = [column.name for column in steps.form.columns]
    asked = rows.select(["row_id", *payload]).add_column(1, "row_of", labels(rows, steps))
    return pa.concat_tables([VIEWS.empty_table(), *map(Viewing(steps), asked.combine_chunks().to_batches())])


@dataclass(frozen=True)
class Viewing:
    """Batches of rows to their places."""

    steps: CompiledTable

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The places; the label is the column `row_of`."""
        laid = views_in_space(to_matrix(batch, self.steps.form), self.steps.form, self.steps.statistics)
        seen = pa.array([row.tobytes() for row in laid], pa.binary())
        return pa.table([batch.column("row_id"), batch.column("row_of"), seen], schema=VIEWS)

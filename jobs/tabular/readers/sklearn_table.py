"""Small tables that scikit-learn bundles: `path` is wine, breast_cancer, iris or diabetes; the label is `target`."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from jobs.readers.record import Piece, Reading, Record
from jobs.tabular import typed_cells
from jobs.tabular.cells import Cells

TABLES = ("wine", "breast_cancer", "iris", "diabetes")
_BYTES_PER_CELL = 8


def pieces(task: Reading) -> Iterator[Piece]:
    """All rows are one piece. Raises RecipeError for a table that is not bundled."""
    table = _load(task)
    typed_cells.wanted_columns(task, table.schema, str(task.source.path))
    yield {"bytes": table.num_rows * table.num_columns * _BYTES_PER_CELL}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """Every row, `wine#0` and on."""
    table, name = _load(task), str(task.source.path)
    wanted = typed_cells.wanted_columns(task, table.schema, name)
    columns = {mine: table.column(theirs) for mine, theirs in wanted.items()}
    yield typed_cells.cells_of(columns, typed_cells.positions(name, 0, table.num_rows))


def _load(task: Reading) -> pa.Table:
    """The table, a class told by its name."""
    from sklearn import datasets

    name = task.source.path
    if name not in TABLES:
        raise task.error(f"path is {name!r}; scikit-learn bundles {', '.join(TABLES)}.")
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    columns = {str(column): bunch.frame[column].to_numpy() for column in bunch.frame.columns}
    if "target_names" in bunch:
        columns["target"] = bunch.target_names[columns["target"]].astype(str)
    return pa.table(columns)

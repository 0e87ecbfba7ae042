"""Cells of typed sources as text from which the same value is read again."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from jobs.readers.record import Reading
from jobs.tabular import drift
from jobs.tabular.cells import Cells
from udfs.series.windows import as_text

GROUP = "row_group_given"
POSITION = "row_position"


def wanted_columns(task: Reading, schema: pa.Schema, where: str) -> dict[str, str]:
    """Our names -> the source's, of what is read: declared columns, and the group as GROUP.

    Raises RecipeError where columns are missing, added, or of a type that the declared one cannot be read from.
    """
    matched = drift.matched(task, schema.names, where)
    drift.check_types(task, {mine: str(schema.field(name).type) for mine, name in matched.items()}, where)
    group = task.source.group_column
    if group is not None and group not in schema.names:
        raise task.error(f"{where} has no column {group} for group_column; it has {', '.join(schema.names)}.")
    return matched | ({GROUP: group} if group else {})


def cells_of(columns: dict[str, pa.Array | pa.ChunkedArray], positions: pa.Array) -> Cells:
    """Columns by our names as text."""
    told = {name: text_of(values) for name, values in columns.items()}
    return Cells({name: values for name, values in told.items() if name != GROUP}, positions, told.get(GROUP))


def text_of(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as text; null stays null, and bytes stay bytes (also those of a struct, as Hugging Face writes them)."""
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, values.type)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        return pa.array([as_text(value) for value in values.to_pylist()], pa.string())
    if pa.types.is_struct(values.type) and values.type.get_field_index("bytes") >= 0:
        values = pc.struct_field(values, "bytes")
    kept = pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)
    return values.cast(pa.binary() if kept or pa.types.is_fixed_size_binary(values.type) else pa.string())


def positions(where: str, start: int, rows: int) -> pa.Array:
    """`<where>#<number>` for rows in turn."""
    numbers = pa.array(range(start, start + rows), pa.int64()).cast(pa.string())
    return pc.binary_join_element_wise(where, numbers, "#")

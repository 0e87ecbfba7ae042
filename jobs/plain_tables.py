"""A recipe's Delta tables read without Spark: deltalake reads the log, pyarrow the files.

deltalake's own dataset reads files through Python, from threads that outlive the interpreter and then abort the
process at its end (seen in one run of ten); pyarrow's own file systems do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds

from conf import Config, runs
from conf.errors import StageError

if TYPE_CHECKING:
    from deltalake import DeltaTable


def opened(config: Config, name: str) -> DeltaTable | None:
    """One of the recipe's tables, None where it is not there yet. Raises StageError where a metastore holds it."""
    from deltalake import DeltaTable

    if "/" not in config.tables:
        place = f"{config.tables}.{config.recipe.name}_{name}"
        raise StageError(f"The tables lie in a metastore, as {place} and so on: look at them there, by SQL.")
    place = f"{config.tables.rstrip('/')}/{config.recipe.name}/{name}"
    return DeltaTable(place) if DeltaTable.is_deltatable(place) else None


def rows(config: Config, name: str) -> ds.Dataset | None:
    """The rows of a table at its newest version, to be filtered and streamed; None where it is not there yet."""
    table = opened(config, name)
    return None if table is None else rows_of(table)


def rows_of(table: DeltaTable) -> ds.Dataset:
    """The rows of an open table."""
    schema = pa.schema(table.schema().to_arrow())
    keys = table.metadata().partition_columns
    system, root = runs.filesystem(table.table_uri.removeprefix("file://"))
    files = [f"{root.rstrip('/')}/{unquote(path)}" for path in pa.table(table.get_add_actions())["path"].to_pylist()]
    by = ds.partitioning(pa.schema([schema.field(key) for key in keys]), flavor="hive") if keys else None
    if not files:
        return ds.dataset(schema.empty_table())
    return ds.dataset(files, schema=schema, format="parquet", filesystem=system, partitioning=by)

"""Normalize, the part of tables: every column's statistics, and the rows encoded by them where the recipe asks.

Each partition folds its batches into one tally, and the driver merges one tally a partition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import RecipeError
from conf.runs import Place
from jobs.spark import hand_off, map_rows
from udfs.table.encoding import Encoding, encode, encodings
from udfs.table.form import TableForm, to_matrix
from udfs.table.statistics import Statistics, from_bytes, measure, merge, to_bytes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEYS = ("row_id", "row_split")
_MEASURED = pa.schema([pa.field("measured", pa.binary()), pa.field("rows", pa.int64())])


def measured(config: Config, train: DataFrame) -> tuple[int, dict[str, Any]]:
    """How many rows were measured, and their statistics."""
    from pyspark.sql.pandas.types import from_arrow_schema

    form = TableForm.of(config.recipe)
    columns = train.select("row_id", *[column.name for column in form.columns])
    parts = columns.mapInArrow(Measuring(form), from_arrow_schema(_MEASURED)).collect()
    rows = sum(part["rows"] for part in parts)
    if not rows:
        return 0, {}
    whole = merge(from_bytes(bytes(part["measured"])) for part in parts if part["rows"])
    return rows, Statistics.of(whole, config.recipe.normalize.vocabulary).as_dict()


@dataclass(frozen=True)
class Measuring:
    """The batches of a partition to one tally."""

    form: TableForm

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row with the tally of all the batches."""
        tally, rows = None, 0
        for batch in batches:
            if batch.num_rows:
                tally, rows = measure(batch, self.form, tally), rows + batch.num_rows
        if tally is not None:
            yield pa.RecordBatch.from_pydict({"measured": [to_bytes(tally)], "rows": [rows]}, schema=_MEASURED)


def write(spark: SparkSession, config: Config, place: Place, told: dict[str, Any]) -> dict[str, Any]:
    """The real rows as encoded columns, `columns/row_split=<split>/`, where the recipe asks for them."""
    if config.recipe.normalize.write != "columns":
        return {}
    known = Statistics.from_dict(told)
    form = TableForm.of(config.recipe, told["columns"])
    encoder = Encoder(form, _encodings(config, form, known))
    rows = spark.read.parquet(f"{runs.real_in(place).folder}/rows")
    columns = rows.select("row_id", "row_split", *[column.name for column in form.columns])
    encoded = map_rows(columns, encoder, encoder.schema)
    hand_off(encoded, place.folder, "columns", ["row_split"])
    return {"columns": len(encoder.schema.names) - len(KEYS)}


def _encodings(config: Config, form: TableForm, known: Statistics) -> tuple[Encoding, ...]:
    said = config.recipe.normalize
    try:
        return encodings(
            form, known, numeric=said.numeric, category=said.category, columns=dict(said.columns), flag=True
        )
    except ValueError as error:
        raise RecipeError(f"{config.origin}, {error}.") from error


@dataclass(frozen=True)
class Encoder:
    """Batches of rows to their encoded columns, with their ids and splits."""

    form: TableForm
    chosen: tuple[Encoding, ...]

    @property
    def schema(self) -> pa.Schema:
        """The columns that are written."""
        names = [name for each in self.chosen for name in each.names]
        return pa.schema([*((key, pa.string()) for key in KEYS), *((name, pa.float64()) for name in names)])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Every row encoded."""
        made = encode(to_matrix(batch, self.form), self.chosen)
        keys = [batch.column(key).cast(pa.string()) for key in KEYS]
        numbers = [pa.array(made[:, place], from_pandas=True) for place in range(made.shape[1])]
        return pa.record_batch([*keys, *numbers], schema=self.schema)

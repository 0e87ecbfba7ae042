"""Statistics of train rows that clean itself needs: for outliers and for missing values.

Of a bounded number of train rows, those of lowest hash, where all of them are gathered on the driver.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from conf import Config
from jobs.duplicates import salted
from jobs.tabular import normalize
from udfs.table.form import Matrix, TableForm, to_matrix
from udfs.table.statistics import Statistics

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_GATHERED = 20_000


def statistics_of(config: Config, train: DataFrame) -> Statistics:
    """Statistics of train rows; of none where there are none."""
    rows, told = normalize.measured(config, train)
    return Statistics.from_dict(told) if rows else Statistics({})


def gathered(train: DataFrame, form: TableForm, salt: str) -> tuple[Matrix, list[str]]:
    """The train rows of lowest hash, at most MAX_GATHERED, as a matrix in the order of the hash; and their ids."""
    chosen = train.withColumn("row_place", salted(salt, "row_id")).orderBy("row_place").limit(MAX_GATHERED)
    table: pa.Table = chosen.select("row_place", "row_id", *[column.name for column in form.modelled]).toArrow()
    table = table.sort_by("row_place")
    return to_matrix(table, form), table.column("row_id").to_pylist()


def measured_form(config: Config, known: Statistics) -> TableForm:
    """The recipe's form with the vocabularies of the train rows, columns that generators leave out in it, too."""
    form = TableForm.of(config.recipe, known.as_dict()["columns"])
    return replace(form, columns=tuple(replace(column, modelled=column.kind != "id") for column in form.columns))

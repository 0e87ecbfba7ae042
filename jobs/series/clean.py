"""Clean, the part of series: numbers read, short gaps filled, windows refused in the order of the recipe's rules.

Where sources hold recordings, windows are cut from them first (`jobs/series/recordings.py`). Copies are windows of the
same values; near copies are not looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf import Config
from conf.progress import Bar
from conf.runs import Place
from conf.schema import Recipe
from conf.schema.wide import has_wide
from jobs import verdicts
from jobs.duplicates import Copies, Near, row_id_of
from jobs.series.judging import FILLED, Judging, Told
from jobs.staging import lay_down
from udfs import records
from udfs.series.compiled import compile_series_rules
from udfs.series.repair import fill_gaps
from udfs.series.values import Flags, Series
from udfs.series.windows import read

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

WORK = "work"
BATCH_ROWS = 512
BATCH_VALUES = 4 << 20
ONE_STRATUM = "all"  # what every row without labels has for one where rows are split


def label_column(recipe: Recipe) -> str | None:
    """The column that rows are counted by; none where there are no labels."""
    return "label" if recipe.labels else None


def check_rules(recipe: Recipe) -> None:
    """Raise StepError for a rule that is none, or an option that it does not take."""
    compile_series_rules(recipe.clean.rules)


def copies(recipe: Recipe) -> Copies:
    """What makes rows copies of one another."""
    return Copies("the values are the same")


def cleaned_schema() -> pa.Schema:
    """The columns of rows that are cleaned: those of refused ones, and the mark by which rows are copies."""
    return pa.schema([*records.refused_schema(records.series_schema()), pa.field("pixels", pa.string())])


def batch_rows(recipe: Recipe) -> int:
    """Windows at a time."""
    assert recipe.series is not None
    return max(1, min(BATCH_ROWS, BATCH_VALUES // (recipe.series.length * len(recipe.series.channels))))


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every row's window with its marks, or with the reason why it is refused; and how many had gaps filled."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    recipe = config.recipe
    assert recipe.series is not None
    if recipe.series.recordings is not None:
        from jobs.series import recordings

        return recordings.prepared(spark, config, place, raw)
    schema = cleaned_schema()
    tokens = frozenset(recipe.missing) if has_wide(recipe.sources) else None
    mapped = map_rows(raw, Cleaning(Judging.of(recipe), schema, tokens), schema, batch_rows(recipe))
    rows = lay_down(spark, mapped, place.folder, f"{WORK}/repaired")
    if recipe.series.fill is None:
        return rows, {}
    return rows, {"changed": {FILLED: rows.where(F.array_contains("row_flags", FILLED)).count()}}


@dataclass(frozen=True)
class Cleaning:
    """What a worker needs to clean a batch of raw rows."""

    judging: Judging
    schema: pa.Schema
    missing: frozenset[str] | None = None  # texts that stand for no value, where cells of wide rows are texts

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The rows' windows; of those that cannot be read there is none."""
        labels = [None if each is None else each.strip() or None for each in batch.column("label").to_pylist()]
        series, there, told = self._read(batch.column("series").to_pylist())
        series, flags = self._filled(series)
        columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names}
        columns |= self.judging.columns(series, there, told, labels, flags)
        return records.conform(pa.table(columns), pa.schema([field.with_nullable(True) for field in self.schema]))

    def _read(self, texts: list[str | None]) -> tuple[Series, Flags, list[Told]]:
        """The windows, whether there is one (its place is missing whole otherwise), and why there is none."""
        steps, channels = self.judging.form.length, len(self.judging.form.channels)
        series, told = np.full((len(texts), steps, channels), np.nan), list[Told]()
        there = np.zeros(len(texts), bool)
        for row, text in enumerate(texts):
            values, reason, detail = read(text, steps, channels, self.missing)
            if values is not None:
                series[row], there[row] = values, True
            told.append((reason, detail))
        return series, there, told

    def _filled(self, series: Series) -> tuple[Series, list[list[str]]]:
        """The windows with short gaps filled, and the flag of those that had some."""
        fill = self.judging.form.fill
        flags: list[list[str]] = [[] for _ in series]
        if fill is None:
            return series, flags
        for row in np.flatnonzero(np.isnan(series).any(axis=(1, 2))).tolist():
            series[row], filled = fill_gaps(series[row], method=fill.method, limit=fill.limit, period=fill.period)
            flags[row] = [FILLED] if filled.any() else []
        return series, flags


def facts(config: Config, rows: DataFrame) -> DataFrame:
    """What splits and copies are decided by: row_id, label, given, row_group, pixels, row_reason."""
    from pyspark.sql import functions as F

    label = F.col("label") if config.recipe.labels else F.lit(ONE_STRATUM).alias("label")
    return rows.select("row_id", label, F.col("row_split").alias("given"), "row_group", "pixels", "row_reason")


def group_of() -> Column:
    """The group of a decided row: its own, as near copies are not looked for."""
    from pyspark.sql import functions as F

    return F.coalesce("row_group", row_id_of(F.col("hub")))


def near(spark: SparkSession, config: Config, place: Place, marked: DataFrame, rows: DataFrame) -> Near | None:
    """No near copies."""
    return None


def finished(
    spark: SparkSession, config: Config, place: Place, rows: DataFrame, decided: DataFrame, bar: Bar
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with their verdicts; of those that are neither kept nor refused the window is taken away."""
    return verdicts.beside(rows, decided, ("series",)), {}

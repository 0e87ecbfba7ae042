"""Clean, the part of series: numbers read, short gaps filled, windows refused in the order of the recipe's rules.

Copies are windows of the same values; near copies are not looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf import Config
from conf.progress import Bar
from conf.runs import Place
from conf.schema import Recipe, SeriesForm
from jobs import verdicts
from jobs.duplicates import Copies, Near, row_id_of
from jobs.staging import lay_down
from udfs import hashing, records
from udfs.series.compiled import SeriesRules, compile_series_rules
from udfs.series.repair import fill_gaps
from udfs.series.values import Flags, Series
from udfs.series.windows import GAPS, listed, read

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STAGE = "clean"
WORK = "work"
BATCH_ROWS = 512
BATCH_VALUES = 4 << 20
FILLED = "gaps_filled"
_DIGEST = hashing.word_of("series", "content")
_FLAGS = pa.list_(pa.string())
_SHOWN = 80  # characters of a label that is refused, told in its detail
Told = tuple[str | None, str]  # the reason why a row is refused, null for none, and its detail


def label_column(recipe: Recipe) -> str | None:
    """The column that rows are counted by."""
    return "label"


def check_rules(recipe: Recipe) -> None:
    """Raise StepError for a rule that is none, or an option that it does not take."""
    compile_series_rules(recipe.clean.rules)


def copies(recipe: Recipe) -> Copies:
    """What makes rows copies of one another."""
    return Copies("the values are the same")


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every row's window with its marks, or with the reason why it is refused; and how many had gaps filled."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    recipe = config.recipe
    assert recipe.series is not None
    schema = pa.schema([*records.refused_schema(records.series_schema()), pa.field("pixels", pa.string())])
    cleaning = Cleaning(recipe.series, compile_series_rules(recipe.clean.rules), tuple(recipe.labels), schema)
    batch_rows = max(1, min(BATCH_ROWS, BATCH_VALUES // (recipe.series.length * len(recipe.series.channels))))
    rows = lay_down(spark, map_rows(raw, cleaning, schema, batch_rows), place.folder, f"{WORK}/repaired")
    if recipe.series.fill is None:
        return rows, {}
    return rows, {"changed": {FILLED: rows.where(F.array_contains("row_flags", FILLED)).count()}}


@dataclass(frozen=True)
class Cleaning:
    """What a worker needs to clean a batch of raw rows."""

    form: SeriesForm
    rules: SeriesRules
    labels: tuple[str, ...]
    schema: pa.Schema

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The rows' windows; of those that cannot be read there is none."""
        labels = [None if each is None else each.strip() or None for each in batch.column("label").to_pylist()]
        series, there, told = self._read(batch.column("series").to_pylist())
        series, flags = self._filled(series)
        refused, warned = self.rules(series)
        warned = [some if known else [] for some, known in zip(warned, there.tolist(), strict=True)]
        reasons = [self._reason(*each) for each in zip(labels, told, self._gaps(series), refused, strict=True)]
        windows = listed(series, there)
        columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names}
        columns |= {
            "series": windows,
            "label": pa.array(labels, pa.string()),
            "pixels": hashing.hashes(hashing.row_words(pa.table({"series": windows}), ["series"], _DIGEST)),
            "row_flags": pa.array([[*a, *b] for a, b in zip(flags, warned, strict=True)], _FLAGS),
            "row_stage": pa.array([STAGE] * batch.num_rows),
            "row_reason": pa.array([reason for reason, _ in reasons], pa.string()),
            "row_detail": pa.array([detail or None for _, detail in reasons], pa.string()),
        }
        return records.conform(pa.table(columns), pa.schema([field.with_nullable(True) for field in self.schema]))

    def _read(self, texts: list[str | None]) -> tuple[Series, Flags, list[Told]]:
        """The windows, whether there is one (its place is missing whole otherwise), and why there is none."""
        steps, channels = self.form.length, len(self.form.channels)
        series, told = np.full((len(texts), steps, channels), np.nan), list[Told]()
        there = np.zeros(len(texts), bool)
        for row, text in enumerate(texts):
            values, reason, detail = read(text, steps, channels)
            if values is not None:
                series[row], there[row] = values, True
            told.append((reason, detail))
        return series, there, told

    def _filled(self, series: Series) -> tuple[Series, list[list[str]]]:
        """The windows with short gaps filled, and the flag of those that had some."""
        fill = self.form.fill
        flags: list[list[str]] = [[] for _ in series]
        if fill is None:
            return series, flags
        for row in np.flatnonzero(np.isnan(series).any(axis=(1, 2))).tolist():
            series[row], filled = fill_gaps(series[row], method=fill.method, limit=fill.limit)
            flags[row] = [FILLED] if filled.any() else []
        return series, flags

    def _gaps(self, series: Series) -> list[Told]:
        """Why windows with gaps are refused, unless what is missing is kept."""
        if self.form.missing == "keep":
            return [(None, "")] * len(series)
        missing = np.asarray(np.isnan(series).any(axis=1))  # (N, C)
        told: list[Told] = []
        for channels in missing:
            names = [self.form.channels[place] for place in np.flatnonzero(channels)]
            told.append((GAPS, f"{names[0]} has missing values") if names else (None, ""))
        return told

    def _reason(self, label: str | None, unread: Told, gaps: Told, refused: str | None) -> Told:
        """The first that holds: a label that is not known says most of the record."""
        if label is not None and label not in self.labels:
            known = "is not among the recipe's labels; the source's `labels` may map it"
            return "label_unknown", f"{label[:_SHOWN]!r} {known}"
        return next((told for told in (unread, gaps) if told[0] is not None), (refused, ""))


def facts(config: Config, rows: DataFrame) -> DataFrame:
    """What splits and copies are decided by: row_id, label, given, row_group, pixels, row_reason."""
    from pyspark.sql import functions as F

    return rows.select("row_id", "label", F.col("row_split").alias("given"), "row_group", "pixels", "row_reason")


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
    from pyspark.sql import functions as F

    told = decided.select(
        "row_id", F.col("fate").alias(verdicts.FATE), "row_split", "row_group", "row_reason", "row_detail"
    )
    own = rows.withColumnRenamed("row_detail", "row_own_detail").drop("row_split", "row_group", "row_reason")
    whole = own.join(told, "row_id", "left")
    stays = F.col(verdicts.FATE).isin(verdicts.KEPT, verdicts.REFUSED)
    detail = F.coalesce("row_detail", "row_own_detail")
    columns = {"row_detail": detail, "series": F.when(stays, F.col("series"))}
    return whole.withColumns(columns).drop("row_own_detail"), {}

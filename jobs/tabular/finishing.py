"""What clean does by statistics of train rows: outliers refused, flagged or drawn in, missing cells filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf import Config
from conf.progress import Bar
from conf.runs import Place
from jobs.staging import lay_down
from jobs.tabular import fill, outliers
from jobs.tabular.measured import statistics_of
from jobs.verdicts import FATE, REFUSED
from udfs.table.form import TableForm
from udfs.table.statistics import Statistics

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OUTLIER = "outlier"
WORK = "work"


def finished(
    spark: SparkSession, config: Config, place: Place, whole: DataFrame, bar: Bar
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with their verdicts and typed columns, once more judged and filled; and what was counted."""
    rule = config.recipe.clean.outliers
    is_filled = any(said.fill and said.fill.method != "drop" for said in config.recipe.columns.values())
    counts: dict[str, Any] = {}
    whole = lay_down(spark, whole, place.folder, f"{WORK}/joined")
    known = statistics_of(config, _train(whole))
    if rule is not None:
        bar.note("outliers")
        whole, counts = _without_outliers(spark, config, place, whole, known)
        if rule.action != "flag" and is_filled:
            known = statistics_of(config, _train(whole))
    if is_filled:
        bar.note("missing values")
        kept = whole.where("row_fate = 'kept'")
        others = whole.where("row_fate is null or row_fate != 'kept'")
        whole = fill.filled(config, kept, _train(whole), known).unionByName(others)
    return whole, counts


def _train(rows: DataFrame) -> DataFrame:
    return rows.where("row_fate = 'kept' and row_split = 'train'")


def _without_outliers(
    spark: SparkSession, config: Config, place: Place, whole: DataFrame, known: Statistics
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with outliers flagged, and in train rows refused or drawn to the bounds where the recipe says so."""
    from pyspark.sql import functions as F

    rule = config.recipe.clean.outliers
    assert rule is not None
    kept = whole.where("row_fate = 'kept'")
    far = outliers.found(config, kept, _train(whole), known)
    marked = whole.join(far.rows, "row_id", "left")
    is_far, is_train = F.col("row_outlier").isNotNull(), F.col("row_split") == "train"
    gone = is_far & is_train & F.lit(rule.action == "quarantine")
    flagged = F.array_union("row_flags", F.array(F.lit(OUTLIER)))
    if rule.action == "clip":
        marked = outliers.clipped(marked, TableForm.of(config.recipe), far.bounds, is_far & is_train)
    marked = marked.withColumns(
        {
            "row_flags": F.when(is_far, flagged).otherwise(F.col("row_flags")),
            "row_reason": F.when(gone, OUTLIER).otherwise(F.col("row_reason")),
            "row_detail": F.when(gone, F.col("row_outlier")).otherwise(F.col("row_detail")),
            FATE: F.when(gone, REFUSED).otherwise(F.col(FATE)),
        }
    )
    laid = lay_down(spark, marked, place.folder, f"{WORK}/without_outliers")
    by_split = laid.where("row_outlier is not null").groupBy("row_split").count().collect()
    counts = {"action": rule.action, "rows": {row["row_split"]: row["count"] for row in by_split}}
    return laid.drop("row_outlier"), {"outliers": counts}

"""Clean, the part of images: decoded, brought into the declared form, near copies by their look, outliers by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf import Config
from conf.progress import Bar
from conf.runs import Place
from conf.schema import Recipe
from jobs import duplicates, outliers, verdicts
from jobs.decoding import Decoding, decoding_schema, thumb_shape
from jobs.duplicates import PIXELS, Copies, Near, row_id_of
from jobs.staging import lay_down
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STAGE = "clean"
OUTLIER = "outlier"
WORK = "work"


def label_column(recipe: Recipe) -> str | None:
    """The column that rows are counted by."""
    return "label"


def check_rules(recipe: Recipe) -> None:
    """Raise StepError for a rule that is none, or an option that it does not take."""
    from udfs.rules import compile_rules

    compile_rules(recipe.clean.rules)


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every row in canonical form with its marks, or with the reason why not; and what was counted beside that."""
    from jobs.spark import map_rows
    from udfs.rules import compile_rules

    rules = compile_rules(config.recipe.clean.rules)
    schema = decoding_schema(records.row_schema(config.recipe))
    decoding = Decoding(config.recipe.image, rules, schema, STAGE)
    decoded = map_rows(raw, decoding, decoding.schema, decoding.batch_rows)
    return lay_down(spark, decoded, place.folder, f"{WORK}/decoded"), {}


def copies(recipe: Recipe) -> Copies:
    """What makes rows copies of one another."""
    return PIXELS


def group_of() -> Column:
    """The group of a decided row: its own, else that of its near copies."""
    from pyspark.sql import functions as F

    return F.coalesce("row_group", row_id_of(F.col("hub")))


def facts(config: Config, rows: DataFrame) -> DataFrame:
    """What splits and copies are decided by: row_id, label, given, row_group, pixels, row_reason."""
    from pyspark.sql import functions as F

    return rows.select("row_id", "label", F.col("row_split").alias("given"), "row_group", "pixels", "row_reason")


def near(spark: SparkSession, config: Config, place: Place, marked: DataFrame, rows: DataFrame) -> Near | None:
    """Near copies and their stars; nothing where the recipe lets near copies be."""
    rule = config.recipe.clean.duplicates
    if rule.near == "keep":
        return None
    nodes = marked.where("is_node").select("row_id", "node").join(rows.select("row_id", "look", "thumb"), "row_id")
    found = duplicates.near_pairs(nodes, rule.max_distance_bits, thumb_shape(config.recipe.image))
    return duplicates.near_copies(spark, found, f"{place.folder}/{WORK}")


def finished(
    spark: SparkSession, config: Config, place: Place, rows: DataFrame, decided: DataFrame, bar: Bar
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with their verdicts, outliers refused or flagged; and what was counted beside that."""
    return _whole(rows, with_outliers(config, decided, rows, bar)), {}


def with_outliers(config: Config, decided: DataFrame, rows: DataFrame, bar: Bar) -> DataFrame:
    """Verdicts with rows far from their class refused (train, where the recipe says so) or marked `is_outlier`."""
    from pyspark.sql import functions as F

    rule = config.recipe.clean.outliers
    if rule is None:
        return decided.withColumn("is_outlier", F.lit(False))
    bar.note("outliers")
    labelled = decided.where("fate = 'kept' and label is not null and row_split != 'unlabelled'")
    thumbed = labelled.select("row_id", "label", "row_split").join(rows.select("row_id", "thumb"), "row_id")
    usual = outliers.measured(thumbed.where("row_split = 'train'"), thumb_shape(config.recipe.image))
    far = outliers.scores(thumbed, usual).where(F.col("z") > rule.threshold)
    joined = decided.join(far, "row_id", "left").withColumn("is_outlier", F.col("z").isNotNull())
    gone = F.col("is_outlier") & (F.col("row_split") == "train") & F.lit(rule.action == "quarantine")
    told = F.format_string(f"robust z of %.1f from its class, over {rule.threshold:g}", "z")
    return joined.withColumns(
        {
            "row_reason": F.when(gone, OUTLIER).otherwise(F.col("row_reason")),
            "row_detail": F.when(gone, told).otherwise(F.col("row_detail")),
            "fate": F.when(gone, verdicts.REFUSED).otherwise(F.col("fate")),
        }
    )


def _whole(rows: DataFrame, judged: DataFrame) -> DataFrame:
    """Rows with their verdicts.

    Hidden labels are taken away, and the images of rows that are neither kept nor refused.
    """
    from pyspark.sql import functions as F

    told = judged.select("row_id", "fate", "row_split", "row_group", "row_reason", "row_detail", "is_outlier")
    rows = rows.drop("row_split", "row_group", "row_reason", "row_detail").join(told, "row_id", "left")
    hidden = F.coalesce(F.col("row_split") == "unlabelled", F.lit(False))
    flagged = F.col("is_outlier") & (F.col("fate") == verdicts.KEPT)
    payload = [name for name in ("image", "mask", "boxes") if name in rows.columns]
    stays = F.col("fate").isin(verdicts.KEPT, verdicts.REFUSED)
    return rows.withColumns(
        {
            "row_flags": F.when(flagged, F.array_union("row_flags", F.array(F.lit(OUTLIER)))).otherwise(
                F.col("row_flags")
            ),
            "row_label_source": F.when(~hidden, F.col("row_label_source")),
            "label": F.when(~hidden, F.col("label")),
            **{name: F.when(stays, F.col(name)) for name in payload},
        }
    ).withColumnRenamed("fate", verdicts.FATE)

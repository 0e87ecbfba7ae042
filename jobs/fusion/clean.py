"""Clean, the part of fusion: cells read by Spark's own expressions, then image, text and series of each row.

Exact copies agree in all payloads. Near copies are looked for by the image where there is one (two captions of one
picture stay in one split), else by the text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conf import Config
from conf.progress import Bar
from conf.runs import Place
from conf.schema import Recipe
from conf.schema.fusion import LABEL, as_table, columns_of
from jobs import verdicts
from jobs.duplicates import Copies, Near
from jobs.fusion.cleaning import Cleaning, image_rules, series_rules, text_rules
from jobs.images.clean import OUTLIER, facts, group_of, with_outliers
from jobs.images.clean import near as near_images
from jobs.staging import lay_down
from jobs.tabular import rule_list
from jobs.tabular.clean import asked, typed
from jobs.tabular.conditions import broken_bits, counted, verdict
from jobs.texts.clean import near as near_texts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "check_rules", "copies", "facts", "finished", "group_of", "label_column", "near", "prepared",
]  # fmt: skip

WORK = "work"
BATCH_ROWS = 512


def label_column(recipe: Recipe) -> str | None:
    """The column that rows are counted by."""
    return LABEL


def check_rules(recipe: Recipe) -> None:
    """Raise StepError for a rule that is none, for another payload, or an option that it does not take."""
    image_rules(recipe)
    text_rules(recipe)
    series_rules(recipe)
    if recipe.columns:
        rule_list.compiled(as_table(recipe))


def copies(recipe: Recipe) -> Copies:
    """What makes rows copies of one another."""
    return Copies("image, text and cells are all the same")


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every row in canonical form with its marks, or with the reason why not; and what was counted beside that."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    recipe, counts = config.recipe, dict[str, Any]()
    rows = raw if recipe.pairs is None else raw.withColumn(LABEL, F.lit(recipe.pairs.match))
    if recipe.columns:
        rows, counts["rules"] = _with_cells(spark, config, place, rows)
    cleaning = Cleaning.of(recipe)
    most = min(BATCH_ROWS, cleaning.image.batch_rows) if cleaning.image else BATCH_ROWS
    cleaned = lay_down(spark, map_rows(rows, cleaning, cleaning.schema, most), place.folder, f"{WORK}/cleaned")
    repairs = [step.name for step in cleaning.text.rules.steps if step.kind == "plain"] if cleaning.text else []
    if repairs:
        changed = cleaned.select(F.explode("changed").alias("step")).groupBy("step").count().collect()
        found = {row["step"]: row["count"] for row in changed}
        counts["changed"] = {name: found.get(name, 0) for name in repairs}
    return cleaned, counts


def _with_cells(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """The rows with typed cells and what conditions on them say; and how many rows break each."""
    view = replace(config, recipe=as_table(config.recipe))
    payload = [name for name in columns_of(config.recipe) if name not in view.recipe.columns]
    rows, conditions = asked(view, typed(view.recipe, raw, {}, payload), rule_list.compiled(view.recipe))
    marked = rows.withColumns(broken_bits(conditions))
    broken = [name for name in marked.columns if name.startswith("row_broken_")]
    numbers = counted(marked.select(*broken), conditions)
    kept = [name for name in raw.columns if name not in ("row_flags",)]
    told = [*kept, "row_reason", "row_detail", "row_flags"]
    return marked.withColumns(verdict(conditions)).select(*told), numbers


def near(spark: SparkSession, config: Config, place: Place, marked: DataFrame, rows: DataFrame) -> Near | None:
    """Near copies and their stars; nothing where the recipe lets them be, or rows have neither image nor text."""
    if config.recipe.image is not None:
        return near_images(spark, config, place, marked, rows)
    return near_texts(spark, config, place, marked, rows) if config.recipe.text is not None else None


def finished(
    spark: SparkSession, config: Config, place: Place, rows: DataFrame, decided: DataFrame, bar: Bar
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with their verdicts, outliers refused or flagged, and the pairs that are to be told apart from them."""
    from pyspark.sql import functions as F

    recipe = config.recipe
    judged = (
        with_outliers(config, decided, rows, bar) if recipe.image else decided.withColumn("is_outlier", F.lit(False))
    )
    big = [name for name in ("image", "boxes", "text", "series") if name in rows.columns]
    whole = verdicts.beside(rows, judged, big, ["is_outlier"])
    flagged = F.col("is_outlier") & (F.col(verdicts.FATE) == verdicts.KEPT)
    flags = F.when(flagged, F.array_union("row_flags", F.array(F.lit(OUTLIER)))).otherwise(F.col("row_flags"))
    whole = whole.withColumn("row_flags", flags)
    if recipe.pairs is None:
        return whole, {}
    from jobs.fusion.pairs import with_negatives

    bar.note("pairs")
    return with_negatives(spark, config, place, whole)

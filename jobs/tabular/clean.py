"""Clean, the part of tables: cells parsed and repaired, conditions asked, missing values filled.

All of it as Spark column expressions over the columns of text in `raw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from conf import Config
from conf.progress import Bar
from conf.runs import Place
from conf.schema import Recipe
from jobs.duplicates import Copies, Near, row_id_of
from jobs.duplicates import near_copies as find_stars
from jobs.staging import lay_down
from jobs.tabular import near as near_copies
from jobs.tabular import reading, respell, rule_list, rules
from jobs.tabular.columns import column_conditions
from jobs.tabular.conditions import Condition, bits, broken_bits, counted, verdict
from jobs.tabular.parse import parsings
from jobs.verdicts import beside
from udfs import records
from udfs.table.form import WAS_MISSING, TableForm

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STAGE = "clean"
WORK = "work"
COPY_KEY = "row_copy_key"
ONE_STRATUM = "all"  # what every row of a regression has for a label where rows are split


def label_column(recipe: Recipe) -> str | None:
    """The column that rows are counted by; none for a regression."""
    assert recipe.task is not None
    return recipe.task.label if recipe.task.kind == "classification" else None


def check_rules(recipe: Recipe) -> None:
    """Raise StepError for a rule that is none, or an option that it does not take."""
    rule_list.compiled(recipe)


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every row with typed cells, its marks, and the reason why it is refused, if it is; and what was counted."""
    from pyspark.sql import functions as F

    recipe = config.recipe
    repairs = respell.repairs(recipe, raw)
    rows, conditions = asked(config, typed(recipe, raw, repairs), rule_list.compiled(recipe))
    marked = rows.withColumns(broken_bits(conditions))
    judged = marked.withColumns({**verdict(conditions), "row_stage": F.lit(STAGE), COPY_KEY: copy_key(recipe)})
    broken = [name for name in judged.columns if name.startswith("row_broken_")]
    wanted = [*records.refused_schema(records.row_schema(recipe)).names, COPY_KEY, *broken]
    laid = lay_down(spark, judged.select(*wanted), place.folder, f"{WORK}/prepared")
    more = {"respelled": repairs} if repairs else {}
    return laid, {"rules": counted(laid, conditions), **more}


def facts(config: Config, rows: DataFrame) -> DataFrame:
    """What splits and copies are decided by: row_id, label, given, row_group, pixels, row_reason."""
    from pyspark.sql import functions as F

    name = label_column(config.recipe)
    label = F.col(name).cast("string") if name else F.lit(ONE_STRATUM)
    return rows.select(
        "row_id",
        label.alias("label"),
        F.col("row_split").alias("given"),
        "row_group",
        F.col(COPY_KEY).alias("pixels"),
        "row_reason",
    )


def near(spark: SparkSession, config: Config, place: Place, marked: DataFrame, rows: DataFrame) -> Near | None:
    """Near copies and their stars; nothing where the recipe lets near copies be."""
    if config.recipe.clean.duplicates.near == "keep" or not near_copies.allowed_differences(config.recipe):
        return None
    cells = rows.select("row_id", near_copies.cell_hashes(config.recipe))
    nodes = marked.where("is_node").select("row_id", "node").join(cells, "row_id")
    return find_stars(spark, near_copies.near_pairs(nodes, config.recipe), f"{place.folder}/{WORK}")


def copies(recipe: Recipe) -> Copies:
    """What makes rows copies of one another. Equal cells with another label are usual in tables, and no conflict,
    unless one copy is to stand for all.
    """
    return Copies("the cells are the same", recipe.clean.duplicates.exact == "drop")


def group_of() -> Column:
    """The group of a decided row: its own, else that of its near copies or of the rows that are equal to it."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    equal = F.when(F.count("*").over(Window.partitionBy("node")) > 1, row_id_of(F.col("node")))
    return F.coalesce("row_group", row_id_of(F.col("hub")), F.when(F.col("node").isNotNull(), equal))


def finished(
    spark: SparkSession, config: Config, place: Place, rows: DataFrame, decided: DataFrame, bar: Bar
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with their verdicts, outliers refused, flagged or drawn in, missing cells filled; and what was counted."""
    whole = beside(rows, decided)
    if config.recipe.clean.outliers is None and not is_filled(config.recipe):
        return whole, {}
    from jobs.tabular import finishing

    return finishing.finished(spark, config, place, whole, bar)


def is_filled(recipe: Recipe) -> bool:
    """Whether missing cells of any column are filled."""
    return any(said.fill and said.fill.method != "drop" for said in recipe.columns.values())


def missing_flags(recipe: Recipe) -> dict[str, Column]:
    """The columns that say where a cell was missing."""
    from pyspark.sql import functions as F

    return {name + WAS_MISSING: F.col(name).isNull() for name, said in recipe.columns.items() if said.flag_missing}


def copy_key(recipe: Recipe) -> Column:
    """A hash of the cells by which rows are copies of one another: all but ids, or those that the recipe names."""
    from pyspark.sql import functions as F

    named = recipe.clean.duplicates.columns or [name for name, said in recipe.columns.items() if said.type != "id"]
    cells = [F.col(name) for name in named]
    nulls = bits([F.col(name).isNull() for name in named])  # which hashes pass over
    return F.concat(F.hex(F.xxhash64(*cells, *nulls)), F.hex(F.xxhash64(F.lit(1), *cells, *nulls)))


def typed(recipe: Recipe, raw: DataFrame, repairs: dict[str, dict[str, str]], kept: Sequence[str] = ()) -> DataFrame:
    """Lineage and the columns `kept`, every declared one typed by its name, and its text as `row_text_<name>` where the
    type may not take it.
    """
    from pyspark.sql.pandas.types import from_arrow_type

    how = parsings(recipe, repairs)
    kinds = {field.name: from_arrow_type(field.type) for field in TableForm.of(recipe).schema()}
    told = reading.with_texts(raw, how, [*records.LINEAGE.names, *kept])
    return reading.with_values(told, how, kinds).withColumns(missing_flags(recipe))


def asked(config: Config, rows: DataFrame, said: list[rule_list.Rule]) -> tuple[DataFrame, list[Condition]]:
    """The rows, with what rules added to them, and all conditions: of columns, then the rules in their order."""
    conditions = column_conditions(config.recipe)
    for rule in said:
        found = rule.function(rules.Asked(rows, config, rule.place), **rule.options)
        rows = found.rows
        name = f"rules[{rule.place}] {rule.name}"
        reason = rule.reason or found.reason
        conditions.append(Condition(name, reason, found.broken, found.detail, rule.severity, rule.max_share))
    return rows, conditions

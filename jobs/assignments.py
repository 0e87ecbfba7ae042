"""Rows given their split in Spark: groups, assignments that are kept, and the pairs that no split may part.

What `splits.py` decides for a label's units is carried here to rows. A row has the split that its source gives; or
the one that it has had; or that of its group; or a fresh one. Near copies that end on two sides (train, val, test)
although no star holds both are not left so: the later of the two is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyarrow import fs

from conf import Config, runs
from conf.runs import Place
from jobs.duplicates import row_id_of, salted
from jobs.splits import LEFT_OUT, assign_units, quotas, rest_of
from jobs.staging import lay_down

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_KNOWN = "row_id string, known string"
_WRITTEN = "_SUCCESS"  # Spark writes it last


def home_of_assignments(config: Config) -> str:
    """The folder of the kept assignments, which hangs on what decides a split: editing `split` assigns anew."""
    said = [config.recipe.split.model_dump(mode="json"), config.recipe.seed, sorted(config.recipe.labels)]
    return f"{runs.home(config)}/stages/splits/{runs.digest_of(said)}"


def known_splits(spark: SparkSession, config: Config, place: Place) -> DataFrame | None:
    """(row_id, known) of every row that was assigned before.

    A stage's own assignments do not count, so that a rerun finds the same.
    """
    folder = home_of_assignments(config)
    system, path = runs.filesystem(folder)
    names = [info.base_name for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True))]
    written = [name for name in names if system.get_file_info(f"{path}/{name}/{_WRITTEN}").type == fs.FileType.File]
    parts = [f"{folder}/{name}" for name in sorted(written) if name != place.fingerprint]
    if not parts:
        return None
    from pyspark.sql import functions as F

    # A row that two runs assigned at once keeps the assignment that sorts first.
    return spark.read.schema(_KNOWN).parquet(*parts).groupBy("row_id").agg(F.min("known").alias("known"))


def record(config: Config, place: Place, decided: DataFrame) -> None:
    """Keep the assignments that were made here for the first time; rows without a label have none to keep."""
    fresh = decided.where("given is null and known is null and label is not null and fate in ('kept', 'merged')")
    fresh = fresh.where("row_split is not null")
    kept = fresh.select("row_id", fresh["row_split"].alias("known"))
    kept.coalesce(1).write.mode("overwrite").parquet(f"{home_of_assignments(config)}/{place.fingerprint}")


def with_units(marked: DataFrame, hubs: DataFrame | None, by_group: bool) -> DataFrame:
    """Rows with `hub` (of their star, if any) and `unit`: what is assigned together.

    That is the group key where the split goes by groups, else the star, else the row.
    """
    from pyspark.sql import functions as F

    joined = marked.withColumn("hub", F.lit(None).cast("string")) if hubs is None else marked.join(hubs, "node", "left")
    star = F.coalesce("hub", "node")
    if not by_group:
        return joined.withColumn("unit", star)
    own = F.when(F.col("row_group").isNotNull(), F.concat(F.lit("group:"), "row_group"))
    if hubs is None:
        return joined.withColumn("unit", F.coalesce(own, star))
    # A row without a group of its own follows its hub into the hub's group.
    keyed = marked.where("is_node and row_group is not null").select(
        F.col("node").alias("hub"), F.col("row_group").alias("hub_group")
    )
    followed = F.concat(F.lit("group:"), "hub_group")
    return joined.join(keyed, "hub", "left").withColumn("unit", F.coalesce(own, followed, star)).drop("hub_group")


def decide(spark: SparkSession, config: Config, place: Place, rows: DataFrame) -> DataFrame:
    """Rows with fate and `row_split`. `rows` has what `mark_exact` and `with_units` add.

    Raises StageError where there are too few rows for the split.
    """
    from pyspark.sql import functions as F

    split = config.recipe.split
    seen = lay_down(spark, _with_unit_facts(rows, config.recipe.seed), place.folder, "work/units")
    assignable = seen.where("counts_in and not parted and (known is not null or coalesce(unit_rank, 2) = 2)")
    counted = assignable.groupBy("label", "fixed").count().collect()
    counts: dict[str, dict[str, int]] = {}
    for row in counted:
        counts.setdefault(row["label"], {})[row["fixed"] or ""] = row["count"]
    wanted = quotas(split, counts, config.recipe.labels)
    fresh = assign_units(assignable.where("leads and fixed is null"), wanted, rest_of(split))
    joined = seen.join(fresh, "unit", "left")
    return _settled(joined, F.coalesce("given", "fixed", "fresh_split"))


def _with_unit_facts(rows: DataFrame, seed: int) -> DataFrame:
    """Rows with what their unit knows of itself.

    That is `fixed` (the split it has, or null), `parted` (it has two), size, hash, label, and its leading row.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    unit = Window.partitionBy("unit")
    open_ = F.col("fate").isNull()
    had = F.when(~F.coalesce(F.col("fate") == "refused", F.lit(False)), F.coalesce("given", "known"))
    counts_in = open_ & F.col("label").isNotNull() & F.col("given").isNull()
    first = Window.partitionBy("unit", "counts_in").orderBy("row_id")
    return (
        rows.withColumns({"unit_hash": salted("split", "unit", seed=seed), "counts_in": counts_in, "had": had})
        .withColumns(
            {
                "lowest": F.min("had").over(unit),
                "highest": F.max("had").over(unit),
                "unit_rank": F.min(F.when(F.col("had").isNotNull(), F.col("rank"))).over(unit),
                "unit_size": F.sum(F.col("counts_in").cast("int")).over(unit),
                "leads": F.col("counts_in") & (F.row_number().over(first) == 1),
            }
        )
        .withColumns(
            {
                "fixed": F.coalesce("known", F.when(F.col("lowest") == F.col("highest"), F.col("lowest"))),
                "parted": F.coalesce(F.col("known").isNull() & (F.col("lowest") != F.col("highest")), F.lit(False)),
            }
        )
        .drop("had", "lowest", "highest")
    )


def _settled(rows: DataFrame, split: Column) -> DataFrame:
    """Fate and split of every row that had none, from the split that it would have."""
    from pyspark.sql import functions as F

    open_ = F.col("fate").isNull()
    fresh_row = F.col("given").isNull() & F.col("known").isNull()
    beside_given = fresh_row & (F.col("unit_rank") < 2)
    parted = fresh_row & F.col("parted")
    hidden = F.col("label").isNull() | F.coalesce(F.col("given") == "unlabelled", F.lit(False))
    cannot_stay = hidden & split.isin("val", "test")
    reason = F.when(
        open_,
        F.when(
            beside_given & F.col("hub").isNotNull(),
            F.when(F.col("unit_rank") == 0, "copy_of_test").otherwise("copy_of_val"),
        ).when(beside_given | parted | cannot_stay, "bridges_splits"),
    )
    detail = (
        F.when(reason == "bridges_splits", F.concat(F.lit("its group or star is "), row_id_or_group(F.col("unit"))))
        .when(reason.isNotNull(), F.concat(F.lit("a near copy of "), row_id_of(F.col("hub"))))
        .otherwise(F.col("row_detail"))
    )
    settled = F.when(hidden & F.coalesce(~split.isin("val", "test"), F.lit(True)), "unlabelled").otherwise(split)
    fate = F.coalesce(
        "fate", F.when(reason.isNotNull(), "refused").when(settled == LEFT_OUT, LEFT_OUT).otherwise("kept")
    )
    return rows.withColumns(
        {
            "fate": fate,
            "row_reason": F.coalesce("row_reason", reason),
            "row_detail": detail,
            "row_split": F.when(fate == "refused", F.col("given")).when(settled != LEFT_OUT, settled),
        }
    ).select(
        "row_id",
        "label",
        "given",
        "known",
        "row_group",
        "hub",
        "node",
        "is_node",
        "fate",
        "row_reason",
        "row_detail",
        "row_split",
    )


def row_id_or_group(unit: Column) -> Column:
    """A unit as a person knows it."""
    from pyspark.sql import functions as F

    return F.when(unit.startswith("group:"), F.substring(unit, 7, 200)).otherwise(row_id_of(unit))


def refuse_bridges(decided: DataFrame, pairs: DataFrame) -> DataFrame:
    """Rows whose near copy comes earlier and lies on another side are refused.

    They are refused as copies of given test or val rows, or as bridges.
    """
    from pyspark.sql import functions as F

    side = F.when(F.col("row_split").isin("val", "test"), F.col("row_split")).otherwise("train")
    sided = decided.where("is_node and fate = 'kept'").select("node", side.alias("side"), F.col("given").alias("by"))
    first = sided.select(
        F.col("node").alias("first"), F.col("side").alias("first_side"), F.col("by").alias("first_given")
    )
    second = sided.select(
        F.col("node").alias("second"), F.col("side").alias("second_side"), F.col("by").alias("second_given")
    )
    both = pairs.where("second is not null").join(first, "first").join(second, "second")
    parted = both.where("first_side != second_side and not coalesce(second_given in ('val', 'test'), false)")
    losers = parted.groupBy(F.col("second").alias("node")).agg(F.min(F.struct("first", "first_given")).alias("other"))
    reason = F.when(
        F.col("other.first_given").isin("test", "val"), F.concat(F.lit("copy_of_"), "other.first_given")
    ).otherwise("bridges_splits")
    told = losers.select(
        "node",
        reason.alias("late_reason"),
        F.concat(F.lit("a near copy of "), row_id_of(F.col("other.first"))).alias("late_detail"),
    )
    return _lost(decided.join(told, "node", "left")).drop("late_reason", "late_detail")


def refuse_copies_apart(decided: DataFrame) -> DataFrame:
    """Exact copies that are kept, but that groups of their own put on two sides, are refused."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    side = F.when(F.col("row_split").isin("val", "test"), F.col("row_split")).otherwise("train")
    leading = F.min(F.when(F.col("is_node"), side)).over(Window.partitionBy("node"))
    apart = (leading != side) & ~F.col("is_node") & F.col("given").isNull()
    told = {
        "late_reason": F.when(apart, "bridges_splits"),
        "late_detail": F.when(apart, "its group and its copy lie on two sides"),
    }
    return _lost(decided.withColumns(told)).drop("late_reason", "late_detail")


def _lost(rows: DataFrame) -> DataFrame:
    """Kept rows that have a `late_reason`, refused for it."""
    from pyspark.sql import functions as F

    lost = F.col("late_reason").isNotNull() & (F.col("fate") == "kept")
    columns: dict[str, Any] = {
        "row_reason": F.when(lost, F.col("late_reason")).otherwise(F.col("row_reason")),
        "row_detail": F.when(lost, F.col("late_detail")).otherwise(F.col("row_detail")),
        "row_split": F.when(~lost, F.col("row_split")),
        "fate": F.when(lost, "refused").otherwise(F.col("fate")),
    }
    return rows.withColumns(columns)

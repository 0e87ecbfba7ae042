"""Clean: decode, refuse, merge copies, split, refuse outliers.

In this order: decode and stateless rules; copies and groups; split; measures of train rows; rules that need them.
Each pass reads what the one before laid down. All but the first and the last work on marks of some hundred bytes a
row, not on images. Outliers are refused among train rows only; elsewhere they are flagged, so that the yardstick
stays whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf import Config, runs
from conf.errors import StageError
from conf.progress import Bar, progress
from conf.runs import Place, StageResult
from jobs import assignments, duplicates, outliers, verdicts
from jobs.decoding import Decoding, decoding_schema, thumb_shape
from jobs.duplicates import Near
from jobs.ingest import row_schema
from jobs.staging import lay_down, remove
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "clean"
OUTLIER = "outlier"
_WORK = "work"


def run(spark: SparkSession, config: Config) -> StageResult:
    """Refuse bad rows, merge copies, and give every row its split."""
    from jobs.places import exists
    from jobs.spark import merge_rows, publish_refused, read

    place = runs.locate(config, STAGE)
    schema = row_schema(config)
    ingested = place.inputs["ingest"]
    arrived = ingested.counts["rows"]
    with progress(STAGE, 2 * arrived, "rows") as bar:
        decoded = _decoded(spark, config, place, read(spark, config, "raw", ingested.versions["raw"]))
        bar.advance(arrived)
        judged, notes = _judged(spark, config, place, decoded, bar)
        outcome = verdicts.write(_whole(decoded, judged), place.folder, schema)
        bar.advance(arrived)
        counts = outcome.counts()
        _check_law(counts, arrived)
        if counts["refused"] or exists(spark, config, "quarantine"):
            publish_refused(spark, config, STAGE, f"{place.folder}/refused", records.refused_schema(schema))
        _check_classes(config, counts)
        stages = {STAGE: place.fingerprint}
        merged = merge_rows(spark, config, "clean", f"{place.folder}/rows", stages=stages, schema=schema)
        remove(place.folder, _WORK)
    outputs = {split: outcome.digest(verdicts.KEPT, split) for split in records.SPLITS}
    return StageResult(
        counts, {**outputs, "refused": outcome.digest(verdicts.REFUSED)}, {"clean": merged.version}, notes
    )


def _decoded(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> DataFrame:
    """Every row in canonical form with its marks, or with the reason why not."""
    from jobs.spark import map_rows
    from udfs.rules import compile_rules

    rules = compile_rules(config.recipe.clean.rules)
    decoding = Decoding(config.recipe.image, rules, decoding_schema(row_schema(config)), STAGE)
    return lay_down(
        spark, map_rows(raw, decoding, decoding.schema, decoding.batch_rows), place.folder, f"{_WORK}/decoded"
    )


def _judged(
    spark: SparkSession, config: Config, place: Place, decoded: DataFrame, bar: Bar
) -> tuple[DataFrame, list[str]]:
    """What becomes of each row: row_id, fate, reason, detail, split, group, and whether it is far from its class.

    And notes.
    """
    from pyspark.sql import functions as F

    clean = config.recipe.clean
    bar.note("copies and splits")
    marked = _marked(spark, config, place, decoded)
    near = _near(spark, config, place, marked, decoded)
    if near is not None and clean.duplicates.near == "drop":
        marked = duplicates.merge_near(marked, near.hubs)
    grouped = assignments.with_units(marked, near.hubs if near else None, config.recipe.split.group)
    decided = assignments.decide(spark, config, place, grouped)
    if near is not None:
        decided = assignments.refuse_bridges(decided, near.pairs)
    if clean.duplicates.exact == "keep" and config.recipe.split.group:
        decided = assignments.refuse_copies_apart(decided)
    decided = lay_down(spark, decided, place.folder, f"{_WORK}/decided")
    assignments.record(config, place, decided)
    star = duplicates.row_id_of(F.col("hub"))
    decided = decided.withColumn("row_group", F.coalesce("row_group", star))
    notes = []
    if near is not None and near.cut_blocks:
        notes.append(
            f"{near.cut_blocks} blocks of look-alikes were too large to compare whole;"
            " near copies in them may stand apart"
        )
    return _with_outliers(config, decided, decoded, bar), notes


def _marked(spark: SparkSession, config: Config, place: Place, decoded: DataFrame) -> DataFrame:
    """The rows' facts, with exact copies marked."""
    from pyspark.sql import functions as F

    facts = decoded.select("row_id", "label", F.col("row_split").alias("given"), "row_group", "pixels", "row_reason")
    known = assignments.known_splits(spark, config, place)
    facts = (
        facts.withColumn("known", F.lit(None).cast("string")) if known is None else facts.join(known, "row_id", "left")
    )
    good = facts.where("row_reason is null").drop("row_reason")
    marked = duplicates.mark_exact(good, config.recipe.clean.duplicates, config.recipe.label is not None)
    unread = facts.where("row_reason is not null").withColumns(
        {"fate": F.lit(verdicts.REFUSED), "is_node": F.lit(False)}
    )
    return lay_down(spark, marked.unionByName(unread, allowMissingColumns=True), place.folder, f"{_WORK}/marked")


def _near(spark: SparkSession, config: Config, place: Place, marked: DataFrame, decoded: DataFrame) -> Near | None:
    """Near copies and their stars; nothing where the recipe lets near copies be."""
    rule = config.recipe.clean.duplicates
    if rule.near == "keep":
        return None
    nodes = marked.where("is_node").select("row_id", "node").join(decoded.select("row_id", "look", "thumb"), "row_id")
    found = duplicates.near_pairs(nodes, rule.max_distance_bits, thumb_shape(config.recipe.image))
    return duplicates.near_copies(spark, found, f"{place.folder}/{_WORK}")


def _with_outliers(config: Config, decided: DataFrame, decoded: DataFrame, bar: Bar) -> DataFrame:
    """Verdicts with rows far from their class refused (train, where the recipe says so) or marked `is_outlier`."""
    from pyspark.sql import functions as F

    rule = config.recipe.clean.outliers
    if rule is None:
        return decided.withColumn("is_outlier", F.lit(False))
    bar.note("outliers")
    labelled = decided.where("fate = 'kept' and label is not null and row_split != 'unlabelled'")
    thumbed = labelled.select("row_id", "label", "row_split").join(decoded.select("row_id", "thumb"), "row_id")
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


def _whole(decoded: DataFrame, judged: DataFrame) -> DataFrame:
    """Rows with their verdicts.

    Hidden labels are taken away, and the images of rows that are neither kept nor refused.
    """
    from pyspark.sql import functions as F

    told = judged.select("row_id", "fate", "row_split", "row_group", "row_reason", "row_detail", "is_outlier")
    rows = decoded.drop("row_split", "row_group", "row_reason", "row_detail").join(told, "row_id", "left")
    hidden = F.coalesce(F.col("row_split") == "unlabelled", F.lit(False))
    flagged = F.col("is_outlier") & (F.col("fate") == verdicts.KEPT)
    payload = [name for name in ("image", "mask", "boxes") if name in decoded.columns]
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
    )


def _check_law(counts: dict[str, Any], arrived: int) -> None:
    """Raise StageError where rows were lost or doubled on the way."""
    came_out = counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    if not arrived == counts["in"] == came_out:
        raise StageError(
            f"clean lost count: {arrived:,} rows came in, {came_out:,} of {counts['in']:,} have a verdict."
            " Please report this."
        )


def _check_classes(config: Config, counts: dict[str, Any]) -> None:
    """Raise StageError where a class has nothing left to train on."""
    train = counts["splits"].get("train", {})
    without = [label for label in config.recipe.labels if not train.get(label)]
    if without:
        raise StageError(
            f"{config.origin}: no train row of class {without[0]!r} is left of {counts['in']:,} rows;"
            f" refused were {counts['refused']}. Add rows of it, loosen clean, or take it out of labels."
        )


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

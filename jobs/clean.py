"""Clean: decode, refuse, merge copies, split, refuse outliers.

In this order: decode and stateless rules; copies and groups; split; measures of train rows; rules that need them. Each pass reads what the
one before laid down. Everything but the first and the last works on marks of some hundred bytes a row, not on images. Outliers are refused
among train rows only; elsewhere they are flagged, so that the yardstick stays whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import Bar, progress
from conf.runs import Place, StageResult
from jobs import assignments, duplicates, outliers
from jobs.decoding import Decoding, decoding_schema
from jobs.ingest import row_schema
from jobs.staging import lay_down, lay_down_splits, remove
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "clean"
OUTLIER = "outlier"
NOTHING = runs.digest(0, 0)
_WORK = "work"


def run(spark: SparkSession, config: Config) -> StageResult:
    """Refuse bad rows, merge copies, and give every row its split."""
    from jobs.spark import digests, hand_off, merge_rows, publish_refused, read

    place = runs.locate(config, STAGE)
    raw = read(spark, config, "raw", place.inputs["ingest"].versions["raw"])
    arrived = raw.count()
    with progress(STAGE, arrived, "rows") as bar:
        decoded = _decoded(spark, config, place, raw)
        bar.advance(arrived)
        verdicts, notes = _verdicts(spark, config, place, decoded, bar)
        counts = _counts(verdicts, arrived)
        _check(config, counts)
        rows = finished(decoded, verdicts.where("fate = 'kept'"), row_schema(config))
        path = lay_down_splits(rows, place.folder, sorted(counts["splits"]))
        refused = finished(decoded, verdicts.where("fate = 'refused'"), records.refused_schema(row_schema(config)))
        gone = publish_refused(spark, config, STAGE, hand_off(refused, place.folder, "refused"))
        kept = [f"{path}/row_split={split}" for split in sorted(counts["splits"])]
        merged = merge_rows(spark, config, "clean", kept, stages={STAGE: place.fingerprint})
        found = digests(spark.read.schema(rows.schema).parquet(*kept).select("row_split", "row_hash"))
        remove(place.folder, _WORK)
    outputs = {split: found.get(split, NOTHING) for split in records.SPLITS}
    return StageResult(counts, {**outputs, "refused": gone.digest if gone else NOTHING}, {"clean": merged.version}, notes)


def _decoded(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> DataFrame:
    """Every row in canonical form with its marks, or with the reason why not."""
    from jobs.spark import map_rows

    form = config.recipe.image
    decoding = Decoding(form, tuple(config.recipe.clean.rules), decoding_schema(row_schema(config)), STAGE)
    return lay_down(spark, map_rows(raw, decoding, decoding.schema, decoding.batch_rows), place.folder, f"{_WORK}/decoded")


def _verdicts(spark: SparkSession, config: Config, place: Place, decoded: DataFrame, bar: Bar) -> tuple[DataFrame, list[str]]:
    """What becomes of each row: row_id, label, fate (kept, merged, left_out, refused), reason, detail, split, group, and whether it is far out."""
    from pyspark.sql import functions as F

    clean = config.recipe.clean
    marked = _marked(spark, config, place, decoded)
    hubs, pairs, notes = _near(spark, config, place, marked, decoded)
    if hubs is not None and clean.duplicates.near == "drop":
        marked = duplicates.merge_near(marked, hubs)
    grouped = assignments.with_units(marked, hubs, config.recipe.split.group)
    decided = assignments.decide(spark, config, place, grouped)
    if pairs is not None:
        decided = assignments.refuse_bridges(decided, pairs)
    if clean.duplicates.exact == "keep" and config.recipe.split.group:
        decided = assignments.refuse_copies_apart(decided)
    decided = lay_down(spark, decided, place.folder, f"{_WORK}/decided")
    assignments.record(config, place, decided)
    star = duplicates.row_id_of(F.col("hub"))
    decided = decided.withColumn("row_group", F.coalesce("row_group", star)).drop("given", "known", "hub", "node", "is_node")
    if clean.outliers is None:
        return decided.withColumn("is_outlier", F.lit(False)), notes
    return lay_down(spark, _with_outliers(config, decided, decoded), place.folder, f"{_WORK}/verdicts"), notes


def _marked(spark: SparkSession, config: Config, place: Place, decoded: DataFrame) -> DataFrame:
    """The rows' facts, with exact copies marked."""
    from pyspark.sql import functions as F

    facts = decoded.select("row_id", "label", F.col("row_split").alias("given"), "row_group", "pixels", "row_reason")
    known = assignments.known_splits(spark, config, place)
    facts = facts.withColumn("known", F.lit(None).cast("string")) if known is None else facts.join(known, "row_id", "left")
    good = facts.where("row_reason is null").drop("row_reason")
    marked = duplicates.mark_exact(good, config.recipe.clean.duplicates, config.recipe.label is not None)
    unread = facts.where("row_reason is not null").withColumn("fate", F.lit("refused"))
    return lay_down(spark, marked.unionByName(unread, allowMissingColumns=True), place.folder, f"{_WORK}/marked")


def _near(
    spark: SparkSession, config: Config, place: Place, marked: DataFrame, decoded: DataFrame
) -> tuple[DataFrame | None, DataFrame | None, list[str]]:
    """Stars of near copies (node, hub), the pairs behind them, and notes; nothing where the recipe lets near copies be."""
    rule = config.recipe.clean.duplicates
    if rule.near == "keep":
        return None, None, []
    nodes = marked.where("is_node").join(decoded.select("row_id", "look", "thumb"), "row_id")
    pairs = lay_down(spark, duplicates.near_pairs(nodes, rule.max_distance_bits), place.folder, f"{_WORK}/pairs")
    cut = pairs.where("second is null").count()
    notes = [f"{cut} blocks of look-alikes were too large to compare whole; some near copies in them may stand apart"] if cut else []
    found = pairs.where("second is not null")
    if found.isEmpty():
        return None, None, notes
    return duplicates.hubs_of(spark, found, f"{place.folder}/{_WORK}"), found, notes


def _with_outliers(config: Config, decided: DataFrame, decoded: DataFrame) -> DataFrame:
    """Verdicts with rows far from their class refused (train, where the recipe says so) or marked."""
    from pyspark.sql import functions as F

    rule = config.recipe.clean.outliers
    assert rule is not None
    labelled = decided.where("fate = 'kept' and label is not null and row_split != 'unlabelled'")
    thumbed = labelled.select("row_id", "label", "row_split").join(decoded.select("row_id", "thumb"), "row_id")
    train = thumbed.where("row_split = 'train'")
    means = outliers.class_means(train)
    spreads = outliers.spreads(outliers.scored(train, means))
    scores = outliers.scored(thumbed, means, spreads).where(F.col("z") > rule.threshold).select("row_id", "z")
    joined = decided.join(scores, "row_id", "left").withColumn("is_outlier", F.col("z").isNotNull())
    gone = F.col("is_outlier") & (F.col("row_split") == "train") & F.lit(rule.action == "quarantine")
    told = F.format_string(f"robust z of %.1f from its class, over {rule.threshold:g}", "z")
    return joined.withColumns(
        {
            "row_reason": F.when(gone, OUTLIER).otherwise(F.col("row_reason")),
            "row_detail": F.when(gone, told).otherwise(F.col("row_detail")),
            "fate": F.when(gone, "refused").otherwise(F.col("fate")),
        }
    ).drop("z")


def finished(decoded: DataFrame, verdicts: DataFrame, schema: pa.Schema) -> DataFrame:
    """Whole rows of `schema` with their verdicts and hashes."""
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    told = verdicts.select("row_id", "row_split", "row_group", "row_reason", "row_detail", "is_outlier")
    rows = decoded.drop("row_split", "row_group", "row_reason", "row_detail").join(told, "row_id")
    hidden = F.coalesce(F.col("row_split") == "unlabelled", F.lit(False))
    flagged = F.col("is_outlier") & F.col("row_reason").isNull()
    rows = rows.withColumns(
        {
            "row_flags": F.when(flagged, F.array_union("row_flags", F.array(F.lit(OUTLIER)))).otherwise(F.col("row_flags")),
            "row_label_source": F.when(~hidden, F.col("row_label_source")),
            "label": F.when(~hidden, F.col("label")),
        }
    )
    loose = pa.schema([field.with_nullable(True) for field in schema])
    return map_rows(rows.select(*schema.names), hashed, loose)


def hashed(batch: pa.RecordBatch) -> pa.Table:
    """The batch with `row_hash`."""
    return records.with_hashes(pa.Table.from_batches([batch]))


def _counts(verdicts: DataFrame, arrived: int) -> dict[str, Any]:
    """in = kept + refused + merged + left out; kept rows by split and label."""
    counts: dict[str, Any] = {"in": arrived, "kept": 0, "refused": {}, "merged": 0, "left_out": 0, "splits": {}}
    for row in verdicts.groupBy("fate", "row_reason", "row_split", "label").count().collect():
        fate, number = row["fate"], row["count"]
        if fate == "refused":
            counts["refused"][row["row_reason"]] = counts["refused"].get(row["row_reason"], 0) + number
            continue
        counts[fate] += number
        if fate == "kept":
            of = counts["splits"].setdefault(row["row_split"], {})
            label = "" if row["row_split"] == "unlabelled" else row["label"]
            of[label] = of.get(label, 0) + number
    return counts


def _check(config: Config, counts: dict[str, Any]) -> None:
    """Raise StageError where rows were lost or doubled on the way, or nothing is left to train on."""
    came_out = counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    if came_out != counts["in"]:
        raise StageError(f"clean lost count: {counts['in']:,} rows came in and {came_out:,} have a verdict. Please report this.")
    train = counts["splits"].get("train", {})
    without = [label for label in config.recipe.labels if not train.get(label)]
    if without:
        raise StageError(
            f"{config.origin}: no train row of class {without[0]!r} is left: {came_out:,} rows came in, {counts['refused']} were refused."
            " Add rows of it, loosen clean, or take it out of labels."
        )


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

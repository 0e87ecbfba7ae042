"""Clean: parse or decode, refuse, merge copies, split, refuse outliers.

In this order: cells or files parsed and stateless rules; copies and groups; split; measures of train rows; rules that
need them. What differs by modality lies in `jobs/images/clean.py` and `jobs/tabular/clean.py`. Each pass reads what the
one before laid down; all but the first and the last work on marks of some hundred bytes a row. Outliers are refused
among train rows only; elsewhere they are flagged, so that the yardstick stays whole.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from conf import Config, runs
from conf.errors import StageError
from conf.progress import Bar, progress
from conf.runs import Place, StageResult
from jobs import assignments, duplicates, verdicts
from jobs.staging import lay_down, remove
from jobs.ways import way_of
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "clean"
_WORK = "work"


def run(spark: SparkSession, config: Config) -> StageResult:
    """Refuse bad rows, merge copies, and give every row its split."""
    from jobs.places import exists
    from jobs.spark import merge_rows, publish_refused, read

    place, way = runs.locate(config, STAGE), way_of(config.recipe, STAGE)
    schema = records.row_schema(config.recipe)
    ingested = place.inputs["ingest"]
    arrived = ingested.counts["rows"]
    with progress(STAGE, 2 * arrived, "rows") as bar:
        rows, counted = way.prepared(spark, config, place, read(spark, config, "raw", ingested.versions["raw"]))
        bar.advance(arrived)
        arrived = counted.pop("arrived", arrived)  # fewer windows than observations of which they were cut
        decided, notes = _decided(spark, config, place, way, rows, bar)
        whole, more = way.finished(spark, config, place, rows, decided, bar)
        outcome = verdicts.write(whole, place.folder, schema, way.label_column(config.recipe))
        bar.advance(arrived)
        counts = outcome.counts() | counted | more
        _check_law(counts, arrived + counts.get("made", 0))
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


def _decided(
    spark: SparkSession, config: Config, place: Place, way: ModuleType, rows: DataFrame, bar: Bar
) -> tuple[DataFrame, list[str]]:
    """What becomes of each row as far as copies and splits decide it: row_id, fate, reason, detail, split, group.

    And notes.
    """
    clean = config.recipe.clean
    bar.note("copies and splits")
    marked = _marked(spark, config, place, way, rows)
    near = way.near(spark, config, place, marked, rows)
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
    notes = []
    if near is not None and near.cut_blocks:
        notes.append(
            f"{near.cut_blocks} blocks of look-alikes were too large to compare whole;"
            " near copies in them may stand apart"
        )
    return decided.withColumn("row_group", way.group_of()), notes


def _marked(spark: SparkSession, config: Config, place: Place, way: ModuleType, rows: DataFrame) -> DataFrame:
    """The rows' facts, with exact copies marked."""
    from pyspark.sql import functions as F

    facts = way.facts(config, rows)
    known = assignments.known_splits(spark, config, place)
    facts = (
        facts.withColumn("known", F.lit(None).cast("string")) if known is None else facts.join(known, "row_id", "left")
    )
    good = facts.where("row_reason is null").drop("row_reason")
    rule = config.recipe.clean.duplicates
    marked = duplicates.mark_exact(good, rule, config.recipe.label is not None, way.copies(config.recipe))
    unread = facts.where("row_reason is not null").withColumns(
        {"fate": F.lit(verdicts.REFUSED), "is_node": F.lit(False)}
    )
    return lay_down(spark, marked.unionByName(unread, allowMissingColumns=True), place.folder, f"{_WORK}/marked")


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
    if not counts["splits"].get("train"):
        raise StageError(
            f"{config.origin}: no train row is left of {counts['in']:,} rows; refused were {counts['refused']}. Add"
            " rows, or loosen clean."
        )
    if without:
        raise StageError(
            f"{config.origin}: no train row of class {without[0]!r} is left of {counts['in']:,} rows;"
            f" refused were {counts['refused']}. Add rows of it, loosen clean, or take it out of labels."
        )


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

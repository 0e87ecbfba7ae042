"""Gate: staged rows with the judges' verdicts, either accepted or refused with the reason.

The reasons, the first that holds: `unreadable`, `label_disagrees`, `copy_of_train` (synthetic rows only),
`too_far`, `worse` (the rows made the judges worse on val, all of them or those beyond the share that was of use).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import Place, StageResult
from conf.schema import Gate
from jobs.ingest import row_schema
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STAGE = "gate"
MADE_BY = "made_by"
NOTHING = runs.digest(0, 0)


def run(spark: SparkSession, config: Config) -> StageResult:
    """Accept or refuse every staged row."""
    from pyspark.sql import functions as F

    from jobs.spark import digests, hand_off, publish_refused

    place = runs.locate(config, STAGE)
    judged = _judged(spark, config, place).withColumn("row_reason", _reason(config.recipe.gate, place))
    counts = _counts(judged)
    with progress(STAGE, counts["in"], "rows") as bar:
        judged = judged.withColumns({"row_stage": F.lit(STAGE), "row_detail": _detail()})
        columns = row_schema(config)
        accepted = judged.where("row_reason is null").select(*columns.names)
        kept = spark.read.schema(accepted.schema).parquet(hand_off(accepted, place.folder, "accepted"))
        refusal = judged.where("row_reason is not null").select(*records.refused_schema(columns).names)
        path, schema = hand_off(refusal, place.folder, "refused"), records.refused_schema(columns)
        gone = publish_refused(spark, config, STAGE, path, schema)
        found = digests(kept.select("row_split", "row_hash")).get("train", NOTHING)
        bar.advance(counts["in"])
    accounted = counts["accepted"] + sum(counts["refused"].values())
    if counts["in"] != accounted or int(found.split("-")[0], 16) != counts["accepted"]:
        raise StageError(f"gate got {counts['in']} rows but accounts for {counts}: run `seedbed gate --force` again.")
    return StageResult(counts, {"accepted": found, "refused": gone.digest if gone else NOTHING})


def _judged(spark: SparkSession, config: Config, place: Place) -> DataFrame:
    """All staged rows, each with who made it and its verdict. Raises StageError where one has none."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = from_arrow_schema(row_schema(config))
    staged = None
    for key, done in place.inputs.items():
        if key == "augment" or key.startswith("sample."):
            rows = spark.read.schema(schema).parquet(f"{done.folder}/rows").withColumn(MADE_BY, F.lit(key))
            staged = rows if staged is None else staged.unionByName(rows)
    assert staged is not None
    verdicts = spark.read.parquet(f"{place.inputs['score'].folder}/verdicts")
    return staged.join(verdicts.withColumn("has_verdict", F.lit(True)), "row_id", "left")


def _reason(gate: Gate, place: Place) -> Column:
    """The first reason that holds, or null."""
    from pyspark.sql import functions as F

    useful = runs.read_json(place.inputs["score"].folder, "usefulness.json")
    reason = F.when(F.col("has_verdict").isNull(), "not_judged").when(F.col("is_unreadable"), "unreadable")
    reason = reason.when(F.col("agreement") < gate.min_label_agreement, "label_disagrees")
    if gate.copies == "quarantine":
        reason = reason.when((F.col("row_origin") == "synthetic") & F.col("is_copy"), "copy_of_train")
    reason = reason.when(F.col("is_far"), "too_far")
    which = F.substring("row_id", records.MAKER_HEX + 1, records.WHICH_HEX)
    for key, entry in _entries(useful).items():
        if entry.get("below") is not None:
            reason = reason.when((F.col(MADE_BY) == key) & (which >= entry["below"]), "worse")
    return reason


def _entries(useful: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What usefulness.json says of each stage that made rows."""
    found = {f"sample.{name}": entry for name, entry in useful.get("generated", {}).items()}
    return found | ({"augment": useful["augmented"]} if useful.get("augmented") else {})


def _detail() -> Column:
    """What the verdict said, in words, for the quarantine."""
    from pyspark.sql import functions as F

    return F.format_string(
        "agreement %.3f, looks like %s, nearest train row %s at %.3f of the usual farthest distance",
        "agreement", "predicted", "nearest_id", "distance_ratio",
    )  # fmt: skip


def _counts(judged: DataFrame) -> dict[str, Any]:
    """Rows in, accepted, refused by reason, and both by who made them."""
    from pyspark.sql import functions as F

    rows = judged.groupBy(MADE_BY, "row_reason").agg(F.count("*").alias("n")).collect()
    refused: dict[str, int] = {}
    by: dict[str, dict[str, Any]] = {}
    for row in rows:
        maker = by.setdefault(row[MADE_BY], {"in": 0, "accepted": 0, "refused": {}})
        maker["in"] += row["n"]
        if row["row_reason"] is None:
            maker["accepted"] += row["n"]
        else:
            maker["refused"][row["row_reason"]] = row["n"]
            refused[row["row_reason"]] = refused.get(row["row_reason"], 0) + row["n"]
    total = sum(each["in"] for each in by.values())
    return {"in": total, "accepted": sum(e["accepted"] for e in by.values()), "refused": refused, "by": by}

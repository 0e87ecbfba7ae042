"""Label: rows without a label take the one that the ensemble voted for, where its votes are sure enough.

`synth/label.py`, the other half of this stage, has left the votes and the confidence from which on they are to be
trusted. Rows labelled so are train rows from here on; the others wait in quarantine as `label_unsure`. All other rows
pass as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import Place, StageResult
from jobs import verdicts
from jobs.verdicts import KEPT, REFUSED
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "label"
UNSURE = "label_unsure"
_VOTES = "row_id string, label string, confidence double"


def run(spark: SparkSession, config: Config) -> StageResult:
    """Give rows their voted labels, and refuse those whose votes are not sure enough."""
    from jobs.places import exists
    from jobs.spark import publish_refused

    place = runs.locate(config, STAGE)
    answer = runs.read_json(place.folder, "label.json")
    if answer is None:
        raise StageError(f"label has no votes in {place.folder} yet: `seedbed label {config.recipe.name}` makes them.")
    schema = records.row_schema(config.recipe)
    arrived = place.inputs["clean"].counts["kept"]
    with progress(STAGE, arrived, "rows") as bar:
        outcome = verdicts.write(_labelled(spark, config, place, float(answer["threshold"])), place.folder, schema)
        bar.advance(arrived)
        counts = outcome.counts()
        if counts["in"] != arrived:
            raise StageError(
                f"label lost count: {arrived:,} rows came in, {counts['in']:,} have a verdict. Please report this."
            )
        if counts["refused"] or exists(spark, config, "quarantine"):
            publish_refused(spark, config, STAGE, f"{place.folder}/refused", records.refused_schema(schema))
    told = {"labelled": answer["rows"] - sum(counts["refused"].values()), "asked": answer["rows"]}
    told |= {key: answer[key] for key in ("threshold", "expected_precision") if key in answer}
    outputs = {split: outcome.digest(KEPT, split) for split in records.SPLITS}
    return StageResult({**counts, **told}, {**outputs, "refused": outcome.digest(REFUSED)})


def _labelled(spark: SparkSession, config: Config, place: Place, threshold: float) -> DataFrame:
    """The rows that clean kept, with fate, reason and detail, and the voted label where it is taken."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    clean = place.inputs["clean"]
    loose = from_arrow_schema(pa.schema([each.with_nullable(True) for each in records.row_schema(config.recipe)]))
    folders = [f"{clean.folder}/rows/row_split={split}" for split in sorted(clean.counts["splits"])]
    rows = spark.read.schema(loose).parquet(*folders)
    votes = spark.read.schema(_VOTES).parquet(f"{place.folder}/votes.parquet").withColumnRenamed("label", "voted")
    asked = F.col("row_split") == "unlabelled"
    taken = asked & F.coalesce(F.col("confidence") >= threshold, F.lit(False))
    unsure = asked & ~taken
    told = F.format_string(f"the judges' vote is %s with confidence %.4f, under {threshold:.4f}", "voted", "confidence")
    return rows.join(votes, "row_id", "left").withColumns(
        {
            verdicts.FATE: F.when(unsure, REFUSED).otherwise(KEPT),
            "row_stage": F.lit(STAGE),
            "row_reason": F.when(unsure, UNSURE),
            "row_detail": F.when(unsure, F.coalesce(told, F.lit("the judges did not vote on it"))),
            "label": F.when(taken, F.col("voted")).otherwise(F.col("label")),
            "row_label_source": F.when(taken, "model").otherwise(F.col("row_label_source")),
            "row_label_confidence": F.when(taken, F.col("confidence")).otherwise(F.col("row_label_confidence")),
            "row_split": F.when(taken, "train").otherwise(F.col("row_split")),
        }
    )


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

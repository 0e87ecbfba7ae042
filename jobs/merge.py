"""Merge: real rows and accepted rows into `dataset`, in one commit; and `quarantine` in step with every stage's
refused rows.

The quarantine is brought in step here once more because a stage that was skipped (its work was there from an
earlier run of the same recipe) did not do it: what the table holds must be what *this* recipe refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyarrow import fs

from conf import Config, runs
from conf.progress import progress
from conf.runs import Place, StageResult
from jobs.ingest import row_schema
from udfs import records
from udfs.records import DATASET_SPLITS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "merge"
REFUSING = ("ingest", "clean", "label", "gate")


def run(spark: SparkSession, config: Config) -> StageResult:
    """Bring `quarantine` and `dataset` in step with the stages."""
    from jobs.spark import digests, merge_rows, read

    place = runs.locate(config, STAGE)
    with progress(STAGE, None, "rows") as bar:
        versions = _refused(spark, config, place)
        stages = {done.key: done.fingerprint for done in place.inputs.values()} | {STAGE: place.fingerprint}
        merged = merge_rows(
            spark, config, "dataset", _rows(spark, config, place), partition_by=["row_origin"], stages=stages,
            schema=row_schema(config),
        )  # fmt: skip
        bar.advance(merged.inserted + merged.updated + merged.deleted)
    held = read(spark, config, "dataset", merged.version)
    by_origin = {row["row_origin"]: row["count"] for row in held.groupBy("row_origin").count().collect()}
    found = digests(held.select("row_split", "row_hash"))
    counts = {
        "inserted": merged.inserted,
        "updated": merged.updated,
        "deleted": merged.deleted,
        "rows": sum(by_origin.values()),
        "by_origin": by_origin,
    }
    return StageResult(counts, {"dataset": merged.digest, **found}, {"dataset": merged.version, **versions})


def _rows(spark: SparkSession, config: Config, place: Place) -> DataFrame | list[str]:
    """Where the rows lie that the dataset is to hold."""
    accepted = [f"{place.inputs['gate'].folder}/accepted"] if "gate" in place.inputs else []
    if config.recipe.publish == "synthetic_only":
        return spark.read.parquet(*accepted).where("row_origin = 'synthetic'")
    real = f"{runs.real_in(place).folder}/rows"
    system, path = runs.filesystem(real)
    infos = system.get_file_info([f"{path}/row_split={split}" for split in DATASET_SPLITS])
    return [f"{real}/{info.base_name}" for info in infos if info.type == fs.FileType.Directory] + accepted


def _refused(spark: SparkSession, config: Config, place: Place) -> dict[str, int]:
    """Put every stage's part of the quarantine in step; the table's version, where there is a table."""
    from pyspark.sql.pandas.types import from_arrow_schema

    from jobs.spark import publish_refused

    schema = records.refused_schema(row_schema(config))
    version = None
    for stage in REFUSING:
        done = place.inputs.get(stage)
        rows = f"{done.folder}/refused" if done else spark.createDataFrame([], from_arrow_schema(schema))
        merged = publish_refused(spark, config, stage, rows, schema)
        version = merged.version if merged else version
    return {} if version is None else {"quarantine": version}

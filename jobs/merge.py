"""Merge: real rows and accepted rows into `dataset`, in one commit; `quarantine` in step with what every stage refuses.

Stages publish what they refuse as they run. A stage that was skipped, its work being there from an earlier run, did
not; nor did one that the recipe no longer has. So the whole quarantine is compared here once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyarrow import fs

from conf import Config, runs
from conf.progress import progress
from conf.runs import Place, StageResult
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from jobs.tables import Merged

STAGE = "merge"
REFUSING = ("ingest", "clean", "label", "gate")


def run(spark: SparkSession, config: Config) -> StageResult:
    """Bring `quarantine` and `dataset` in step with the stages."""
    from jobs.spark import merge_rows

    place = runs.locate(config, STAGE)
    schema = records.row_schema(config.recipe)
    stages = {key: done.fingerprint for key, done in place.inputs.items()} | {STAGE: place.fingerprint}
    with progress(STAGE, unit="rows") as bar:
        held = _quarantine(spark, config, place, stages)
        rows = _rows(spark, config, place)
        merged = merge_rows(spark, config, "dataset", rows, partition_by=["row_origin"], stages=stages, schema=schema)
        bar.advance(merged.inserted + merged.updated + merged.deleted)
    return StageResult(_counts(merged, held), _outputs(merged), {"dataset": merged.version} | _version(held))


def _quarantine(spark: SparkSession, config: Config, place: Place, stages: dict[str, str]) -> Merged | None:
    """Bring the whole quarantine in step; None where nothing is refused and there is no table."""
    from jobs.spark import exists, merge_rows

    refusing = [place.inputs[stage] for stage in REFUSING if stage in place.inputs]
    folders = [f"{done.folder}/refused" for done in refusing]
    if not exists(spark, config, "quarantine") and not any(_refused(done.counts) for done in refusing):
        return None
    schema = records.refused_schema(records.row_schema(config.recipe))
    return merge_rows(spark, config, "quarantine", folders, partition_by=["row_stage"], stages=stages, schema=schema)


def _refused(counts: Any) -> bool:
    """Whether a stage's counts tell of a refused row, at any depth."""
    if not isinstance(counts, dict):
        return False
    return bool(counts.get("refused")) or any(_refused(each) for each in counts.values())


def _rows(spark: SparkSession, config: Config, place: Place) -> DataFrame | list[str]:
    """The rows of the dataset, or where they lie. Augmented rows are real rows turned, so `synthetic_only` leaves
    them out, too.
    """
    accepted = [f"{place.inputs['gate'].folder}/accepted"] if "gate" in place.inputs else []
    if config.recipe.publish == "synthetic_only":
        return spark.read.parquet(*accepted).where("row_origin = 'synthetic'")
    folder = f"{runs.real_in(place).folder}/rows"
    real = [f"{folder}/row_split={split}" for split in records.DATASET_SPLITS]
    return [path for path in real if _is_folder(path)] + accepted


def _is_folder(place: str) -> bool:
    system, path = runs.filesystem(place)
    return bool(system.get_file_info(path).type == fs.FileType.Directory)


def _counts(merged: Merged, held: Merged | None) -> dict[str, Any]:
    """What changed, and what the table holds now."""
    from jobs.census import count

    by_origin = {origin: count(merged.census, row_origin=origin) for origin in records.ORIGINS}
    by_split = {split: count(merged.census, row_split=split) for split in records.DATASET_SPLITS}
    changed = {"inserted": merged.inserted, "updated": merged.updated, "deleted": merged.deleted}
    quarantined = count(held.census) if held else 0
    return {
        **changed,
        "rows": count(merged.census),
        "by_origin": by_origin,
        "by_split": by_split,
        "quarantined": quarantined,
    }


def _outputs(merged: Merged) -> dict[str, str]:
    """Digests of the dataset and of its splits."""
    from jobs.census import digest

    return {"dataset": merged.digest} | {s: digest(merged.census, row_split=s) for s in records.DATASET_SPLITS}


def _version(held: Merged | None) -> dict[str, int]:
    return {"quarantine": held.version} if held else {}


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

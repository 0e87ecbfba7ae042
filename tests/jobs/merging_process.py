"""A process that merges rows, to be killed or to race with others: `python merging_process.py ROOT STAGE COMMITS
[PARQUET]`.

With a Parquet folder it merges that into `dataset`; without, it brings `quarantine` in step with COMMITS growing sets
of a stage's rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import conf
from conf.schema import SparkRuntime
from jobs.spark import merge_rows, publish_refused, session
from tests.jobs.merging import SCHEMA, rows_of, staged
from udfs import records

REFUSED = records.refused_schema(SCHEMA)


def refused(stage: str, commits: int) -> list[dict[str, object]]:
    """The rows of a stage after so many commits: one more with each."""
    return [{**row, "row_stage": stage, "row_reason": "blank"} for row in rows_of([stage], commits)]


def main(root: str, stage: str, commits: int, parquet: str = "") -> None:
    """Merge, and say how many commits were made."""
    config = conf.load("digits", "local", [], root)
    small = SparkRuntime(master="local[1,4]", driver_memory="700m", shuffle_partitions=1)
    config = type(config)(config.recipe, config.runtime.model_copy(update={"spark": small}), root, root, config.origin)
    with session(config) as spark:
        if parquet:
            print(merge_rows(spark, config, "dataset", parquet, partition_by=["row_origin"]).committed)
            return
        done = 0
        for number in range(1, commits + 1):
            path = staged(refused(stage, number), Path(root) / f"rows-{stage}-{number}", REFUSED)
            merged = publish_refused(spark, config, stage, path, REFUSED)
            done += bool(merged and merged.committed)
        print(done)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])

"""Normalize: statistics of the train rows, exact under any partitioning, as `statistics.json`.

Train rows alone are measured, so nothing of val or test leaks into what encodes them. Parts are measured where the rows
lie and merged on the driver. What is measured lies in `jobs/images/normalize.py` and `jobs/tabular/normalize.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import StageResult
from jobs.ways import way_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STAGE = "normalize"
FILE_NAME = "statistics.json"


def run(spark: SparkSession, config: Config) -> StageResult:
    """Measure the train rows."""
    place, way = runs.locate(config, STAGE), way_of(config.recipe, STAGE)
    train = spark.read.parquet(f"{runs.real_in(place).folder}/rows/row_split=train")
    with progress(STAGE, None, "rows") as bar:
        rows, measured = way.measured(config, train)
        bar.advance(rows)
        if not rows:
            raise StageError(f"{config.origin} leaves no train rows to measure: see split and the quarantine.")
        told = {"rows": rows, **measured}
        runs.write_json(place.folder, FILE_NAME, told)
        more = way.write(spark, config, place, told)
    return StageResult({"rows": rows, **more}, {"statistics": runs.digest_of(told)})


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

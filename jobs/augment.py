"""Augment: every train row's children, each copy by a maker of its own.

A maker's name covers the steps with their options and revisions, the form, the seed and the copy's number. So one
more copy adds exactly that copy's rows, and another step makes all of them anew.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import StageResult
from conf.schema import Augment
from conf.stages import reads_of, stage
from jobs.partners import choose_partners, with_partners
from jobs.ways import way_of
from udfs import records
from udfs.children import LAID_DOWN, AnyCompiled, Children, makers
from udfs.families import family_of
from udfs.fusion.compiled import CompiledFusion

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "augment"
TASK_ROWS = 4096  # children worth a task of their own


def run(spark: SparkSession, config: Config) -> StageResult:
    """Make the children of all train rows, and see that none is missing."""
    from jobs.census import census_of, count, digest
    from jobs.spark import hand_off

    place = runs.locate(config, STAGE)
    real = runs.real_in(place)
    parents = spark.read.parquet(f"{real.folder}/rows/row_split=train")
    augment, schema = runs.augment_in(config, place), records.row_schema(config.recipe)
    planned = augment.planned(real.counts["splits"]["train"]) if augment else 0
    with progress(STAGE, planned, "rows") as bar:
        if augment:
            way, steps = way_of(config.recipe, STAGE), compiled(config, augment)
            made = children(parents, augment, steps, way, schema, config.recipe.seed, planned)
        else:
            made = nothing(spark, schema)
        path = hand_off(made, place.folder, "rows")
        counted = census_of([path], lambda paths: spark.read.parquet(*paths))
        bar.advance(planned)
    staged = count(counted)
    if staged != planned:
        raise StageError(f"augment: {planned:,} rows were planned and {staged:,} staged in {path}. Please report this.")
    flags = _flagged(spark, path, steps) if augment else {}
    counts = {"planned": planned, "staged": staged, "copies": augment.copies if augment else 0, **flags}
    return StageResult(counts, {"rows": digest(counted)})


def compiled(config: Config, augment: Augment) -> AnyCompiled:
    """The steps, with what normalize measured where they need it."""
    recipe, measured = config.recipe, None
    if "normalize" in dict(reads_of(stage(STAGE), recipe, "")):
        measured = runs.read_json(runs.locate(config, STAGE).inputs["normalize"].folder, "statistics.json")
    steps: AnyCompiled = family_of(recipe).compiled(recipe, augment.steps, measured or {"columns": {}})
    return steps


def nothing(spark: SparkSession, schema: pa.Schema) -> DataFrame:
    """No rows: none of the candidates was chosen."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return spark.createDataFrame([], from_arrow_schema(schema))


def _flagged(spark: SparkSession, path: str, steps: AnyCompiled) -> dict[str, Any]:
    """How many children have which flag, where steps may leave a row as it was and flag it."""
    from pyspark.sql import functions as F

    if not isinstance(steps, CompiledFusion):
        return {}
    flags = spark.read.parquet(path).select(F.explode("row_flags").alias("flag")).groupBy("flag").count().collect()
    return {"flags": {row["flag"]: row["count"] for row in sorted(flags)}}


def children(
    parents: DataFrame,
    augment: Augment,
    compiled: AnyCompiled,
    way: ModuleType,
    schema: pa.Schema,
    seed: int,
    planned: int,
) -> DataFrame:
    """All copies of all parents, about `planned` rows; the same rows under any partitioning."""
    from jobs.spark import map_rows, spread

    named = tuple(makers(compiled, seed, augment.most_copies))
    payload = parents.select(*(name for name in parents.columns if name not in LAID_DOWN))
    rows = spread(payload, -(-planned // TASK_ROWS))
    if compiled.needs_partners:
        rows = with_partners(rows, choose_partners(parents, compiled, way, named, seed), compiled, way)
    most = way.call_rows(compiled)
    label = way.label_name(compiled)
    make = Children(compiled, named, seed, schema, most, way.partner_types(compiled), augment.copies, label)
    return map_rows(rows, make, schema, max(1, most // augment.most_copies))


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

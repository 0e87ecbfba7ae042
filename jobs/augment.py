"""Augment: every train row's children, each copy by a maker of its own.

A maker's name covers the steps with their options and revisions, the form, the seed and the copy's number. So one
more copy adds exactly that copy's rows, and another step makes all of them anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import StageResult
from conf.schema import Augment
from jobs.partners import AnyCompiled, child_ids, choose_partners, with_partners
from jobs.ways import way_of
from udfs import records
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
    augment = config.recipe.augment
    assert augment is not None
    planned = augment.planned(real.counts["splits"]["train"])
    way = way_of(config.recipe, STAGE)
    with progress(STAGE, planned, "rows") as bar:
        compiled, schema = way.compiled(config), records.row_schema(config.recipe)
        made = children(parents, augment, compiled, way, schema, config.recipe.seed, planned)
        path = hand_off(made, place.folder, "rows")
        counted = census_of([path], lambda paths: spark.read.parquet(*paths))
        bar.advance(planned)
    staged = count(counted)
    if staged != planned:
        raise StageError(f"augment: {planned:,} rows were planned and {staged:,} staged in {path}. Please report this.")
    counts = {"planned": planned, "staged": staged, "copies": augment.copies, **_flagged(spark, path, compiled)}
    return StageResult(counts, {"rows": digest(counted)})


def _flagged(spark: SparkSession, path: str, compiled: AnyCompiled) -> dict[str, Any]:
    """How many children have which flag, where steps may leave a row as it was and flag it."""
    from pyspark.sql import functions as F

    if not isinstance(compiled, CompiledFusion):
        return {}
    flags = spark.read.parquet(path).select(F.explode("row_flags").alias("flag")).groupBy("flag").count().collect()
    return {"flags": {row["flag"]: row["count"] for row in sorted(flags)}}


def makers(compiled: AnyCompiled, seed: int, copies: int) -> list[str]:
    """The maker of each copy, the first one's first. What statistics the steps use is part of what they are."""
    return [records.maker("augmented", compiled.identity, "", seed, copy) for copy in range(1, copies + 1)]


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
    rows = spread(parents, -(-planned // TASK_ROWS))
    if compiled.needs_partners:
        rows = with_partners(rows, choose_partners(parents, compiled, way, named, seed), compiled, way)
    most = way.call_rows(compiled)
    label = way.label_name(compiled)
    make = Children(compiled, named, seed, schema, most, way.partner_types(compiled), augment.copies, label)
    return map_rows(rows, make, schema, max(1, most // augment.most_copies))


@dataclass(frozen=True)
class Children:
    """A batch of parents to the rows of all their copies."""

    compiled: AnyCompiled
    makers: tuple[str, ...]
    seed: int
    schema: pa.Schema
    most: int
    partner_types: dict[str, pa.DataType]
    copies: int | dict[str, int]
    label: str = "label"

    def __call__(self, parents: pa.RecordBatch) -> Iterator[pa.Table]:
        """The children, at most about `most` at a time."""
        copies = max(1, self.most // parents.num_rows)
        for start in range(0, len(self.makers), copies):
            numbers = range(start + 1, min(start + copies, len(self.makers)) + 1)
            drafts = [self._draft(self._with_copy(parents, copy), copy) for copy in numbers]
            batch = pa.Table.from_batches(drafts).combine_chunks()
            for whole in batch.to_batches():
                made = pa.Table.from_batches([self.compiled(whole, self.seed)])
                if "soft_label" not in self.schema.names and "soft_label" in made.schema.names:
                    made = made.drop_columns("soft_label")  # rows of tables keep the label of the larger share
                yield records.with_hashes(records.conform(made, self.schema))

    def _with_copy(self, parents: pa.RecordBatch, copy: int) -> pa.RecordBatch:
        """The parents whose label has so many copies."""
        if isinstance(self.copies, int):
            return parents
        labels = parents.column(self.label).cast(pa.string()).to_pylist()
        return parents.filter(pa.array([self.copies.get(label, 0) >= copy for label in labels], pa.bool_()))

    def _draft(self, parents: pa.RecordBatch, copy: int) -> pa.RecordBatch:
        """One copy's children before the steps: their ids and lineage, their parents' payload."""
        ids = parents.column("row_id").to_pylist()
        size = len(ids)
        kept = [name for name in self.schema.names if name in parents.schema.names]
        columns: dict[str, Any] = {name: parents.column(name) for name in kept}
        columns |= {
            "row_id": pa.array(child_ids(self.makers[copy - 1], ids), pa.string()),
            "row_origin": pa.array(["augmented"] * size, pa.string()),
            "row_parents": pa.array([[parent] for parent in ids], pa.list_(pa.string())),
            "row_split": pa.array(["train"] * size, pa.string()),
            "row_source": pa.array([self._told(copy)] * size, pa.string()),
            "row_label_source": pa.array(["inherited"] * size, pa.string()),
            "row_flags": pa.nulls(size, pa.list_(pa.string())),
            "row_hash": pa.nulls(size, pa.string()),
        }
        if self.compiled.needs_partners:
            columns |= self._partners(parents.column("partners").to_pylist(), copy)
        return pa.RecordBatch.from_pydict(columns)

    def _told(self, copy: int) -> str:
        """What `row_source` says."""
        return f"copy {copy} of {' > '.join(step.name for step in self.compiled.steps)}"

    def _partners(self, lists: list[list[dict[str, Any]] | None], copy: int) -> dict[str, pa.Array]:
        """The partner columns of one copy, null where a child has none."""
        own = [next((each for each in some or [] if each["copy"] == copy), None) for some in lists]
        return {
            name: pa.array([each and each[name] for each in own], kind) for name, kind in self.partner_types.items()
        }


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

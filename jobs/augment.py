"""Augment: every train row's children, each copy by a maker of its own.

A maker's name covers the steps with their options and revisions, the form, the seed and the copy's number. So one
more copy adds exactly that copy's rows, and another step makes all of them anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import StageResult
from conf.schema import Augment, ImageForm
from jobs.partners import child_ids, choose_partners, with_partners
from udfs import records
from udfs.steps import PARTNER_COLUMNS, Compiled, compile_steps

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "augment"
CALL_ROWS = 2048  # children made by one call of the steps
CALL_BYTES = 64 << 20  # of their parents' decoded pixels
TASK_ROWS = 4096  # children worth a task of their own
PARTNERS = pa.list_(
    pa.struct(
        [
            pa.field("copy", pa.int32()),
            pa.field("partner_id", pa.string()),
            pa.field("partner_label", pa.string()),
            pa.field("partner_image", pa.binary()),
        ]
    )
)


def run(spark: SparkSession, config: Config) -> StageResult:
    """Make the children of all train rows, and see that none is missing."""
    from jobs.census import census_of, count, digest
    from jobs.spark import hand_off

    place = runs.locate(config, STAGE)
    real = runs.real_in(place)
    parents = spark.read.parquet(f"{real.folder}/rows/row_split=train")
    augment = config.recipe.augment
    assert augment is not None
    planned = sum(real.counts["splits"]["train"].values()) * augment.copies
    with progress(STAGE, planned, "rows") as bar:
        made = children(parents, augment, config.recipe.image, config.recipe.seed, planned)
        path = hand_off(made, place.folder, "rows")
        counted = census_of([path], lambda paths: spark.read.parquet(*paths))
        bar.advance(planned)
    staged = count(counted)
    if staged != planned:
        raise StageError(f"augment: {planned:,} rows were planned and {staged:,} staged in {path}. Please report this.")
    counts = {"planned": planned, "staged": staged, "copies": augment.copies}
    return StageResult(counts, {"rows": digest(counted)})


def makers(augment: Augment, form: ImageForm, seed: int) -> list[str]:
    """The maker of each copy, the first one's first."""
    return makers_of(compile_steps(augment.steps, form=form), seed, augment.copies)


def makers_of(compiled: Compiled, seed: int, copies: int) -> list[str]:
    """The maker of each copy. Steps use no statistics yet, hence the empty digest."""
    return [records.maker("augmented", compiled.identity, "", seed, copy) for copy in range(1, copies + 1)]


def children(parents: DataFrame, augment: Augment, form: ImageForm, seed: int, planned: int) -> DataFrame:
    """All copies of all parents, about `planned` rows; the same rows under any partitioning."""
    from jobs.spark import map_rows, spread

    compiled = compile_steps(augment.steps, form=form)
    named = tuple(makers_of(compiled, seed, augment.copies))
    schema = records.image_schema(form.masks, form.boxes)
    rows = spread(parents, -(-planned // TASK_ROWS))
    if compiled.needs_partners:
        rows = with_partners(rows, choose_partners(parents, compiled, named, seed))
    per_call = max(1, min(CALL_ROWS // augment.copies, CALL_BYTES // compiled.form.bytes_per_image))
    return map_rows(rows, Children(compiled, named, seed, schema), schema, per_call)


@dataclass(frozen=True)
class Children:
    """A batch of parents to the rows of all their copies."""

    compiled: Compiled
    makers: tuple[str, ...]
    seed: int
    schema: pa.Schema

    def __call__(self, parents: pa.RecordBatch) -> Iterator[pa.Table]:
        """The children, at most about CALL_ROWS at a time."""
        copies = max(1, CALL_ROWS // parents.num_rows)
        for start in range(0, len(self.makers), copies):
            numbers = range(start + 1, min(start + copies, len(self.makers)) + 1)
            drafts = [self._draft(parents, copy) for copy in numbers]
            batch = pa.Table.from_batches(drafts).combine_chunks().to_batches()[0]
            made = pa.Table.from_batches([self.compiled(batch, self.seed)])
            yield records.with_hashes(records.conform(made, self.schema))

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
            columns |= _partners_of(parents.column("partners").to_pylist(), copy)
        return pa.RecordBatch.from_pydict(columns)

    def _told(self, copy: int) -> str:
        """What `row_source` says."""
        return f"copy {copy} of {' > '.join(step.name for step in self.compiled.steps)}"


def _partners_of(lists: list[list[dict[str, Any]] | None], copy: int) -> dict[str, pa.Array]:
    """The partner columns of one copy, null where a child has none."""
    own = [next((each for each in some or [] if each["copy"] == copy), None) for some in lists]
    types = (pa.binary(), pa.string(), pa.string())
    return {
        name: pa.array([each and each[name] for each in own], kind)
        for name, kind in zip(PARTNER_COLUMNS, types, strict=True)
    }


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)

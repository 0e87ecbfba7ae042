"""The same sequences everywhere: plain call, Spark under any partitioning, Ray at any batch size."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.synth.behaviour.learnt import KINDS, train_rows
from udfs import names, records
from udfs.behaviour.compiled import CompiledBehaviour, compile_behaviour_steps

SEED = 7
ROWS = 120
CHANGING = [name for name in names.step_names("behaviour") if names.kind_of(names.resolve(name)) != "reject"]
NEAR = {f"i{number:02d}": [f"i{(number + step) % 40:02d}" for step in (1, 2, 5, 7, 11)] for number in range(40)}


def batch() -> pa.RecordBatch:
    """Parents, a child's id for each."""
    rows = train_rows(ROWS)
    ids = [records.child_id(records.maker("test"), [parent]) for parent in rows.column("row_id").to_pylist()]
    told = rows.set_column(0, rows.schema.field("row_id"), pa.array(ids, pa.string()))
    (whole,) = told.combine_chunks().to_batches()
    return whole


class Made:
    """The compiled steps as a function of one batch; it pickles."""

    def __init__(self, compiled: CompiledBehaviour) -> None:
        self.compiled = compiled

    def __call__(self, rows: pa.RecordBatch) -> pa.Table:
        made = pa.Table.from_batches([self.compiled(rows, SEED)])
        return records.with_hashes(records.conform(made, records.behaviour_schema(KINDS)))

    def table(self, rows: pa.Table) -> pa.Table:
        (whole,) = rows.combine_chunks().to_batches(max_chunksize=None)
        return self(whole)


@pytest.fixture(scope="module")
def made() -> Made:
    return Made(compile_behaviour_steps(CHANGING, NEAR))


@pytest.fixture(scope="module")
def plain(made: Made) -> dict[str, Any]:
    """Rows by id, from one plain call."""
    return by_id(made(batch()))


def by_id(table: pa.Table) -> dict[str, Any]:
    rows = {row["row_id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows == ROWS
    return rows


def test_the_list_has_every_step_of_behaviour(made: Made, plain: dict[str, Any]) -> None:
    """No public step is left out of what follows, and most sequences are changed."""
    assert [step.name for step in made.compiled.steps] == CHANGING and len(CHANGING) == 5
    before = {tuple(items) for items in batch().column("items").to_pylist()}
    assert sum(tuple(row["items"]) not in before for row in plain.values()) > 0.8 * ROWS


@pytest.mark.parametrize("partitions", [1, 7])
def test_spark_makes_the_plain_calls_sequences(made: Made, plain: dict[str, Any], spark: Any, partitions: int) -> None:
    """Through `map_rows`, in one partition and in seven."""
    from jobs.spark import map_rows

    rows = spark.createDataFrame(pa.Table.from_batches([batch()])).repartition(partitions)
    assert by_id(map_rows(rows, made, records.behaviour_schema(KINDS)).toArrow()) == plain


@pytest.mark.parametrize("size", [32, 1000])
def test_ray_makes_the_plain_calls_sequences(made: Made, plain: dict[str, Any], ray_session: Any, size: int) -> None:
    """Through Ray Data, in small batches and in one."""
    import ray

    rows = ray.data.from_arrow(pa.Table.from_batches([batch()])).repartition(3)
    out = rows.map_batches(made.table, batch_size=size, batch_format="pyarrow")
    assert by_id(pa.concat_tables(ray.get(out.to_arrow_refs()))) == plain

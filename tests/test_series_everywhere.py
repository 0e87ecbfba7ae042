"""The same windows everywhere: plain call, Spark under any partitioning, Ray at any batch size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from udfs import names, records
from udfs.series.compiled import CompiledSeries, compile_series_steps
from udfs.series.windows import listed, stacked

SEED = 7
ROWS, STEPS, CHANNELS = 160, 60, 3
CHANGING = [name for name in names.step_names("series") if names.kind_of(names.resolve(name)) != "reject"]


def batch() -> pa.RecordBatch:
    """Parents, a child's id for each, and a partner beside it; some values are missing."""
    random = np.random.default_rng(0)
    series = np.cumsum(random.normal(size=(ROWS, STEPS, CHANNELS)), axis=1)
    series[random.random(series.shape) < 0.02] = np.nan
    parents = [records.real_id("waves", each.tobytes()) for each in series]
    maker, labels = records.maker("test"), [("rise", "fall")[row % 2] for row in range(ROWS)]
    columns = {
        "row_id": [records.child_id(maker, [parent]) for parent in parents],
        "row_parents": [[parent] for parent in parents],
        "label": labels,
        "soft_label": pa.nulls(ROWS, pa.map_(pa.string(), pa.float64())),
        "series": listed(series),
        "partner_series": listed(np.roll(series, -1, axis=0)),
        "partner_label": labels[1:] + labels[:1],
        "partner_id": parents[1:] + parents[:1],
    }
    return pa.RecordBatch.from_pydict(columns)


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Every public step that changes windows, in one list, each in half of the rows."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name in CHANGING:
        kind = names.kind_of(names.resolve(name))
        found.append((name, {"p": 0.5, **({"partners": "any"} if kind == "mixing" else {})}))
    return found


class Made:
    """The compiled steps as a function of one batch; it pickles."""

    def __init__(self, compiled: CompiledSeries) -> None:
        self.compiled = compiled

    def __call__(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        return self.compiled(rows, SEED)

    def table(self, rows: pa.Table) -> pa.Table:
        (whole,) = rows.combine_chunks().to_batches(max_chunksize=None)
        return pa.Table.from_batches([self(whole)])


@pytest.fixture(scope="module")
def made() -> Made:
    return Made(compile_series_steps(steps(), STEPS, CHANNELS))


@pytest.fixture(scope="module")
def plain(made: Made) -> dict[str, Any]:
    """Rows by id, from one plain call."""
    return by_id(pa.Table.from_batches([made(batch())]))


def by_id(table: pa.Table) -> dict[str, Any]:
    """Rows by id, their values as bytes."""
    whole = table.combine_chunks()
    series = [each.tobytes() for each in stacked(whole.column("series"), STEPS, CHANNELS)]
    rows = {row["row_id"]: {**row, "series": each} for row, each in zip(whole.to_pylist(), series, strict=True)}
    assert len(rows) == table.num_rows == ROWS
    return {key: {**row, "soft_label": dict(row["soft_label"] or [])} for key, row in rows.items()}


def test_the_list_has_every_step_of_series(made: Made, plain: dict[str, Any]) -> None:
    """No public step is left out of what follows, and every one of them changes some windows."""
    assert [step.name for step in made.compiled.steps] == CHANGING and len(CHANGING) > 15
    told = [each["steps"] for each in made.compiled.explain(batch(), SEED)]
    for place, name in enumerate(CHANGING):
        assert sum(row[place]["fired"] for row in told) > 0.2 * ROWS, name
    before = {each.tobytes() for each in stacked(batch().column("series"), STEPS, CHANNELS)}
    assert sum(row["series"] not in before for row in plain.values()) > 0.95 * ROWS


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_window_is_the_same_in_any_batch(made: Made, plain: dict[str, Any], size: int) -> None:
    """Alone, among a few, among many."""
    whole = batch()
    parts = [made(whole.slice(at, size)) for at in range(0, ROWS, size)]
    assert by_id(pa.Table.from_batches(parts)) == plain


@pytest.mark.parametrize("partitions", [1, 7])
def test_spark_makes_the_plain_calls_windows(made: Made, plain: dict[str, Any], spark: Any, partitions: int) -> None:
    """Through `map_rows`, in one partition and in seven."""
    from jobs.spark import map_rows

    schema = made(batch().slice(0, 1)).schema
    rows = spark.createDataFrame(pa.Table.from_batches([batch()])).repartition(partitions)
    assert by_id(map_rows(rows, made, schema).toArrow()) == plain


@pytest.mark.parametrize("size", [64, 1000])
def test_ray_makes_the_plain_calls_windows(made: Made, plain: dict[str, Any], ray_session: Any, size: int) -> None:
    """Through Ray Data, in small batches and in one."""
    import ray

    rows = ray.data.from_arrow(pa.Table.from_batches([batch()])).repartition(3)
    out = rows.map_batches(made.table, batch_size=size, batch_format="pyarrow")
    assert by_id(pa.concat_tables(ray.get(out.to_arrow_refs()))) == plain

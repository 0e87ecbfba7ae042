"""The same texts everywhere: plain call, Spark under any partitioning, Ray at any batch size."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.jobs.texts.made import texts
from udfs import names, records
from udfs.text.compiled import CompiledText, compile_text_steps

SEED = 7
ROWS = 240
CHANGING = [name for name in names.step_names("text") if names.kind_of(names.resolve(name)) != "reject"]


def batch() -> pa.RecordBatch:
    """Parents, a child's id for each, and a partner beside it."""
    told = [(f"{text}. {text.capitalize()} isn't what I've been told.", label) for text, label in texts(ROWS)]
    parents = [records.real_id("notes", text.encode()) for text, _ in told]
    maker, words, labels = records.maker("test"), [text for text, _ in told], [label for _, label in told]
    columns = {
        "row_id": [records.child_id(maker, [parent]) for parent in parents],
        "row_parents": [[parent] for parent in parents],
        "label": labels,
        "soft_label": pa.nulls(ROWS, pa.map_(pa.string(), pa.float64())),
        "text": words,
        "partner_text": words[1:] + words[:1],
        "partner_label": labels[1:] + labels[:1],
        "partner_id": parents[1:] + parents[:1],
    }
    return pa.RecordBatch.from_pydict(columns)


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Every public step that changes texts, in one list; each in few places, so that the last has something to do."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name in CHANGING:
        kind = names.kind_of(names.resolve(name))
        found.append((name, {"partners": "any", "p": 0.5} if kind == "mixing" else {}))
    return found


class Made:
    """The compiled steps as a function of one batch; it pickles."""

    def __init__(self, compiled: CompiledText) -> None:
        self.compiled = compiled

    def __call__(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        return self.compiled(rows, SEED)

    def table(self, rows: pa.Table) -> pa.Table:
        (whole,) = rows.combine_chunks().to_batches(max_chunksize=None)
        return pa.Table.from_batches([self(whole)])


@pytest.fixture(scope="module")
def made() -> Made:
    return Made(compile_text_steps(steps()))


@pytest.fixture(scope="module")
def plain(made: Made) -> dict[str, Any]:
    """Rows by id, from one plain call."""
    return by_id(pa.Table.from_batches([made(batch())]))


def by_id(table: pa.Table) -> dict[str, Any]:
    rows = {row["row_id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows == ROWS
    return {key: {**row, "soft_label": dict(row["soft_label"] or [])} for key, row in rows.items()}


def test_the_list_has_every_step_of_texts(made: Made, plain: dict[str, Any]) -> None:
    """No public step is left out of what follows, and most texts are changed."""
    assert [step.name for step in made.compiled.steps] == CHANGING and len(CHANGING) > 20
    before = set(batch().column("text").to_pylist())
    assert sum(row["text"] not in before for row in plain.values()) > 0.95 * ROWS


@pytest.mark.parametrize("partitions", [1, 7])
def test_spark_makes_the_plain_calls_texts(made: Made, plain: dict[str, Any], spark: Any, partitions: int) -> None:
    """Through `map_rows`, in one partition and in seven."""
    from jobs.spark import map_rows

    schema = made(batch().slice(0, 1)).schema
    rows = spark.createDataFrame(pa.Table.from_batches([batch()])).repartition(partitions)
    assert by_id(map_rows(rows, made, schema).toArrow()) == plain


@pytest.mark.parametrize("size", [64, 1000])
def test_ray_makes_the_plain_calls_texts(made: Made, plain: dict[str, Any], ray_session: Any, size: int) -> None:
    """Through Ray Data, in small batches and in one."""
    import ray

    rows = ray.data.from_arrow(pa.Table.from_batches([batch()])).repartition(3)
    out = rows.map_batches(made.table, batch_size=size, batch_format="pyarrow")
    assert by_id(pa.concat_tables(ray.get(out.to_arrow_refs()))) == plain

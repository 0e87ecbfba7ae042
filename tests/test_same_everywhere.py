"""The same bytes everywhere: plain call, Spark under any partitioning, Ray at any batch size, any number of actors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits

import conf
from udfs import image, names, records
from udfs.steps import Compiled, compile_steps

FORM = conf.load("digits").recipe.image
SEED = 7
ROWS = 300
COLUMNS = pa.schema(
    [
        ("row_id", pa.string()),
        ("row_parents", pa.list_(pa.string())),
        ("label", pa.string()),
        ("soft_label", pa.map_(pa.string(), pa.float64())),
        ("image", pa.binary()),
        ("partner_image", pa.binary()),
        ("partner_label", pa.string()),
        ("partner_id", pa.string()),
    ]
)
RESIZED = {"image.pad", "image.random_crop", "image.centre_crop", "image.resize"}  # they change the size; see below
BACK = {"image.resize": {"height_px": 8, "width_px": 8}}
NEEDED: dict[str, dict[str, Any]] = {
    "image.pad": {"px": 1},
    "image.random_crop": {"height_px": 6, "width_px": 6},
    "image.centre_crop": {"height_px": 6, "width_px": 6},
    "image.resize": {"height_px": 8, "width_px": 8},
}


def batch() -> pa.RecordBatch:
    """Parents (digits), a child's id for each, and a partner beside it."""
    digits = load_digits()
    stack = (digits.images[:ROWS] * 15.9).astype(np.uint8)[..., None]
    blobs, labels = image.encode(stack), [str(label) for label in digits.target[:ROWS]]
    parents = [records.real_id("digits", blob) for blob in blobs]
    maker = records.maker("test")
    return pa.RecordBatch.from_pydict(
        {
            "row_id": [records.child_id(maker, [parent]) for parent in parents],
            "row_parents": [[parent] for parent in parents],
            "label": labels,
            "soft_label": pa.nulls(ROWS, COLUMNS.field("soft_label").type),
            "image": blobs,
            "partner_image": blobs[1:] + blobs[:1],
            "partner_label": labels[1:] + labels[:1],
            "partner_id": parents[1:] + parents[:1],
        },
        schema=COLUMNS,
    )


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Every public step that changes images, in one list (of one kind of partner); sizes brought back at the end."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name in names.step_names("image"):
        kind = names.kind_of(names.resolve(name))
        if kind in ("random", "plain") and name not in RESIZED:
            found.append((name, NEEDED.get(name, {})))
        elif kind == "mixing":
            found.append((name, {"partners": "any", "p": 0.5}))
    for name in sorted(RESIZED):
        found.append((name, NEEDED[name]))
    return [*found, ("image.resize", BACK["image.resize"])]


class Made:
    """The compiled steps as a function of one batch; it pickles."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled

    def __call__(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        return self.compiled(rows, SEED)

    def table(self, rows: pa.Table) -> pa.Table:
        (whole,) = rows.combine_chunks().to_batches(max_chunksize=None)
        return pa.Table.from_batches([self(whole)])


@pytest.fixture(scope="module")
def made() -> Made:
    return Made(compile_steps(steps(), form=FORM))


@pytest.fixture(scope="module")
def plain(made: Made) -> dict[str, Any]:
    """Rows by id, from one plain call."""
    return by_id(pa.Table.from_batches([made(batch())]))


def by_id(table: pa.Table) -> dict[str, Any]:
    rows = {row["row_id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows == ROWS
    return {key: {**row, "soft_label": dict(row["soft_label"] or [])} for key, row in rows.items()}


def test_the_list_has_every_step(made: Made) -> None:
    """No public step is left out of what follows."""
    changing = [name for name in names.step_names("image") if names.kind_of(names.resolve(name)) != "reject"]
    assert {step.name for step in made.compiled.steps} == set(changing)


@pytest.mark.parametrize("partitions", [1, 7])
def test_spark_makes_the_plain_calls_bytes(made: Made, plain: dict[str, Any], spark: Any, partitions: int) -> None:
    """Through `map_rows`, in one partition and in seven."""
    from jobs.spark import map_rows

    schema = made(batch().slice(0, 1)).schema
    rows = spark.createDataFrame(pa.Table.from_batches([batch()])).repartition(partitions)
    assert by_id(map_rows(rows, made, schema).toArrow()) == plain


@pytest.mark.parametrize("size", [64, 1000])
def test_ray_makes_the_plain_calls_bytes(made: Made, plain: dict[str, Any], ray_session: Any, size: int) -> None:
    """Through Ray Data, in small batches and in one."""
    import ray

    rows = ray.data.from_arrow(pa.Table.from_batches([batch()])).repartition(3)
    out = rows.map_batches(made.table, batch_size=size, batch_format="pyarrow")
    assert by_id(pa.concat_tables(ray.get(out.to_arrow_refs()))) == plain


def test_actors_make_the_same_shards(
    config_for: Callable[..., Any], spark: Any, ray_session: Any, tmp_path: Path
) -> None:
    """Sampling with one actor and with three writes the same files."""
    from conf import runs
    from jobs import pipeline
    from synth import sample

    config = config_for("digits", "generate=[{model: image_mixture, rows: {per_label: 30}}]", "augment=null")
    for stage in ("ingest", "clean", "train"):
        pipeline.run_one(config, stage)
    found = []
    for actors in (1, 3):
        part = config.runtime.model_copy(
            update={"sample": config.runtime.sample.model_copy(update={"actors": actors, "shard_rows": 37})}
        )
        one = type(config)(config.recipe, part, config.tables, config.files, config.origin)
        sample.run(ray_session, one, "image_mixture")
        folder = Path(runs.locate(one, "sample", "image_mixture").folder) / "rows"
        found.append({path.name: path.read_bytes() for path in folder.glob("*.parquet")})
        for path in folder.glob("*.parquet"):
            path.unlink()
    assert len(found[0]) > 3
    assert found[0] == found[1]

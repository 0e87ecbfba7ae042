"""Augment: the same children under any partitioning, a maker a copy, partners by identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import Config, runs
from conf.errors import StageError
from conf.schema import Augment, ImageForm
from jobs import augment
from jobs.augment import children
from jobs.images import augment as way
from jobs.spark import merge_rows
from tests.jobs.merging import held
from tests.jobs.upstream import cleaned, ingested, real, write
from udfs import records
from udfs.children import Children, makers
from udfs.pairing import Chooser, fires, neighbours, ring
from udfs.steps import compile_steps

FORM = ImageForm(height=8, width=8, channels=1)
SEED = 7


def steps(partners: str = "same_label", copies: int = 3, p: float = 0.4) -> Augment:
    """Two plain steps and one that mixes."""
    mixing = {"image.mixup": {"partners": partners, "p": p}}
    return Augment(copies=copies, steps=["image.rotate", {"image.gaussian_noise": {"std": 8}}, mixing])


def grown(parents: Any, what: Augment) -> Any:
    """The children of images, as the stage makes them."""
    return children(parents, what, compile_steps(what.steps, form=FORM), way, records.image_schema(), SEED, 0)


def by_id(rows: list[Any]) -> dict[str, Any]:
    """Rows by id, every byte of theirs."""
    found = {row["row_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def parents_at(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twenty parents of three classes, and one alone in its class."""
    folder = str(tmp_path_factory.mktemp("parents"))
    write(folder, [*real(0, 20), *real(20, 21, label="9")])
    return folder


def made(spark: Any, folder: str, what: Augment, partitions: int) -> dict[str, Any]:
    """The children, made in so many partitions."""
    parents = spark.read.parquet(folder).repartition(partitions)
    rows = grown(parents, what)
    return by_id([row.asDict(True) for row in rows.collect()])


@pytest.mark.parametrize("partners", ["same_label", "any", "nearest"])
def test_children_are_the_same_under_any_partitioning(spark: Any, parents_at: str, partners: str) -> None:
    """Byte for byte, in one partition and in seven, mixed rows and plain ones."""
    one, seven = (made(spark, parents_at, steps(partners), number) for number in (1, 7))
    assert one == seven and len(one) == 63
    mixed = [row for row in one.values() if len(row["row_parents"]) == 2]
    assert 5 < len(mixed) < 58
    labels = {row["row_id"]: row["label"] for row in pq.read_table(parents_at).to_pylist()}
    for row in mixed:
        first, second = row["row_parents"]
        assert first != second and row["row_id"][16:] == records.which([first, second])
        assert partners == "any" or labels[first] == labels[second]


def test_a_child_is_what_a_plain_call_makes_of_its_parent(spark: Any, parents_at: str) -> None:
    """The compiled steps, called on one parent alone, give the same bytes as Spark; ids are the contract's."""
    what = Augment(copies=2, steps=["image.rotate", "image.contrast"])
    rows = made(spark, parents_at, what, 3)
    compiled = compile_steps(what.steps, form=FORM)
    parent = pq.read_table(parents_at).slice(4, 1).to_pylist()[0]
    for copy, maker in enumerate(makers(compiled, SEED, what.copies), 1):
        assert maker == records.maker("augmented", compiled.identity, "", SEED, copy)
        child = rows[maker + records.which([parent["row_id"]])]
        batch = pa.RecordBatch.from_pylist([{"row_id": child["row_id"], "image": parent["image"]}])
        assert compiled(batch, SEED).column("image")[0].as_py() == bytes(child["image"])
        assert child["row_parents"] == [parent["row_id"]] and child["label"] == parent["label"]
        assert (child["row_split"], child["row_label_source"]) == ("train", "inherited")
    whole = pa.table({name: [row[name] for row in rows.values()] for name in ("row_id", "row_hash")})
    assert None not in whole["row_hash"].to_pylist()


def test_one_more_copy_adds_exactly_that_copy(spark: Any, config_for: Callable[..., Config], parents_at: str) -> None:
    """In the table too: so many inserts, no update, no delete; another seed makes all anew."""
    config = config_for()
    three, four = made(spark, parents_at, steps(copies=3), 2), made(spark, parents_at, steps(copies=4), 3)
    assert three.items() <= four.items() and len(four) == 84
    merge_rows(spark, config, "dataset", grown(spark.read.parquet(parents_at), steps(copies=3)))
    rows = grown(spark.read.parquet(parents_at), steps(copies=4))
    merged = merge_rows(spark, config, "dataset", rows)
    assert (merged.inserted, merged.updated, merged.deleted) == (21, 0, 0)
    assert held(config, "dataset").keys() == four.keys()
    compiled = compile_steps(steps().steps, form=FORM)
    assert set(makers(compiled, 8, 3)).isdisjoint(makers(compiled, 7, 3))


def test_stage_makes_what_it_planned(spark: Any, config_for: Callable[..., Config]) -> None:
    """planned = staged; a parent that is missing is an error, not a smaller stage."""
    config = config_for("digits", "generate=[]", "augment.copies=3")
    ingested(config)
    cleaned(config, [*real(0, 12), *real(12, 15, "val")])
    done = runs.finish(runs.locate(config, "augment"), augment.run(spark, config), 0.0)
    assert done.counts == {"planned": 36, "staged": 36, "copies": 3}
    rows = pq.read_table(f"{done.folder}/rows")
    assert rows.num_rows == 36 and rows.schema.names == records.image_schema().names
    assert rows.column("row_hash").to_pylist() == records.row_hashes(rows).to_pylist()
    real_rows = runs.real(config)
    write(f"{real_rows.folder}/rows/row_split=train", real(0, 11))
    with pytest.raises(StageError, match="36 rows were planned and 33 staged"):
        augment.run(spark, config)


def test_batches_do_not_change_children(parents_at: str) -> None:
    """One parent at a time, or all at once."""
    what = Augment(copies=5, steps=["image.rotate", "image.gaussian_noise"])
    compiled = compile_steps(what.steps, form=FORM)
    names = tuple(makers(compiled, SEED, 5))
    make = Children(compiled, names, SEED, records.image_schema(), 2048, way.partner_types(compiled), 5)
    parents = pq.read_table(parents_at).combine_chunks().to_batches()[0]
    whole = pa.concat_tables(make(parents)).to_pylist()
    single = [row for n in range(21) for part in make(parents.slice(n, 1)) for row in part.to_pylist()]
    assert by_id(whole) == by_id(single)


def test_a_ring_gives_everybody_one_partner_and_nobody_himself() -> None:
    """Every row is the partner of exactly one; a newcomer changes one partner alone."""
    keys = np.random.default_rng(1).integers(0, 2**63, 50).astype(np.uint64)
    partner = ring(keys)
    assert sorted(partner) == list(range(50)) and not (partner == np.arange(50)).any()
    assert (ring(np.append(keys, np.uint64(5)))[:50] != partner).sum() == 1


def test_neighbours_are_the_nearest_others() -> None:
    """As counted one by one, across block borders; ties go to the first."""
    random = np.random.default_rng(2)
    views = random.integers(0, 4, (1500, 3)).astype(float)
    found = neighbours(views)
    for row in random.integers(0, 1500, 40):
        apart = ((views - views[row]) ** 2).sum(1)
        apart[row] = np.inf
        assert list(found[row]) == list(np.argsort(apart, kind="stable")[: found.shape[1]])


def test_partners_are_sought_for_those_children_alone_that_mix() -> None:
    """The chooser and the steps draw the same: no pair too many, none missing."""
    compiled = compile_steps(steps().steps, form=FORM)
    names = tuple(makers(compiled, SEED, 2))
    ids = sorted(row["row_id"] for row in real(0, 30))
    pairs = Chooser(compiled, names, SEED, "any")(pa.table({"row_id": ids, "label": ["1"] * 30})).to_pylist()
    for copy, maker in enumerate(names, 1):
        wanted = fires(compiled, [maker + records.which([each]) for each in ids], SEED)
        assert [pair["row_id"] for pair in pairs if pair["copy"] == copy] == list(np.array(ids)[wanted])

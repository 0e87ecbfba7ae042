"""`seedbed explain`: rows of every origin are found, told, and made again byte for byte, without Spark or Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.runs import StageResult
from jobs import readers
from jobs.explain import explain
from jobs.images import augment as way
from jobs.images.ingest import batches
from jobs.readers import reading
from jobs.rows_read import BOOKKEEPING
from tests.jobs import grown
from udfs import image, records
from udfs.children import Children, makers
from udfs.steps import compile_steps

OVERRIDES = (
    "augment.copies=3",
    "augment.steps.3=image.mixup: {partners: same_label, p: 0.5}",
    "generate=[{model: image_mixture, rows: {per_label: 4}}]",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Config, dict[str, list[dict[str, Any]]]]]:
    """A digits whose tables hold rows made by the stages' own functions; and those rows by origin."""
    import conf

    config = conf.load("digits", overrides=OVERRIDES, root=str(tmp_path_factory.mktemp("explain")))
    raw, clean = _real(config)
    children = _children(config, clean.slice(1))
    sampled = _sampled(config, clean)
    refused = clean.slice(0, 1).to_pylist()[0]["row_id"]
    home = runs.home(config)
    write_deltalake(f"{home}/raw", raw)
    write_deltalake(f"{home}/clean", clean.slice(1))
    write_deltalake(f"{home}/dataset", pa.concat_tables([clean.slice(1), children, sampled]))
    write_deltalake(f"{home}/quarantine", grown._refused(clean.slice(0, 1), "clean", "outlier"))
    rows = {"real": clean.slice(1).to_pylist(), "augmented": children.to_pylist(), "synthetic": sampled.to_pylist()}
    yield config, {**rows, "refused": [{"row_id": refused}]}


def _real(config: Config) -> tuple[pa.Table, pa.Table]:
    """Raw rows by the reader, and the same in the declared form."""
    schema = pa.schema([*records.refused_schema(records.image_schema()), *BOOKKEEPING])
    task = reading(config, config.recipe.sources[0])
    loose = pa.schema([field.with_nullable(True) for field in schema])
    found = [b for piece in readers.pieces(task) for b in batches(task, readers.read(task, piece), loose)]
    raw = pa.Table.from_batches(found).slice(0, 120).select(records.image_schema().names)
    form = config.recipe.image
    stack, _ = image.decode(raw["image"].to_pylist(), form.height, form.width, form.channels)
    clean = raw.set_column(raw.schema.get_field_index("image"), "image", pa.array(image.encode(stack), pa.binary()))
    clean = clean.set_column(clean.schema.get_field_index("row_split"), "row_split", pa.array(["train"] * 120))
    return raw, records.conform(clean, records.image_schema())


def _children(config: Config, parents: pa.Table) -> pa.Table:
    """All copies, as augment's own function makes them; every parent's partner is its neighbour."""
    recipe = config.recipe
    assert recipe.augment is not None
    compiled = compile_steps(recipe.augment.steps, form=recipe.image)
    named = makers(compiled, recipe.seed, recipe.augment.most_copies)
    ids, labels, blobs = (parents[name].to_pylist() for name in ("row_id", "label", "image"))
    partner = [(place + 1) % len(ids) for place in range(len(ids))]
    partners = [
        [
            {"copy": copy, "partner_id": ids[p], "partner_label": labels[p], "partner_image": blobs[p]}
            for copy in (1, 2, 3)
        ]
        for p in partner
    ]
    batch = parents.append_column("partners", pa.array(partners)).combine_chunks().to_batches()[0]
    types = way.partner_types(compiled)
    make = Children(compiled, tuple(named), recipe.seed, records.image_schema(), 2048, types, recipe.augment.copies)
    return pa.concat_tables(make(batch))


def _sampled(config: Config, train: pa.Table) -> pa.Table:
    """Rows of a mixture that was really fitted, its stage marked as done."""
    from synth.job import job_of
    from synth.sampler import Sampler
    from synth.work import work

    for name in ("ingest", "clean"):
        place = runs.locate(config, name)
        runs.finish(place, grown.STAGES[name](config, place), 1.0)
    place = runs.locate(config, "train", "image_mixture")
    folder = f"{place.inputs['clean'].folder}/rows/row_split=train"
    pq.write_table(train, f"{folder}/part-00000.parquet")
    work(job_of(config, config.recipe.generate[0], folder, place.folder))
    sampler = Sampler(f"{place.folder}/checkpoint")
    runs.finish(place, StageResult({}, {"checkpoint": sampler.id}), 1.0)
    return pa.concat_tables([sampler(label, 0, 4) for label in ("3", "7")])


@pytest.mark.parametrize("origin", ["real", "augmented", "synthetic"])
def test_every_row_can_be_made_again(origin: str, world: tuple[Config, dict[str, list[dict[str, Any]]]]) -> None:
    """A real row from its source, a child from its parents, a sample from its checkpoint: the same bytes."""
    config, rows = world
    for row in rows[origin][:: max(1, len(rows[origin]) // 8)]:
        found = explain(config, row["row_id"])
        assert found.table == "dataset" and found.same is True, found.again


def test_a_mixed_row_names_both_parents(world: tuple[Config, dict[str, list[dict[str, Any]]]]) -> None:
    """Mixing is told with its share, and needs both parents to be made again."""
    config, rows = world
    mixed = next(row for row in rows["augmented"] if len(row["row_parents"]) == 2)
    found = explain(config, mixed["row_id"])
    assert found.same is True
    text = "\n".join(found.lines)
    assert (
        all(parent in text for parent in mixed["row_parents"]) and "image.mixup: " in text and "partner_share" in text
    )


def test_drawn_parameters_are_told(world: tuple[Config, dict[str, list[dict[str, Any]]]]) -> None:
    """An affine step's draws stand there, as numbers within the recipe's bounds."""
    config, rows = world
    (line,) = [line for line in explain(config, rows["augmented"][0]["row_id"]).lines if "image.affine: " in line]
    turned = float(line.split(" degrees ")[1].split(",")[0])
    assert -12 <= turned <= 12


def test_a_refused_row_is_told_with_its_reason(world: tuple[Config, dict[str, list[dict[str, Any]]]]) -> None:
    """Quarantined rows are explained too: who refused them, why, and where they came from."""
    config, rows = world
    found = explain(config, rows["refused"][0]["row_id"])
    assert found.table == "quarantine" and found.lines[0].startswith("refused by clean: outlier") and found.same is True


def test_a_row_that_was_changed_is_told(world: tuple[Config, dict[str, list[dict[str, Any]]]], tmp_path: Path) -> None:
    """Where a row's bytes are not what its maker makes, explain says so."""
    import conf

    _, rows = world
    changed = dict(rows["augmented"][0], image=rows["augmented"][1]["image"])
    other = conf.load("digits", overrides=OVERRIDES, root=str(tmp_path))
    write_deltalake(f"{runs.home(other)}/dataset", pa.Table.from_pylist([changed], records.image_schema()))
    write_deltalake(f"{runs.home(other)}/clean", pa.Table.from_pylist(rows["real"], records.image_schema()))
    found = explain(other, changed["row_id"])
    assert found.same is False and "DIFFER" in found.again


def test_another_recipe_did_not_make_it(world: tuple[Config, dict[str, list[dict[str, Any]]]]) -> None:
    """A row whose steps no known recipe has is told as such, not compared with what other steps make."""
    import conf

    config, rows = world
    other = conf.load("digits", overrides=[*OVERRIDES, "seed=8"], root=config.files)
    found = explain(other, rows["augmented"][0]["row_id"])
    assert found.same is None and "made it" in found.again


def test_the_first_digits_are_enough(world: tuple[Config, dict[str, list[dict[str, Any]]]]) -> None:
    """An id may be cut short while it is one row's; several rows' is a mistake that names some."""
    config, rows = world
    whole = rows["synthetic"][0]["row_id"]
    assert explain(config, whole[:24]).row["row_id"] == whole
    with pytest.raises(RecipeError, match="give more digits"):
        explain(config, whole[:16])


@pytest.mark.parametrize("given", ["", "abc", "z" * 40, "a" * 41, "../../etc"])
def test_what_is_no_id_is_refused(given: str, world: tuple[Config, dict[str, list[dict[str, Any]]]]) -> None:
    """An id is hex of at most 40 digits."""
    with pytest.raises(RecipeError, match="is no row id"):
        explain(world[0], given)


def test_an_unknown_row_and_no_tables_are_told(
    world: tuple[Config, dict[str, list[dict[str, Any]]]], config_for: Callable[..., Config]
) -> None:
    """Not there, and nothing there yet, are two answers."""
    with pytest.raises(RecipeError, match="No row of digits"):
        explain(world[0], "f" * 40)
    with pytest.raises(StageError, match="seedbed run digits"):
        explain(config_for("digits"), "f" * 40)

"""A sampled row is a function of checkpoint, label and index."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from conf.errors import RecipeError, StageError
from conf.schema import Generate
from conf.schema import Rows as Plan
from synth import checkpoint
from synth.fit import Settings, fit
from synth.images.rows import ImageRows
from synth.job import options_of
from synth.models import SAMPLE_BLOCK
from synth.plan import Piece, rows_per_label, shards
from synth.sampler import Form, Sampler, build
from udfs import image, records

FORM = Form("image_mixture", {}, 1, 8, 8, [str(label) for label in range(10)])


@pytest.fixture(scope="module")
def folder(digits: Callable[[int], ImageRows], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of 300 digits, as a checkpoint."""
    fitted = fit(lambda attempt: build(FORM), digits(300), settings=Settings())
    place = tmp_path_factory.mktemp("mixture")
    decode: dict[str, Any] = {**vars(FORM)}
    checkpoint.save(str(place), fitted.model.state_dict(), {"decode": decode})
    return place


def test_rows_do_not_depend_on_the_range_that_was_asked_for(folder: Path) -> None:
    sampler = Sampler(str(folder))
    whole = sampler("3", 0, 200)
    for start, stop in ((0, 1), (5, 70), (63, 65), (64, 128), (130, 200), (199, 200)):
        assert sampler("3", start, stop).equals(whole.slice(start, stop - start))
    assert Sampler(str(folder))("3", 0, 200).equals(whole)
    assert sampler("4", 0, 200).column("image").to_pylist() != whole.column("image").to_pylist()
    assert sampler("3", 7, 7).num_rows == 0


def test_rows_do_not_depend_on_torchs_own_generator_or_threads(folder: Path) -> None:
    whole = Sampler(str(folder))("5", 0, 64)
    torch.manual_seed(5)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    assert Sampler(str(folder))("5", 0, 64).equals(whole)
    torch.set_num_threads(before)


def test_rows_say_what_they_are(folder: Path) -> None:
    sampler = Sampler(str(folder))
    rows = sampler("3", 2, 4)
    assert rows.schema.equals(records.image_schema())
    first = rows.slice(0, 1).to_pylist()[0]
    assert first["row_id"] == sampler.maker + records.which("3", 2)
    assert (first["row_origin"], first["row_split"], first["row_label_source"]) == ("synthetic", "train", "generator")
    assert first["row_source"] == f"checkpoint {sampler.id}, label 3, index 2"
    assert first["row_label_confidence"] is None and first["label"] == "3"
    assert rows.column("row_hash").to_pylist() == records.row_hashes(rows).to_pylist()
    images, reasons = image.decode(rows.column("image").to_pylist(), 8, 8, 1)
    assert reasons == [None, None] and images.shape == (2, 8, 8, 1)


def test_the_maker_covers_all_that_decides_its_rows(folder: Path) -> None:
    plain, cool = Sampler(str(folder)), Sampler(str(folder), temperature=0.5)
    assert plain.maker != cool.maker and plain.id == cool.id
    assert plain("1", 0, 8).column("image").to_pylist() != cool("1", 0, 8).column("image").to_pylist()


def test_a_label_that_the_model_does_not_know_is_refused(folder: Path) -> None:
    with pytest.raises(StageError, match="eleven"):
        Sampler(str(folder))("eleven", 0, 1)


def test_a_card_that_does_not_fit_the_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    loaded = checkpoint.load(str(folder))
    card = {"decode": {**loaded.card["decode"], "height": 16}}
    checkpoint.save(str(tmp_path / "c"), loaded.tensors, card)
    with pytest.raises(checkpoint.CheckpointError, match="do not belong together"):
        Sampler(str(tmp_path / "c"))


TRAIN = {"a": 50, "b": 30, "c": 20}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"per_label": 7}, {"a": 7, "b": 7, "c": 7}),
        ({"per_label": {"b": 4}}, {"a": 0, "b": 4, "c": 0}),
        ({"balance": "majority"}, {"a": 0, "b": 20, "c": 30}),
        ({"factor": 0.5}, {"a": 25, "b": 15, "c": 10}),
        ({"like": "train"}, TRAIN),
        ({"like": "train", "total": 11}, {"a": 6, "b": 3, "c": 2}),
    ],
)
def test_plans(said: dict[str, Any], meant: dict[str, int]) -> None:
    assert rows_per_label(Plan(**said), TRAIN) == meant


def test_a_plan_for_a_label_without_train_rows_is_refused() -> None:
    with pytest.raises(RecipeError, match="'c'"):
        rows_per_label(Plan(per_label=3), {**TRAIN, "c": 0})


def test_shards_hold_each_planned_row_once_and_end_at_blocks() -> None:
    plan = {"a": 200, "b": 0, "c": 1, "d": 1000}
    found = shards(plan, 150)
    rows = [
        (piece.label, index) for shard in found for piece in shard.pieces for index in range(piece.start, piece.stop)
    ]
    assert rows == [(label, index) for label, count in plan.items() for index in range(count)]
    assert [shard.name for shard in found[:2]] == ["shard-00000.parquet", "shard-00001.parquet"]
    assert all(piece.start % SAMPLE_BLOCK == 0 for shard in found for piece in shard.pieces)
    assert found[0].pieces == (Piece("a", 0, 192),)
    assert shards({"a": 0}, 10) == []


OPTIONS = [
    ({"max_round": 3}, "nearest is max_rounds"),
    ({"max_rounds": "many"}, "a whole number"),
    ({"tolerance": True}, "a number"),
]


@pytest.mark.parametrize(("options", "told"), OPTIONS)
def test_an_option_that_a_model_does_not_have_or_understand_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        options_of(Generate(model="image_mixture", rows={"per_label": 1}, options=options))


def test_options_and_train_values_are_laid_over_the_preset_parts_of_it_too() -> None:
    said = {"latent": 7, "mixture": {"prior_rows": 3}}
    found = options_of(Generate(model="image_vae", rows={"per_label": 1}, options=said, train={"max_steps": 5}))
    assert (found.latent, found.mixture.prior_rows, found.max_steps) == (7, 3, 5)
    assert (
        found.mixture.components_per_label
        == options_of(Generate(model="image_vae", rows={"per_label": 1})).mixture.components_per_label
    )
    form = Form("image_vae", dataclasses.asdict(found), 1, 8, 8, ["a", "b"])
    assert build(form).mixture.config == found.mixture
    with pytest.raises(RecipeError, match="prior_rows"):
        options_of(Generate(model="image_vae", rows={"per_label": 1}, options={"mixture": {"prior_row": 3}}))
    with pytest.raises(RecipeError, match="wgan_gp"):
        options_of(Generate(model="image_gan", rows={"per_label": 1}, options={"loss": "wasserstein"}))

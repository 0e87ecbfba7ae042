"""Models work where they are put: nothing inside stays on the CPU.

Shown without a GPU, by tensors that have a device and no content, which refuse to be mixed with others.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import pytest
import torch

from conf.schema import SERIES_MODELS, TABLE_MODELS, TEXT_MODELS
from synth.models import image_gan, image_interpolation, image_vae, text_writer, windows
from synth.models.image_mixture import movements
from synth.tables.tokens import measure
from tests.synth.models.test_image_models import batch_of, build
from tests.synth.models.test_table_models import SMALL
from tests.synth.tables.mixtures import FORM, matrix, shape_of

ELSEWHERE = "meta"


def elsewhere(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.to(ELSEWHERE) for name, tensor in batch.items()}


def losses(model: Any, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [phase.module(elsewhere(batch))["loss"] for phase in model.to(ELSEWHERE).phases()]


@pytest.mark.parametrize("module", [image_gan, image_vae, image_interpolation])
def test_losses_of_images_are_worked_out_where_the_model_is(module: Any) -> None:
    model = build(module, next(iter(module.PRESETS)), 3, 32, 32)
    assert {loss.device.type for loss in losses(model, batch_of(20, 3, 32, 32))} == {ELSEWHERE}


@pytest.mark.parametrize("name", [name for name in TABLE_MODELS if name != "table_mixture"])
def test_losses_of_tables_are_worked_out_where_the_model_is(name: str) -> None:
    module, rows = importlib.import_module(f"synth.models.{name}"), matrix(400)
    config = dataclasses.replace(next(iter(module.PRESETS.values())), **SMALL[name][0])
    tokens = measure(rows, FORM)
    model = module.build(config, shape_of(tokens, rows))
    batch = {
        "tokens": torch.from_numpy(tokens.encode(rows)[:256]),
        "label": torch.from_numpy(rows[:256, FORM.label_place].astype("int64")),
        "index": torch.arange(256),
        "progress": torch.tensor(0.5),
    }
    assert {loss.device.type for loss in losses(model, batch)} == {ELSEWHERE}


@pytest.mark.parametrize("name", [name for name in TEXT_MODELS if name != "text_pretrained"])
def test_losses_of_texts_are_worked_out_where_the_model_is(name: str) -> None:
    module = importlib.import_module(f"synth.models.{name}")
    config = dataclasses.replace(next(iter(module.PRESETS.values())), width=32)
    model = module.build(config, text_writer.Shape(torch.ones(41), 2, 24))
    batch = {
        "tokens": torch.randint(41, (8, 20)),
        "label": torch.randint(2, (8,)),
        "index": torch.arange(8),
        "progress": torch.tensor(0.5),
    }
    assert {loss.device.type for loss in losses(model, batch)} == {ELSEWHERE}


@pytest.mark.parametrize("name", [name for name in SERIES_MODELS if name != "series_mixture"])
def test_losses_of_series_are_worked_out_where_the_model_is(name: str) -> None:
    module = importlib.import_module(f"synth.models.{name}")
    model = module.build(module.PRESETS["fast"], windows.Shape(10, 3, 2))
    batch = {
        "series": torch.randn(8, 10, 3),
        "label": torch.randint(2, (8,)),
        "index": torch.arange(8),
        "progress": torch.tensor(0.5),
    }
    assert {loss.device.type for loss in losses(model, batch)} == {ELSEWHERE}


def test_tangents_of_an_image_are_where_the_image_is() -> None:
    assert movements(torch.zeros(1, 8, 8, device=ELSEWHERE), 0.1, 0.1).device.type == ELSEWHERE

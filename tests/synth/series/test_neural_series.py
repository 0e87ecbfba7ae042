"""The nets among the generators of series, from train rows to checkpoint to made rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from synth import checkpoint
from synth.fit import fit
from synth.models import SAMPLE_BLOCK
from synth.series.sampler import Sampler
from synth.series.training import prepare
from tests.jobs.series.made import CHANNELS, STEPS, windows
from tests.synth.series.learnt import config_at, job_at, learnt, train_rows
from udfs import records
from udfs.series.windows import stacked

SOME = windows(80)
SMALL: dict[str, dict[str, Any]] = {
    "series_flow": {"width": 32, "blocks": 1, "moments": 4},
    "series_vae": {"code": 4, "components": 4, "hidden": 32, "channels": 8},
    "series_gan": {"noise": 8, "hidden": 32, "channels": 8, "critic_channels": 8, "features": 16},
}


def generator(name: str) -> dict[str, Any]:
    return {"model": name, "preset": "fast", "options": SMALL[name], "train": {"max_steps": 20, "batch_size": 16}}


@pytest.mark.parametrize("name", SMALL)
def test_a_net_goes_from_train_rows_to_rows_of_their_own(name: str, tmp_path: Path) -> None:
    """Rows do not depend on the range that was asked for; what is known of a window stays; the checkpoint is whole."""
    folder = learnt(config_at(tmp_path, **generator(name)), SOME)
    sampler = Sampler(folder)
    whole = sampler("fall", 0, SAMPLE_BLOCK + 4)
    assert Sampler(folder)("fall", SAMPLE_BLOCK - 1, SAMPLE_BLOCK + 2).equals(whole.slice(SAMPLE_BLOCK - 1, 3))
    real = stacked(train_rows(SOME[:10]).column("series"), STEPS, CHANNELS)
    holed = real.copy()
    holed[:, 7:] = np.nan
    ids = pa.array([records.real_id("asked", str(place).encode()) for place in range(10)])
    filled = sampler.complete(holed, [label for _, label in SOME[:10]], ids)
    assert np.array_equal(filled[:, :7], real[:, :7]) and np.isfinite(filled).all()
    assert set(checkpoint.load(folder).tensors) >= set(sampler.model.state_dict())


@pytest.mark.parametrize("name", SMALL)
def test_a_training_of_measured_rows_goes_on_where_it_stopped(name: str, tmp_path: Path) -> None:
    """What was measured before the first step is the same when a training goes on."""
    prepared, states = prepare(job_at(config_at(tmp_path, **generator(name)), SOME)), []
    settings = prepared.settings
    whole = fit(prepared.build, prepared.rows, settings=settings, report=lambda event: states.append(event.state()))
    half = next(state for state in states if state.meta["step"] == 10)
    again = fit(prepared.build, prepared.rows, settings=settings, resume=half)
    ours, theirs = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)

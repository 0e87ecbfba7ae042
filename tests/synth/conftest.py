"""What the tests of generators share: real digits as tensors, and a tiny adversarial model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from conf import Config, runs
from synth.images.rows import ImageRows
from synth.models import Batch, Phase
from udfs import records
from udfs.image import encode


class Tiny(nn.Module):
    """A conditional GAN of two small nets, with BatchNorm so that buffers count too."""

    noise_width = 8
    balanced = True
    average_decay = 0.9

    def __init__(self, learning_rate: float = 1e-3) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.generator = nn.Sequential(nn.Linear(18, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 64))
        self.critic = nn.Sequential(nn.Linear(74, 48), nn.Dropout(0.1), nn.LeakyReLU(0.2), nn.Linear(48, 1))

    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        known = nn.functional.one_hot(condition, 10).float()
        return torch.tanh(self.generator(torch.cat([noise * temperature, known], 1))).view(-1, 1, 8, 8)

    def score(self, images: Tensor, condition: Tensor) -> Tensor:
        return self.critic(torch.cat([images.flatten(1), nn.functional.one_hot(condition, 10).float()], 1))

    def phases(self) -> list[Phase]:
        betas = (0.0, 0.99)
        return [
            Phase("critic", CriticPhase(self), self.learning_rate, betas, repeats=2),
            Phase("generator", GeneratorPhase(self), self.learning_rate, betas, decay=0.3),
        ]


class CriticPhase(nn.Module):
    def __init__(self, model: Tiny) -> None:
        super().__init__()
        self.critic, self._others = model.critic, [model]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        model = self._others[0]
        with torch.no_grad():
            made = model.sample(torch.randn(len(batch["label"]), 8), batch["label"])
        real, false = model.score(batch["image"], batch["label"]), model.score(made, batch["label"])
        return {"loss": torch.relu(1 - real).mean() + torch.relu(1 + false).mean(), "real": real.mean()}


class GeneratorPhase(nn.Module):
    def __init__(self, model: Tiny) -> None:
        super().__init__()
        self.generator, self._others = model.generator, [model]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        model = self._others[0]
        made = model.sample(torch.randn(len(batch["label"]), 8), batch["label"])
        return {"loss": -model.score(made, batch["label"]).mean()}


@pytest.fixture
def tiny() -> type[Tiny]:
    """The tiny model's class."""
    return Tiny


@pytest.fixture(scope="session")
def digits() -> Callable[[int], ImageRows]:
    """`digits(n)`: n real digits in a fixed random order."""
    data = load_digits()
    images = (data.images * (255 / 16)).round().astype(np.uint8)[:, None]
    order = np.random.default_rng(0).permutation(len(images))

    def first(count: int) -> ImageRows:
        chosen = order[:count]
        return ImageRows(torch.from_numpy(images[chosen]), torch.from_numpy(data.target[chosen]).long())

    return first


@pytest.fixture
def cleaned(digits: Callable[[int], ImageRows]) -> Callable[[Config, int], Config]:
    """`cleaned(config, n)`: the marks that ingest and clean would leave, with n real digits as train rows."""

    def make(config: Config, count: int) -> Config:
        rows = digits(count)
        images = [png for image in rows.images.numpy() for png in encode(image.transpose(1, 2, 0)[None])]
        labels = [str(int(label)) for label in rows.labels]
        table = pa.table({"label": labels, "image": pa.array(images, pa.binary())})
        ids = [records.real_id("sklearn", image, place) for place, image in enumerate(images)]
        lineage = {"row_id": ids, "row_origin": ["real"] * count, "row_split": ["train"] * count}
        for name, values in lineage.items():
            table = table.append_column(name, pa.array(values))
        table = records.with_hashes(records.conform(table, records.image_schema()))
        place = runs.locate(config, "ingest")
        runs.finish(place, runs.StageResult({}, {"rows": f"{count}", "refused": "0"}), 0.0)
        place = runs.locate(config, "clean")
        folder = Path(place.folder) / "rows" / "row_split=train"
        folder.mkdir(parents=True)
        pq.write_table(table.slice(0, count // 2), folder / "part-0.parquet")
        pq.write_table(table.slice(count // 2), folder / "part-1.parquet")
        outputs = dict.fromkeys(("train", "val", "test", "reserve", "unlabelled", "refused"), f"{count}")
        runs.finish(place, runs.StageResult({}, outputs), 0.0)
        return config

    return make


@pytest.fixture(scope="session")
def ray_processes() -> Callable[[str], list[int]]:
    """`ray_processes("ray::Maker")`: ids of the processes of that title which this run's own Ray started."""

    def ours(process: int) -> bool:
        while process > 1:
            if process == os.getpid():
                return True
            try:
                process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                return False
        return False

    def living(title: str) -> list[int]:
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    command = Path(f"/proc/{name}/cmdline").read_bytes()
                except OSError:
                    continue
                if command.startswith(title.encode()) and ours(int(name)):
                    found.append(int(name))
        return sorted(found)

    return living

"""Small tables with everything in them that generators must keep: made up, and the same each time."""

from __future__ import annotations

import numpy as np
import torch

from synth.models.columns import Shape
from synth.models.table_ar import Config, TableAr, build
from synth.tables import neighbours
from synth.tables.tokens import TableTokens, measure
from udfs.table.form import Column, TableForm

FORM = TableForm(
    (
        Column("kind", "category", ("a", "b", "c")),
        Column("size", "number"),
        Column("gain", "integer"),
        Column("age", "integer", low=17, high=90),
        Column("rank", "integer"),
        Column("always", "integer"),
        Column("label", "category", ("no", "yes")),
    ),
    "label",
    "classification",
    ("no", "yes"),
)


def matrix(rows: int, seed: int = 0) -> np.ndarray:
    """float64[N, 7]: quarters, a gain mostly 0, ages with holes, a rank that follows from the kind, a constant."""
    random = np.random.default_rng(seed)
    kind = random.choice(3, rows, p=[0.5, 0.3, 0.2])
    size = np.round((random.normal(kind * 3, 1.0) + 10) * 4) / 4 + random.integers(0, 1000, rows) * 25
    gain = np.where(random.random(rows) < 0.9, 0, random.integers(1, 9000, rows))
    age = np.clip(np.round(random.normal(30 + 8 * kind, 8)), 17, 90)
    age[random.random(rows) < 0.1] = np.nan
    label = (random.random(rows) < 0.2 + 0.3 * kind).astype(float)
    return np.stack([kind, size, gain, age, 10 - 2 * kind, np.full(rows, 5), label], 1).astype(np.float64)


def shape_of(tokens: TableTokens, rows: np.ndarray, most: int = 48) -> Shape:
    """What a model must know of these tokens."""
    return Shape(
        [torch.from_numpy(column.count) for column in tokens.columns],
        [torch.from_numpy(column.positions()) for column in tokens.columns],
        torch.from_numpy(neighbours.choose(tokens.encode(rows), tokens.sizes, most)),
    )


def model_of(rows: np.ndarray, form: TableForm, config: Config, steps: int = 150) -> tuple[TableTokens, TableAr]:
    """A small model, trained a little, and its tokens."""
    torch.manual_seed(0)
    tokens = measure(rows, form)
    model = build(config, shape_of(tokens, rows, config.neighbours))
    (phase,) = model.phases()
    optimiser = torch.optim.AdamW(model.parameters(), config.learning_rate)
    batch = torch.from_numpy(tokens.encode(rows))
    for _ in range(steps):
        loss = phase.module({"tokens": batch[torch.randint(len(batch), (128,))]})["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return tokens, model.eval().requires_grad_(False)

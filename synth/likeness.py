"""How like the real rows a generator's rows are, what they give away, and how well its model gives rows back.

Likeness is measured in the features of a net that was trained on train rows alone, against test rows. The ceiling is
what real rows reach: val rows, which the net has not seen either; of a generator as many rows are looked at, since all
these measures depend on how many there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synth.arms import Pool
from synth.encode import to_tensor
from synth.judges import CnnJudge
from synth.judges.repeatable import one_way
from synth.sampler import Sampler
from udfs import privacy, quality

LEAST_ROWS = 10
MOST_ROWS = 3000  # on either side of a comparison: its cost is their product
BLOCK = 500


def likeness(looker: CnnJudge, made: Pool, real: Pool, count: int) -> dict[str, float] | None:
    """Frechet and kernel distance, precision, recall, density and coverage of `count` made rows at most.

    None where there are too few rows to say.
    """
    count = min(count, MOST_ROWS)
    if min(len(made), len(real), count) < LEAST_ROWS:
        return None
    ours, theirs = looker.features(real.rows.images[:MOST_ROWS]), looker.features(made.rows.images[:count])
    precision, recall = quality.precision_recall(ours, theirs)
    density, coverage = quality.density_coverage(ours, theirs)
    return {
        "rows": len(theirs),
        "frechet": quality.frechet(quality.moments(ours), quality.moments(theirs)),
        "kernel": quality.kernel_distance(ours, theirs),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "spread": quality.spread_ratio(ours, real.rows.labels[: len(ours)], theirs, made.rows.labels[:count]),
    }


def closeness(made: Pool, train: Pool, held_out: Pool) -> dict[str, object] | None:
    """Quantiles of made rows' distances to train rows and to as many held-out rows, and the number of copies."""
    if not len(made) or not len(train):
        return None
    some = made.rows.images[:MOST_ROWS]
    distances, _ = privacy.nearest(some, train.rows.images)
    told: dict[str, object] = {"rows": len(some), "nearest_train": privacy.quantiles(distances)}
    if len(held_out):
        by_itself, _ = privacy.nearest(held_out.rows.images[:MOST_ROWS], train.rows.images)
        as_many = min(len(train), len(held_out))
        told["copies"] = int((distances < privacy.copy_threshold(by_itself)).sum())
        told["nearest_held_out"] = privacy.quantiles(privacy.nearest(some, held_out.rows.images[:as_many])[0])
        told["nearest_train_same_number"] = privacy.quantiles(privacy.nearest(some, train.rows.images[:as_many])[0])
        told["held_out_to_train"] = privacy.quantiles(by_itself)
    return told


def reconstruction(folder: str, asked: Pool, threads: int) -> float | None:
    """Mean squared error (values in 0-1) of rows that the model never saw; None where it cannot give rows back."""
    model = Sampler(folder, threads=threads).model
    if not hasattr(model, "reconstruct") or not len(asked):
        return None
    some = asked.rows
    return float(_errors(model, some.images[:MOST_ROWS], some.labels[:MOST_ROWS], threads).mean())


def _errors(model: Any, images: NDArray[np.uint8], labels: NDArray[np.int64], threads: int) -> NDArray[np.float64]:
    """float64[N]: each image's mean squared error."""
    found = []
    with one_way(threads), torch.inference_mode():
        for at in range(0, len(images), BLOCK):
            batch = to_tensor(images[at : at + BLOCK])
            again = model.reconstruct(batch, torch.from_numpy(labels[at : at + BLOCK]))
            found.append((((again - batch) / 2) ** 2).flatten(1).mean(1).double().numpy())
    return np.concatenate(found)

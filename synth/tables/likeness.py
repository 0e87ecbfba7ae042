"""How like the real rows a generator's rows are, and what they give away, each beside what real rows reach.

The ceiling is what real test rows show in the place of made ones: nothing that a generator makes can be more like the
train rows than other real rows are, and no row comes by itself as near to a train row as a copy does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.arms import Pool
from synth.tables.looks import associations, mean_difference
from synth.tables.nearness import Near, Space
from synth.tables.rows import Numbers, Rows
from udfs import quality
from udfs.table.form import TableForm

LEAST_ROWS = 10
MOST_ROWS = 3000  # on either side of what is compared pair by pair
MOST_ASKED = 10_000  # rows whose nearest neighbours are looked for
SHARES = (0.05, 0.5, 0.95)


def quality_of(made: Rows, train: Rows, test: Rows, form: TableForm) -> dict[str, Any] | None:
    """Precision, recall, density and coverage against test rows, and how far the columns' associations are off.

    None where there are too few rows to say.
    """
    count = min(len(made), len(test), MOST_ROWS)
    if count < LEAST_ROWS:
        return None
    space = Space.of(form.modelled, train.matrix[:MOST_ROWS])
    ours, theirs = (space.as_vectors(space.comparable(rows.matrix[:count])) for rows in (test, made))
    precision, recall = quality.precision_recall(ours, theirs)
    density, coverage = quality.density_coverage(ours, theirs)
    off = mean_difference(associations(form, test.matrix), associations(form, made.matrix))
    return {
        "rows": count,
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "association_difference": off,
    }


def privacy_of(made: Rows, train: Rows, held_out: Rows, form: TableForm) -> dict[str, Any] | None:
    """Distances to the closest train row, and whether made rows lie nearer to train rows than to held-out ones.

    `dcr` are quantiles of the distance to the closest train row, `nndr` of its ratio to the next one's. `dcr_share` is
    the share of rows that lie nearer to a train row than to one of as many held-out rows, ties half: 0.5 where nothing
    is given away. `copies` is the share that equals a train row.
    """
    if min(len(made), len(train), len(held_out)) < LEAST_ROWS:
        return None
    asked = made.matrix[:MOST_ASKED]
    space = Space.of(form.modelled, train.matrix)
    near = space.nearest(asked)
    even = min(len(train), len(held_out))
    to_train = space.among(train.matrix[:even]).nearest(asked).distance
    to_others = space.among(held_out.matrix[:even]).nearest(asked).distance
    return {
        "rows": len(asked),
        "copies": float((near.distance == 0).mean()),
        "dcr": _quantiles(near.distance),
        "nndr": _quantiles(_ratios(near)),
        "dcr_share": float((to_train < to_others).mean() + (to_train == to_others).mean() / 2),
        "of": even,
    }


def _ratios(near: Near) -> Numbers:
    """Distance to the nearest over that to the next; 1 where both are zero."""
    return np.divide(near.distance, near.second, out=np.ones(len(near.distance)), where=near.second > 0)


def _quantiles(values: Numbers) -> dict[str, float]:
    told = np.quantile(values[np.isfinite(values)], SHARES) if np.isfinite(values).any() else np.zeros(len(SHARES))
    return {f"{share:g}": float(value) for share, value in zip(SHARES, told, strict=True)}


def made_by(made: Pool[Rows], maker: str) -> Pool[Rows]:
    """The rows of one maker."""
    return made.take(np.array([at for at, row in enumerate(made.ids) if row.startswith(maker)], np.int64))

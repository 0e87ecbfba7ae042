"""How like the real rows a generator's rows are, and what they give away, each beside what real rows reach.

The ceiling is what real test rows show in the place of made ones: nothing that a generator makes can be more like the
train rows than other real rows are, and no row comes by itself as near to a train row as a copy does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from synth.arms import Pool
from synth.tables.nearness import Space
from synth.tables.rows import Numbers, Rows
from udfs import quality
from udfs.table import privacy
from udfs.table.form import Matrix, TableForm
from udfs.table.quality import association_difference, column_shapes, pair_trends
from udfs.table.statistics import Statistics

LEAST_ROWS = 10
MOST_ROWS = 3000  # on either side of what is compared pair by pair
MOST_ASKED = 5000  # rows whose nearest neighbours are looked for
MOST_COLUMNS = 40  # that are looked at pair by pair
SHARES = (0.05, 0.5, 0.95)


def quality_of(made: Rows, train: Rows, test: Rows, form: TableForm) -> dict[str, Any] | None:
    """Column shapes and pair trends against train rows; precision, recall, density and coverage against test rows.

    Shapes and trends are means over columns and over pairs of the first MOST_COLUMNS; `association_difference` is the
    mean absolute one of these pairs. None where there are too few rows to say.
    """
    count = min(len(made), len(test), MOST_ROWS)
    if count < LEAST_ROWS:
        return None
    space = Space.of(form.modelled, train.matrix[:MOST_ROWS])
    ours, theirs = (space.as_vectors(space.comparable(rows.matrix[:count])) for rows in (test, made))
    precision, recall = quality.precision_recall(ours, theirs)
    density, coverage = quality.density_coverage(ours, theirs)
    return {
        "rows": count,
        **_of_columns(made.matrix, train.matrix, form),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
    }


def _of_columns(made: Matrix, train: Matrix, form: TableForm) -> dict[str, float]:
    """Means over columns, and over pairs of different ones."""
    few = replace(form, columns=form.modelled[:MOST_COLUMNS])
    ours, theirs = train[:, :MOST_COLUMNS], made[:, :MOST_COLUMNS]
    pairs = np.triu_indices(len(few.columns), 1)
    trends = pair_trends(ours, theirs, few)[pairs]
    off = np.abs(association_difference(ours, theirs, few))[pairs]
    return {
        "shapes": float(np.mean(list(column_shapes(train, made, form).values()))),
        "trends": float(np.nanmean(trends)) if np.isfinite(trends).any() else 1.0,
        "association_difference": float(off.mean()) if len(off) else 0.0,
    }


def privacy_of(
    made: Rows, train: Rows, held_out: Rows, form: TableForm, statistics: Statistics
) -> dict[str, Any] | None:
    """Distances to the closest train row, and whether made rows lie nearer to train rows than to held-out ones.

    `dcr` are quantiles of the distance to the closest train row, `nndr` of its ratio to the next one's. `dcr_share` is
    the share of rows that lie nearer to a train row than to one of as many held-out rows, ties half: 0.5 where nothing
    is given away. `copies` is the share that equals a train row.
    """
    even = min(len(train), len(held_out))
    if min(len(made), even) < LEAST_ROWS:
        return None
    asked = made.matrix[:MOST_ASKED]
    near = privacy.nearness(asked, train.matrix, form, statistics)
    return {
        "rows": len(asked),
        "copies": float(privacy.copies(asked, train.matrix).mean()),
        "dcr": _quantiles(near.distance),
        "nndr": _quantiles(near.ratio),
        "dcr_share": privacy.dcr_share(asked, train.matrix[:even], held_out.matrix[:even], form, statistics),
        "of": even,
    }


def _quantiles(values: Numbers) -> dict[str, float]:
    return {f"{share:g}": float(value) for share, value in zip(SHARES, np.quantile(values, SHARES), strict=True)}


def made_by(made: Pool[Rows], maker: str) -> Pool[Rows]:
    """The rows of one maker."""
    return made.take(np.array([at for at, row in enumerate(made.ids) if row.startswith(maker)], np.int64))

"""What is said of each made window: does it look like its label, how near does it lie to train rows, is it a copy?

Nearness is Euclidean over channels scaled by the train rows, as a ratio to what held-out rows show: `distance_ratio` 1
is as far from its nearest train row as the farthest twentieth of held-out rows are. A copy has the values of a train
row, or lies far nearer to one than held-out rows do (udfs/privacy.py). Rows without labels agree with none: null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from conf import Config
from synth.arms import Pool
from synth.labelled.verdicts import holding_nothing, opinions
from synth.series.rows import Judge, Numbers, Rows
from synth.series.scaled import flat, nearest, scale_of, scaled
from synth.verdicts import SCHEMA
from udfs import privacy
from udfs.series.scaling import Scale

FAR_QUANTILE = 0.95  # of held-out rows' distances to train rows: where distance_ratio is 1
LEAST_UNIT = 1e-9
JUDGE = "rocket"  # who says what a window looks like


@dataclass(frozen=True)
class Bench:
    """Who judges, against what: judges of one fold each, train rows scaled and flat, and the unit of distance."""

    judges: Sequence[Judge]
    fold_of: dict[int, int]  # a train row's group -> the judge that has not seen it
    train: Pool[Rows]
    scale: Scale
    known: Numbers
    content: frozenset[bytes]  # of train rows, as `_content` has it
    far_unit: float
    copy_below: float
    max_distance_factor: float


def bench(
    judges: Sequence[Judge], fold_of: dict[int, int], train: Pool[Rows], val: Pool[Rows], config: Config
) -> Bench:
    """Measure on held-out rows how near windows come to train rows by themselves."""
    scale = scale_of(train.rows.windows)
    known = flat(scaled(train.rows.windows, scale))
    apart = nearest(flat(scaled(val.rows.windows, scale)), known)[0]
    unit = float(np.quantile(apart, FAR_QUANTILE)) if len(apart) else 1.0
    factor = config.recipe.gate.max_distance_factor
    content = frozenset(_content(train.rows))
    unit, copy_below = max(unit, LEAST_UNIT), privacy.copy_threshold(apart)
    return Bench(judges, fold_of, train, scale, known, content, unit, copy_below, factor)


def _content(rows: Rows) -> list[bytes]:
    """The values of each window as rows hold them, one zero and one NaN."""
    values = rows.windows.astype(np.float32) + np.float32(0)
    values[np.isnan(values)] = np.nan
    return [each.tobytes() for each in values]


def judge_rows(made: Pool[Rows], against: Bench) -> pa.Table:
    """The verdicts on these rows, and on those that hold nothing, in SCHEMA."""
    rows = made.rows
    distance, place = nearest(flat(scaled(rows.windows, against.scale)), against.known)
    ratio = distance / against.far_unit
    strange = ~np.isin(rows.group_codes(), list(against.fold_of))  # no children of train rows, which lie near them
    copied = np.array([each in against.content for each in _content(rows)], bool)
    copied |= strange & (distance < against.copy_below)
    columns = {
        "row_id": pa.array(made.ids, pa.string()),
        **_opinions(rows, against),
        "nearest_id": pa.array([against.train.ids[each] for each in place.tolist()], pa.string()),
        "nearest_distance": distance,
        "distance_ratio": ratio,
        "is_copy": copied,
        "is_far": ratio > against.max_distance_factor,
        "is_unreadable": np.zeros(len(rows), bool),
    }
    return pa.concat_tables([pa.table(columns, schema=SCHEMA), holding_nothing(made.unreadable)])


def _opinions(rows: Rows, against: Bench) -> dict[str, Any]:
    """`agreement` with the label and the label that judges see; null where there are none."""
    classes = rows.question.classes
    if not classes:
        return {"agreement": pa.nulls(len(rows), pa.float64()), "predicted": pa.nulls(len(rows), pa.string())}
    said = opinions(rows, against.judges, against.fold_of)
    seen = pa.array([classes[code] for code in said.argmax(1)], pa.string())
    return {"agreement": np.minimum(said, rows.shares).sum(1), "predicted": seen}

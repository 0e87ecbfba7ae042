"""What is said of each made row: does it look like its label, how near does it lie to train rows, is it a copy?

Each payload has its own space (`vectors`), and its own distance to the nearest train row in it, as a ratio to what
held-out rows show; the row's `distance_ratio` is that of its farthest payload, so that one that is strange in a single
payload is strange. A copy has all payloads of one train row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from conf import Config
from synth.arms import Pool
from synth.fusion.rows import Judge, Numbers, Payload, Rows
from synth.fusion.vectors import Space, space_of
from synth.labelled.verdicts import holding_nothing, opinions
from synth.series.scaled import nearest
from synth.verdicts import LEAST_STD, SCHEMA
from udfs.image import reject_blank
from udfs.text.near import normal_form

FAR_QUANTILE = 0.95  # of held-out rows' distances to train rows: where distance_ratio is 1
LEAST_UNIT = 1e-3  # of a space's spread: payloads of few values lie on each other
DIMENSIONS = 48
JUDGE = "joint"  # who says what a row looks like


@dataclass(frozen=True)
class Bench:
    """Who judges, against what: judges of one fold each, train rows in each payload's space, and units of distance."""

    judges: Sequence[Judge]
    fold_of: dict[int, int]  # a train row's group -> the judge that has not seen it
    train: Pool[Rows]
    spaces: tuple[Space, ...]
    known: tuple[Numbers, ...]
    units: tuple[float, ...]
    content: frozenset[tuple[bytes, ...]]
    max_distance_factor: float


def bench(
    judges: Sequence[Judge], fold_of: dict[int, int], train: Pool[Rows], val: Pool[Rows], config: Config
) -> Bench:
    """Measure on held-out rows how near rows come to train rows by themselves."""
    spaces = tuple(space_of(name, train.rows, DIMENSIONS) for name in train.rows.payload)
    known = tuple(space(train.rows.payload) for space in spaces)
    units = tuple(_unit(space, own, val.rows) for space, own in zip(spaces, known, strict=True))
    content = frozenset(_content(train.rows))
    factor = config.recipe.gate.max_distance_factor
    return Bench(judges, fold_of, train, spaces, known, units, content, factor)


def _unit(space: Space, known: Numbers, val: Rows) -> float:
    if not len(val):
        return 1.0
    return max(float(np.quantile(nearest(space(val.payload), known)[0], FAR_QUANTILE)), LEAST_UNIT)


def _content(rows: Rows) -> list[tuple[bytes, ...]]:
    """Each row's payloads as bytes by which rows are copies."""
    parts = [_bytes_of(name, rows.payload, rows) for name in rows.payload]
    return list(zip(*parts, strict=True)) if parts else []


def _bytes_of(name: str, payload: Payload, rows: Rows) -> list[bytes]:
    if name == "text":
        return [normal_form(text).encode() for text in payload[name]]
    values = payload[name]
    if name == "table" and rows.question.cells is not None:
        values = rows.question.cells.cells(values)
    if values.dtype != np.uint8:
        values = values.astype(np.float32) + np.float32(0)
        values[np.isnan(values)] = np.nan
    return [np.ascontiguousarray(each).tobytes() for each in values]


def judge_rows(made: Pool[Rows], against: Bench) -> pa.Table:
    """The verdicts on these rows, and on those that hold nothing, in SCHEMA."""
    rows, classes = made.rows, made.rows.question.classes
    said = opinions(rows, against.judges, against.fold_of)
    found = [nearest(space(rows.payload), own) for space, own in zip(against.spaces, against.known, strict=True)]
    ratios = np.stack([apart / unit for (apart, _), unit in zip(found, against.units, strict=True)])
    distance, place = _together(rows, against)
    blank = [False] * len(rows)
    if "image" in rows.payload and len(rows):
        blank = [reason is not None for reason in reject_blank(rows.payload["image"], min_std=LEAST_STD)]
    columns = {
        "row_id": pa.array(made.ids, pa.string()),
        "agreement": np.minimum(said, rows.shares).sum(1),
        "predicted": pa.array([classes[code] for code in said.argmax(1)], pa.string()),
        "nearest_id": pa.array([against.train.ids[each] for each in place.tolist()], pa.string()),
        "nearest_distance": distance,
        "distance_ratio": ratios.max(0),
        "is_copy": pa.array([each in against.content for each in _content(rows)], pa.bool_()),
        "is_far": ratios.max(0) > against.max_distance_factor,
        "is_unreadable": pa.array(blank, pa.bool_()),
    }
    return pa.concat_tables([pa.table(columns, schema=SCHEMA), holding_nothing(made.unreadable)])


def _together(rows: Rows, against: Bench) -> tuple[Numbers, np.ndarray]:
    """(distance, place) of the nearest train row by all payloads together, each in its own unit."""
    asked = np.concatenate([space(rows.payload) / u for space, u in zip(against.spaces, against.units, strict=True)], 1)
    known = np.concatenate([own / u for own, u in zip(against.known, against.units, strict=True)], 1)
    return nearest(asked, known)

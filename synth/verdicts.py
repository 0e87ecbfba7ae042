"""What judges say of each made row: does it look like its label, and how near does it lie to real rows?

Agreement is what judges and label share: the judges' probability of the label, or for a soft label one minus the
total variation distance. Likeness is distance in a net's features, as a ratio to what held-out rows show:
`distance_ratio` 1 is as far from its nearest train row as the farthest twentieth of held-out rows are. Copies are
looked for in the pixels themselves (udfs/privacy.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf import Config
from conf.schema import Gate
from synth.arms import Pool, merged, parents_of, to_pool
from synth.judges import CnnJudge, Judge, Rows
from udfs import privacy, records
from udfs.image import reject_blank
from udfs.quality import square_distances

Numbers = NDArray[np.float64]
FAR_QUANTILE = 0.95  # of held-out rows' distances to train rows: where distance_ratio is 1
FAR_REFERENCES = 4000  # train rows that features are compared with, of the lowest hashes
LEAST_STD = 0.5  # grey levels: an image flatter than this shows nothing
BLOCK = 2000  # rows whose features are held at a time
PART_BYTES = 64 << 20  # of decoded pixels at a time

SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("agreement", pa.float64()),
        pa.field("predicted", pa.string()),
        pa.field("nearest_id", pa.string()),
        pa.field("nearest_distance", pa.float64()),
        pa.field("distance_ratio", pa.float64()),
        pa.field("is_copy", pa.bool_()),
        pa.field("is_far", pa.bool_()),
        pa.field("is_unreadable", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Bench:
    """Who judges, against what: judges of one fold each, train rows, and the distances at which a row is a copy or is
    far.
    """

    judges: Sequence[Judge]
    fold_of: dict[int, int]  # a train row's group -> the judge that has not seen it
    looker: CnnJudge
    train: Pool
    features: Numbers  # of the first FAR_REFERENCES train rows
    copy_below: float
    far_unit: float
    max_distance_factor: float
    labels: Sequence[str]


def bench(judges: Sequence[CnnJudge], fold_of: dict[int, int], train: Pool, val: Pool, config: Config) -> Bench:
    """Measure on held-out rows how near rows come to train rows by themselves."""
    looker = judges[0]
    features = looker.features(train.rows.images[:FAR_REFERENCES])
    apart = _feature_distance(looker, features, val.rows)
    unit = float(np.quantile(apart, FAR_QUANTILE)) if len(apart) else np.inf
    held_out, _ = privacy.nearest(val.rows.images, train.rows.images)
    factor = config.recipe.gate.max_distance_factor
    below = privacy.copy_threshold(held_out)
    return Bench(judges, fold_of, looker, train, features, below, max(unit, 1e-9), factor, config.recipe.labels)


def judge_all(table: pa.Table, against: Bench, config: Config) -> tuple[pa.Table, Pool]:
    """The verdicts on a staged file's rows, sorted by id, and the rows that passed; decoded part by part."""
    form, parents = config.recipe.image, parents_of(against.train)
    step = max(1, PART_BYTES // (form.height * form.width * form.channels))
    told, passed = [SCHEMA.empty_table()], []
    for at in range(0, table.num_rows, step):
        pool = to_pool(table.slice(at, step), config, parents)
        judged = judge_rows(pool, against)
        told += [judged, unreadable(pool.unreadable)]
        passed.append(pool.take(np.flatnonzero(passing(judged, config.recipe.gate))))
    whole = pa.concat_tables(told)
    return whole.take(pc.sort_indices(whole.column("row_id"))), merged(passed, config)


def judge_rows(made: Pool, against: Bench) -> pa.Table:
    """The verdicts on these rows, in SCHEMA."""
    rows = made.rows
    strange = ~np.isin(
        rows.group_codes(), list(against.fold_of)
    )  # not children of train rows, which are near them anyway
    said = opinions(rows, against)
    distance, place = privacy.nearest(rows.images, against.train.rows.images)
    ratio = _feature_distance(against.looker, against.features, rows) / against.far_unit
    columns = {
        "row_id": made.ids,
        "agreement": np.minimum(said, targets(rows, len(against.labels))).sum(1),
        "predicted": [against.labels[code] for code in said.argmax(1)],
        "nearest_id": [against.train.ids[each] for each in place],
        "nearest_distance": distance,
        "distance_ratio": ratio,
        "is_copy": (distance < against.copy_below) & strange,
        "is_far": ratio > against.max_distance_factor,
        "is_unreadable": [reason is not None for reason in reject_blank(rows.images, min_std=LEAST_STD)],
    }
    return pa.table(columns, schema=SCHEMA)


def unreadable(ids: Sequence[str]) -> pa.Table:
    """The verdicts on rows that cannot even be decoded, in SCHEMA."""
    columns = {
        "row_id": list(ids),
        "is_unreadable": [True] * len(ids),
        "is_copy": [False] * len(ids),
        "is_far": [False] * len(ids),
    }
    return records.conform(pa.table(columns), SCHEMA)


def passing(told: pa.Table, gate: Gate) -> NDArray[np.bool_]:
    """bool[N]: the rows that nothing speaks against, before the question whether rows like them are of use."""
    flags = {name: told.column(name).to_numpy() for name in ("is_unreadable", "is_far", "is_copy", "agreement")}
    refused = flags["is_unreadable"] | flags["is_far"] | (flags["agreement"] < gate.min_label_agreement)
    return ~(refused | flags["is_copy"] if gate.copies == "quarantine" else refused)


def targets(rows: Rows, classes: int) -> Numbers:
    """float64[N, classes]: soft labels, or hard ones as ones."""
    return np.eye(classes)[rows.labels] if rows.soft is None else rows.soft


def opinions(rows: Rows, against: Bench) -> Numbers:
    """float64[N, labels]: what the judges say, on average; a child of a train row is judged by the one that has not
    seen its parent.
    """
    own = np.array([against.fold_of.get(group, -1) for group in rows.group_codes().tolist()], np.int64)
    said = np.zeros((len(rows), len(against.labels)))
    for place, judge in enumerate(against.judges):
        asked = np.flatnonzero((own == place) | (own < 0))
        weight = np.where(own[asked] < 0, 1 / len(against.judges), 1.0)
        said[asked] += judge.predict_proba(rows.images[asked]) * weight[:, None]
    return said


def _feature_distance(looker: CnnJudge, references: Numbers, rows: Rows) -> Numbers:
    """float64[N]: distance to the nearest reference in the net's features."""
    blocks = [looker.features(rows.images[at : at + BLOCK]) for at in range(0, len(rows), BLOCK)]
    return np.sqrt(np.concatenate([square_distances(block, references).min(1) for block in blocks] or [np.zeros(0)]))

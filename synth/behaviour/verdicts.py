"""What is said of each made user: how near their items lie to a train user's, and whether they are a copy.

Nearness is Jaccard's, of the sets of items: `distance_ratio` 1 is as far from the nearest train user as the farthest
twentieth of held-out users are. A copy has a train user's items in their order, or lies far nearer to one than
held-out users do (udfs/privacy.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from conf import Config
from synth.arms import Pool
from synth.behaviour.judges.vectors import had
from synth.behaviour.rows import Codes, Items, Numbers, Rows
from synth.labelled.verdicts import holding_nothing
from synth.verdicts import SCHEMA
from udfs import privacy

FAR_QUANTILE = 0.95  # of held-out users' distances to train users: where distance_ratio is 1
BLOCK = 256  # users whose distances to all train users are held at a time


@dataclass(frozen=True)
class Known:
    """Users by the sets of their items, to be asked for the nearest one."""

    catalogue: Items
    vectors: csr_matrix
    sizes: Numbers

    @classmethod
    def of(cls, rows: Rows) -> Known:
        """These users."""
        catalogue = np.unique(np.concatenate([np.zeros(0, np.uint64), *rows.items]))
        return cls(catalogue, had(rows.items, catalogue), sizes_of(rows))

    def nearest(self, rows: Rows) -> tuple[Numbers, Codes]:
        """(distance, place) of each row's nearest known user."""
        distances, places = np.ones(len(rows)), np.zeros(len(rows), np.int64)
        sizes, turned = sizes_of(rows), self.vectors.T.tocsc()
        for at in range(0, len(rows), BLOCK):
            shared = (had(rows.items[at : at + BLOCK], self.catalogue) @ turned).toarray()
            apart = 1 - shared / (sizes[at : at + BLOCK, None] + self.sizes[None] - shared)
            places[at : at + BLOCK], distances[at : at + BLOCK] = apart.argmin(1), apart.min(1)
        return distances, places


@dataclass(frozen=True)
class Bench:
    """Against what made users are held: train users, their items, and the distances at which one is a copy or far."""

    train: Pool[Rows]
    known: Known
    content: frozenset[bytes]
    copy_below: float
    far_unit: float
    max_distance_factor: float


def bench(train: Pool[Rows], val: Pool[Rows], config: Config) -> Bench:
    """Measure on held-out users how near users come to train users by themselves."""
    known = Known.of(train.rows)
    apart = known.nearest(val.rows)[0]
    unit = max(float(np.quantile(apart, FAR_QUANTILE)), 1e-9) if len(apart) else 1.0
    content = frozenset(each.tobytes() for each in train.rows.items)
    factor = config.recipe.gate.max_distance_factor
    return Bench(train, known, content, privacy.copy_threshold(apart), unit, factor)


def judge_rows(made: Pool[Rows], against: Bench) -> pa.Table:
    """The verdicts on these rows, and on those that hold nothing, in SCHEMA."""
    rows = made.rows
    distance, place = against.known.nearest(rows)
    same = np.array([each.tobytes() in against.content for each in rows.items], bool)
    strange = ~np.isin(rows.groups, against.train.rows.groups)  # no children of train rows, which lie near them
    ratio = distance / against.far_unit
    columns: dict[str, Any] = {
        "row_id": pa.array(made.ids, pa.string()),
        "agreement": pa.nulls(len(rows), pa.float64()),
        "predicted": pa.nulls(len(rows), pa.string()),
        "nearest_id": pa.array([against.train.ids[each] for each in place.tolist()], pa.string()),
        "nearest_distance": distance,
        "distance_ratio": ratio,
        "is_copy": same | strange & (distance < against.copy_below),
        "is_far": ratio > against.max_distance_factor,
        "is_unreadable": np.zeros(len(rows), bool),
    }
    return pa.concat_tables([pa.table(columns, schema=SCHEMA), holding_nothing(made.unreadable)])


def sizes_of(rows: Rows) -> Numbers:
    """float64[N]: how many different items each user has."""
    return np.array([len(np.unique(each)) for each in rows.items], np.float64)


def closeness(made: Rows, train: Rows, held_out: Rows) -> dict[str, object] | None:
    """Quantiles of made users' distances to train users and to as many held-out ones, and the number of copies."""
    if not len(made) or not len(train):
        return None
    to_train = Known.of(train).nearest(made)[0]
    told: dict[str, object] = {"rows": len(made), "nearest_train": privacy.quantiles(to_train)}
    if len(held_out):
        by_itself, as_many = Known.of(train).nearest(held_out)[0], min(len(train), len(held_out))
        told["copies"] = int((to_train < privacy.copy_threshold(by_itself)).sum())
        told |= {
            "nearest_held_out": privacy.quantiles(_to(held_out, as_many, made)),
            "nearest_train_same_number": privacy.quantiles(_to(train, as_many, made)),
            "held_out_to_train": privacy.quantiles(by_itself),
        }
    return told


def _to(known: Rows, count: int, made: Rows) -> Numbers:
    """Distances to the first `count` of these users, whose order is random."""
    return Known.of(known.take(np.arange(count))).nearest(made)[0]

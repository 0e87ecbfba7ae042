"""Verdicts on made rows, the part that is alike for all rows of one payload and a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.schema import Gate
from synth.verdicts import SCHEMA
from udfs import records

Numbers = NDArray[np.float64]


def opinions(rows: Any, judges: Sequence[Any], fold_of: Mapping[int, int]) -> Numbers:
    """float64[N, classes]: what the judges say, on average; a child of a train row is judged by the one that has not
    seen its parent: `fold_of` says which that is, by the parent's group.
    """
    own = np.array([fold_of.get(group, -1) for group in rows.group_codes().tolist()], np.int64)
    said = np.zeros((len(rows), len(rows.question.classes)))
    for place, judge in enumerate(judges):
        asked = np.flatnonzero((own == place) | (own < 0))
        if len(asked):
            weight = np.where(own[asked] < 0, 1 / len(judges), 1.0)
            said[asked] += judge.predict(rows.take(asked).payload) * weight[:, None]
    return said


def holding_nothing(ids: Sequence[str]) -> pa.Table:
    """The verdicts on rows that hold nothing, in SCHEMA."""
    flags = {"is_unreadable": [True] * len(ids), "is_copy": [False] * len(ids), "is_far": [False] * len(ids)}
    columns = {"row_id": pa.array(list(ids), pa.string()), **{n: pa.array(v, pa.bool_()) for n, v in flags.items()}}
    return records.conform(pa.table(columns), SCHEMA)


def passing(told: pa.Table, synthetic: NDArray[np.bool_], gate: Gate) -> NDArray[np.bool_]:
    """bool[N]: the rows that nothing speaks against, before the question whether rows like them are of use.

    Labels and copies are asked of synthetic rows alone: steps keep the label, and a row that no step changed is its
    parent's.
    """
    flags = {name: told.column(name).to_numpy() for name in ("is_unreadable", "is_far", "is_copy", "agreement")}
    strange = flags["agreement"] < gate.min_label_agreement
    copies = flags["is_copy"] if gate.copies == "quarantine" else np.zeros(len(synthetic), bool)
    return ~(flags["is_unreadable"] | flags["is_far"] | (synthetic & (strange | copies)))

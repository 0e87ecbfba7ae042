"""What a mixed row says of its two parents."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs import records

Floats = NDArray[np.float64]


def mixed_lineage(batch: pa.RecordBatch, own: Floats) -> dict[str, pa.Array]:
    """Ids, parents and labels of rows of which a share `own` is the first parent's, the rest the partner's.

    Where labels differ, `soft_label` has both by their shares and `label` the one of the larger share.
    """
    names_in = batch.schema.names
    none = pa.nulls(batch.num_rows)
    labels = batch.column("label") if "label" in names_in else none
    softs = batch.column("soft_label") if "soft_label" in names_in else none
    mixed, soft = mixed_labels(labels, batch.column("partner_label"), softs, own)
    out = mixed_parents(batch, own) | {"soft_label": soft}
    return out | ({"label": mixed} if "label" in names_in else {})


def mixed_parents(batch: pa.RecordBatch, own: Floats) -> dict[str, pa.Array]:
    """Ids and parents of rows of which a share `own` is the first parent's, the rest that of `partner_id`."""
    ids, parents = batch.column("row_id").to_pylist(), batch.column("row_parents").to_pylist()
    partner_ids = batch.column("partner_id").to_pylist()
    for row in np.flatnonzero(own < 1).tolist():
        parents[row] = [parents[row][0], partner_ids[row]]
        ids[row] = records.child_id(ids[row][: records.MAKER_HEX], parents[row])
    return {"row_id": pa.array(ids, pa.string()), "row_parents": pa.array(parents, pa.list_(pa.string()))}


def mixed_labels(given: pa.Array, partners: pa.Array, softs: pa.Array, own: Floats) -> tuple[pa.Array, pa.Array]:
    """(labels as strings, soft labels) of rows that have their `given` label, and soft one if any, by a share `own`."""
    labels, others, blends = given.to_pylist(), partners.to_pylist(), softs.to_pylist()
    for row in np.flatnonzero(own < 1).tolist():
        blends[row] = _blended_label(blends[row], labels[row], others[row], float(own[row]))
        if blends[row] is not None:
            labels[row] = max(blends[row] or [], key=lambda pair: (pair[1], pair[0] == labels[row]))[0]
    return pa.array(labels, pa.string()), pa.array(blends, pa.map_(pa.string(), pa.float64()))


def _blended_label(
    soft: list[tuple[str, float]] | None, label: str | None, other: str | None, own: float
) -> list[tuple[str, float]] | None:
    """The shares of the labels, in the order of their names; null where one label has it all."""
    shares: dict[str, float] = {}
    for name, part in soft or ([(label, 1.0)] if label is not None else []):
        shares[name] = shares.get(name, 0.0) + part * own
    if other is not None:
        shares[other] = shares.get(other, 0.0) + 1 - own
    return sorted(shares.items()) if len(shares) > 1 else soft

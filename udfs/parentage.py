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
    ids, parents = batch.column("row_id").to_pylist(), batch.column("row_parents").to_pylist()
    labels = batch.column("label").to_pylist() if "label" in names_in else [None] * len(ids)
    softs = batch.column("soft_label").to_pylist() if "soft_label" in names_in else [None] * len(ids)
    partner_ids, partner_labels = batch.column("partner_id").to_pylist(), batch.column("partner_label").to_pylist()
    for row in np.flatnonzero(own < 1).tolist():
        parents[row] = [parents[row][0], partner_ids[row]]
        ids[row] = records.child_id(ids[row][: records.MAKER_HEX], parents[row])
        softs[row] = _blended_label(softs[row], labels[row], partner_labels[row], float(own[row]))
        if softs[row] is not None:
            labels[row] = max(softs[row] or [], key=lambda pair: (pair[1], pair[0] == labels[row]))[0]
    out = {
        "row_id": pa.array(ids, pa.string()),
        "row_parents": pa.array(parents, pa.list_(pa.string())),
        "soft_label": pa.array(softs, pa.map_(pa.string(), pa.float64())),
    }
    return out | ({"label": pa.array(labels, pa.string())} if "label" in names_in else {})


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

"""Some children of augment with what each step made of them, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from conf import Config, runs
from conf.runs import Done
from jobs import report_rows as rows
from jobs.augment import compiled
from jobs.ways import way_of


def explained(
    config: Config, dones: Mapping[str, Done], train: str, payload: rows.Payload, most: int
) -> tuple[pa.RecordBatch | None, list[list[dict[str, Any]]]]:
    """(the children as they were before the first step, of each what each step made of it); `most` at most, of the
    lowest hashes. None and nothing where there are none, or their parents are gone.
    """
    some = rows.chosen(f"{dones['augment'].folder}/rows", most, ("row_origin",), payload)
    parents = rows.by_id([train], sorted({parent for row in some for parent in row.parents}), payload)
    known = {each.id: {**each.cells, "image": each.image, "soft_label": None} for each in parents}
    child_batch = way_of(config.recipe, "again").child_batch
    batches = [
        child_batch(config.recipe, {"row_id": row.id, "row_parents": list(row.parents)}, known)
        for row in some
        if all(parent in known for parent in row.parents)
    ]
    augment = runs.augment_of(config)
    if not batches or augment is None:
        return None, []
    whole = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
    return whole, [each["steps"] for each in compiled(config, augment).explain(whole, config.recipe.seed)]

"""Which users a recipe asks for, and who makes them."""

from __future__ import annotations

import pyarrow as pa

from conf import Config
from conf.schema import Generate
from synth.behaviour.sampler import BLOCK, Sampler
from synth.encode import read_rows
from synth.labelled.sampling import near, shard_rows

ANY = ""  # users have no label

__all__ = ["BLOCK", "Sampler", "near", "planned", "repeated", "shard_rows"]


def planned(config: Config, generator: Generate, folder: str) -> dict[str, int]:
    """So many users, by the plan and the train rows in `folder`."""
    rows, there = generator.rows, read_rows(folder, []).num_rows
    if rows.factor is not None:
        return {ANY: round(rows.factor * there)}
    return {ANY: there if rows.total is None else rows.total}


def repeated(table: pa.Table) -> list[str]:
    """Columns of few values, which files hold as dictionaries."""
    return ["row_origin", "row_split", "row_label_source"]

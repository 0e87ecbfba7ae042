"""Sets of users for recommenders, read from stage folders, bounded by hash: the same rows whatever the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf import Config
from synth.arms import Pool, groups_of, in_hash_order, lowest
from synth.behaviour.rows import Rows, joined, nobody
from synth.encode import list_files
from udfs import hashing

COLUMNS = ("row_origin", "row_parents", "row_label_source", "row_group", "items", "ratings", "times")


def row_bound(config: Config) -> int:
    """How many rows a set may have."""
    return config.recipe.evaluate.max_rows


def _attributes(config: Config) -> list[str]:
    form = config.recipe.behaviour
    return list(form.attributes) if form else []


def real_pool(folder: str, split: str, config: Config) -> Pool[Rows]:
    """The real rows of a split, of a stage's `rows` folder; none where there is no such split."""
    return read_pool(list_files(f"{folder}/rows/row_split={split}"), config, {})


def read_pool(
    files: Sequence[str], config: Config, parents: Mapping[str, int], origin: str | None = None
) -> Pool[Rows]:
    """Rows of these files, those of the lowest hashes, of one origin where asked.

    `parents` tells real rows' groups, so that children join them.
    """
    table, total = lowest(files, (*COLUMNS, *_attributes(config)), row_bound(config), origin=origin)
    return replace(to_pool(table, config, parents), total=total) if table is not None else empty_pool(config)


def to_pool(table: pa.Table, config: Config, parents: Mapping[str, int]) -> Pool[Rows]:
    """The rows of a table; those without events are named in `unreadable`."""
    ids = table.column("row_id").to_pylist()
    sizes = pc.fill_null(pc.list_value_length(table.column("items")), 0).to_numpy().astype(np.int64)
    good = sizes > 0
    bad = tuple(row for row, fine in zip(ids, good, strict=True) if not fine)
    table, sizes = table.filter(pa.array(good)), sizes[good]
    cuts = np.cumsum(sizes)[:-1]
    flat = {name: table.column(name).combine_chunks().flatten() for name in ("items", "ratings", "times")}
    parts = (
        hashing.cell_words(flat["items"]),
        flat["ratings"].to_numpy(zero_copy_only=False).astype(np.float64),
        flat["times"].to_numpy(zero_copy_only=False).astype(np.int64),
    )
    split = [tuple(np.split(each, cuts)) if len(sizes) else () for each in parts]
    real = np.array(table.column("row_origin").to_pylist()) == "real"
    traits = {name: np.array(table.column(name).to_pylist(), object) for name in _attributes(config)}
    groups, real = groups_of(table, parents), real.astype(bool).reshape(len(sizes))
    rows = Rows(split[0], split[1], split[2], groups, real, traits)
    return Pool(table.column("row_id").to_pylist(), rows, len(good), bad)


def empty_pool(config: Config) -> Pool[Rows]:
    """No rows."""
    nothing = {name: np.zeros(0, object) for name in _attributes(config)}
    return Pool([], replace(nobody(), traits=nothing), 0)


def merged(pools: Sequence[Pool[Rows]], config: Config) -> Pool[Rows]:
    """The rows of several pools, in the order of their hashes."""
    return in_hash_order(pools, joined) if any(map(len, pools)) else empty_pool(config)

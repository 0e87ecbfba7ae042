"""Sets of texts for judges, read from stage folders, bounded by hash: the same rows whatever the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from conf import Config
from synth.arms import Pool, groups_of, in_hash_order, lowest, soft_labels
from synth.encode import list_files, to_codes
from synth.texts.rows import Question, Rows, joined

COLUMNS = ("row_origin", "row_parents", "row_label_source", "row_group", "label", "soft_label", "text")


def row_bound(config: Config) -> int:
    """How many rows a set may have."""
    return config.recipe.evaluate.max_rows


def real_pool(folder: str, split: str, config: Config) -> Pool[Rows]:
    """The real rows of a split, of a stage's `rows` folder; none where there is no such split."""
    return read_pool(list_files(f"{folder}/rows/row_split={split}"), config, {})


def read_pool(
    files: Sequence[str], config: Config, parents: Mapping[str, int], origin: str | None = None
) -> Pool[Rows]:
    """Rows of these files, those of the lowest hashes, of one origin where asked.

    `parents` tells real rows' groups, so that children join them.
    """
    table, total = lowest(files, COLUMNS, row_bound(config), origin=origin)
    return replace(to_pool(table, config, parents), total=total) if table is not None else empty_pool(config)


def to_pool(table: pa.Table, config: Config, parents: Mapping[str, int]) -> Pool[Rows]:
    """The rows of a table; those without a text are named in `unreadable`."""
    labels = config.recipe.labels
    texts = table.column("text").to_pylist()
    good = np.array([text is not None and bool(text.strip()) for text in texts], bool)
    ids = table.column("row_id").to_pylist()
    bad = tuple(row for row, fine in zip(ids, good, strict=True) if not fine)
    table = table.filter(pa.array(good))
    real = np.array(table.column("row_origin").to_pylist()) == "real"
    rows = Rows(
        tuple(table.column("text").to_pylist()),
        to_codes(table, labels),
        Question(tuple(labels)),
        soft_labels(table, labels),
        groups_of(table, parents),
        real,
    )
    return Pool(table.column("row_id").to_pylist(), rows, len(good), bad)


def empty_pool(config: Config) -> Pool[Rows]:
    """No rows."""
    return Pool([], Rows((), np.zeros(0, np.int64), Question(tuple(config.recipe.labels))), 0)


def merged(pools: Sequence[Pool[Rows]], config: Config) -> Pool[Rows]:
    """The rows of several pools, in the order of their hashes."""
    return in_hash_order(pools, joined) if any(map(len, pools)) else empty_pool(config)

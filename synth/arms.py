"""Sets of rows that judges learn from or are asked about, read from stage folders, bounded by hash.

A bound keeps the rows of lowest hash (the second part of the row id), file by file: the same rows whatever the files,
and never more in memory than the bound and one file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf import Config
from conf.errors import StageError
from synth.encode import in_random_order, list_files, read_rows, to_codes
from synth.judges import Rows, joined
from udfs.image import decode
from udfs.records import MAKER_HEX, WHICH_HEX, which

MAX_BYTES = 512 << 20  # of decoded pixels in one set: large images bound the rows before `max_rows` does
COLUMNS = ("row_origin", "row_parents", "row_label_source", "row_group", "label", "soft_label", "image")
Places = NDArray[np.int64]


class Takeable(Protocol):
    """Rows of any modality."""

    def take(self, places: Places) -> Self:
        """Some of the rows."""


R = TypeVar("R", bound=Takeable)


@dataclass(frozen=True)
class Pool(Generic[R]):
    """Rows with their ids, in the order of their hashes.

    `total` counts the rows that the bound left out, too; `unreadable` names those that cannot be decoded, which are in
    neither `ids` nor `rows`.
    """

    ids: list[str]
    rows: R
    total: int
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, places: Places) -> Pool[R]:
        """Some of the rows."""
        return Pool([self.ids[place] for place in places], self.rows.take(places), len(places))

    def below(self, cut: str | None) -> Places:
        """Places of the rows whose hash lies below `cut` (None: all)."""
        if cut is None:
            return np.arange(len(self.ids))
        return np.array([place for place, each in enumerate(self.ids) if each[MAKER_HEX:] < cut], np.int64)


def row_bound(config: Config) -> int:
    """How many rows a set may have."""
    form = config.recipe.image
    return max(1, min(config.recipe.evaluate.max_rows, MAX_BYTES // (form.height * form.width * form.channels)))


def cut_at(share: float) -> str | None:
    """The hash below which `share` of all rows lie; None for all of them."""
    if share >= 1:
        return None
    return f"{int(max(share, 0.0) * 16**WHICH_HEX):0{WHICH_HEX}x}"


def real_pool(folder: str, split: str, config: Config, labelled: bool | None = None) -> Pool:
    """The real rows of a split, of a stage's `rows` folder; none where there is no such split.

    `labelled` asks for those that judges labelled (true) or for the others.

    Raises StageError for one that cannot be decoded: real rows have been cleaned.
    """
    pool = read_pool(list_files(f"{folder}/rows/row_split={split}"), config, {}, labelled=labelled)
    if pool.unreadable:
        raise StageError(f"row {pool.unreadable[0]} in {folder} cannot be decoded. Run clean again.")
    return pool


def read_pool(
    files: Sequence[str],
    config: Config,
    parents: Mapping[str, int],
    origin: str | None = None,
    labelled: bool | None = None,
) -> Pool:
    """Rows of these files, those of the lowest hashes; of one origin, or labelled by judges or not, where asked.

    `parents` tells real rows' groups, so that children join them.
    """
    kept, total = lowest(files, COLUMNS, row_bound(config), origin, labelled)
    return empty_pool(config) if kept is None else replace(to_pool(kept, config, parents), total=total)


def lowest(
    files: Sequence[str],
    columns: Sequence[str],
    bound: int,
    origin: str | None = None,
    labelled: bool | None = None,
) -> tuple[pa.Table | None, int]:
    """(the `bound` rows of lowest hash in their order, how many there are in all); None where there are no files."""
    kept: pa.Table | None = None
    total = 0
    for file in files:
        table = read_rows([file], columns)
        if origin is not None:
            table = table.filter(pc.equal(table.column("row_origin"), origin))
        if labelled is not None:
            by_judges = pc.fill_null(pc.equal(table.column("row_label_source"), "model"), False)
            table = table.filter(by_judges if labelled else pc.invert(by_judges))
        total += table.num_rows
        kept = in_random_order(table if kept is None else pa.concat_tables([kept, table])).slice(0, bound)
    return kept, total


def to_pool(table: pa.Table, config: Config, parents: Mapping[str, int]) -> Pool:
    """The rows of a table, decoded."""
    form, labels = config.recipe.image, config.recipe.labels
    images, reasons = decode(table.column("image").to_pylist(), form.height, form.width, form.channels)
    good = np.array([reason is None for reason in reasons], bool)
    bad = tuple(row for row, fine in zip(table.column("row_id").to_pylist(), good, strict=True) if not fine)
    table = table.filter(pa.array(good))
    if not table.num_rows:
        return replace(empty_pool(config), total=len(good), unreadable=bad)
    real = np.array(table.column("row_origin").to_pylist()) == "real"
    soft, groups = soft_labels(table, labels), groups_of(table, parents)
    rows = Rows(np.asarray(images), to_codes(table, labels), soft, groups, real)
    return Pool(table.column("row_id").to_pylist(), rows, len(good), bad)


def empty_pool(config: Config) -> Pool:
    """No rows."""
    form = config.recipe.image
    return Pool([], Rows(np.zeros((0, form.height, form.width, form.channels), np.uint8), np.zeros(0, np.int64)), 0)


def merged(pools: Sequence[Pool], config: Config) -> Pool:
    """The rows of several pools, in the order of their hashes."""
    if not any(map(len, pools)):
        return empty_pool(config)
    return in_hash_order(pools, lambda parts: joined(parts, len(config.recipe.labels)))


def in_hash_order(pools: Sequence[Pool[R]], join: Callable[[list[R]], R]) -> Pool[R]:
    """The rows of several pools of which one has some, in the order of their hashes, joined by `join`."""
    ids = [row for pool in pools for row in pool.ids]
    rows = join([pool.rows for pool in pools if len(pool)])
    order = np.argsort(np.array([row[MAKER_HEX:] + row[:MAKER_HEX] for row in ids]), kind="stable")
    return replace(Pool(ids, rows, 0).take(order), total=sum(pool.total for pool in pools))


def soft_labels(table: pa.Table, labels: Sequence[str]) -> NDArray[np.float64] | None:
    """float64[N, labels]: soft labels, one-hot where a row has none; None where no row has any."""
    column = table.column("soft_label")
    if column.null_count == len(column):
        return None
    places = {label: place for place, label in enumerate(labels)}
    soft = np.eye(len(labels))[to_codes(table, labels)]
    for row, value in enumerate(column.to_pylist()):
        if value:
            soft[row] = 0
            for label, share in value:
                soft[row, places[label]] += share
    return soft


def groups_of(table: pa.Table, parents: Mapping[str, int]) -> Places:
    """int64[N]: the same for rows that stem from one real row or group."""
    columns = (table.column(name).to_pylist() for name in ("row_id", "row_group", "row_parents"))
    told = zip(*columns, strict=True)
    return np.array([_group(row, group, made_of or [], parents) for row, group, made_of in told], np.int64)


def _group(row: str, group: str | None, made_of: Sequence[str], parents: Mapping[str, int]) -> int:
    if group is not None:  # a mismatch is made of two rows, and belongs to its image's: a group, or the first of them
        return _code(group if group in made_of else f"group {group}")
    return parents.get(made_of[0], _code(made_of[0])) if made_of else _code(row)


def _code(key: str) -> int:
    """60 bits of the key's hash."""
    return int(which(key)[:15], 16)


def parents_of(pool: Pool) -> dict[str, int]:
    """Each row's group, by id: what `read_pool` needs for its children."""
    return dict(zip(pool.ids, pool.rows.group_codes().tolist(), strict=True))

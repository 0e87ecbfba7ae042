"""Who is mixed with whom: partners chosen by identity, so that any partitioning chooses the same.

`any` and `same_label`: for every copy the rows stand in a ring in the order of a hash of the child's id, and each has
the next one as its partner; so a row that comes or goes changes one partner a copy. `nearest`: copy k takes the k-th
nearest row of the class, in turn among the first few, by the distance of their views: small pictures, or places in the
space of a table's columns. `borderline`: the same, for the rows alone that lie among rows of other labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs import records
from udfs.children import AnyCompiled
from udfs.rng import RowRandom
from udfs.table.space import borderline

Places = NDArray[np.int64]
NEIGHBOURS = 5
BLOCK_ROWS = 1024  # of distances at a time
BY_VIEW = ("nearest", "borderline")
PAIRS = pa.schema([pa.field("row_id", pa.string()), pa.field("copy", pa.int32()), pa.field("partner_id", pa.string())])


@dataclass(frozen=True)
class Chooser:
    """Partners for the children of one group of rows (a class, a part of one, or all rows)."""

    compiled: AnyCompiled
    makers: tuple[str, ...]
    seed: int
    kind: str

    def __call__(self, group: pa.Table) -> pa.Table:
        """Pairs (row_id, copy from 1, partner_id) for the children in which a mixing step fires."""
        rows = group.sort_by("row_id")
        ids = np.array(rows.column("row_id").to_pylist(), dtype="S40")
        if len(ids) < 2:
            return PAIRS.empty_table()
        near = self._near(rows) if self.kind in BY_VIEW else None
        parts = [self._of_copy(copy, ids, near) for copy in range(1, len(self.makers) + 1)]
        return pa.concat_tables(parts)

    def _near(self, rows: pa.Table) -> Places:
        """int64[N, K]: partners in turn, nearest first; -1 where there are no more."""
        views = views_of(rows.column("view").to_pylist())
        if self.kind == "nearest":
            return neighbours(views)
        labels = np.unique(rows.column("label").to_pylist(), return_inverse=True)[1]
        on, partners = borderline(views, labels.astype(np.int64), NEIGHBOURS)
        return np.where(on[:, None], partners, -1)

    def _of_copy(self, copy: int, ids: NDArray[np.bytes_], near: Places | None) -> pa.Table:
        children = records.child_ids(self.makers[copy - 1], [each.decode() for each in ids])
        if near is None:
            partner = ring(RowRandom(children, self.seed, "partners").bits())
        else:
            turn = (copy - 1) % np.maximum((near >= 0).sum(axis=1), 1)
            partner = near[np.arange(len(near)), turn]
        fired = np.flatnonzero(fires(self.compiled, children, self.seed) & (partner >= 0))
        columns = [
            pa.array([each.decode() for each in ids[fired]], pa.string()),
            pa.array(np.full(len(fired), copy), pa.int32()),
            pa.array([each.decode() for each in ids[partner[fired]]], pa.string()),
        ]
        return pa.table(columns, schema=PAIRS)


def fires(compiled: AnyCompiled, ids: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """bool[N]: whether a mixing step will want a partner; it draws that first."""
    wanted = np.zeros(len(ids), bool)
    for place, step in enumerate(compiled.steps):
        if step.kind == "mixing":
            wanted |= RowRandom(ids, seed, step.name, place).bernoulli(step.options["p"])
    return wanted


def ring(keys: NDArray[np.uint64]) -> Places:
    """int64[N]: for each row the place of the one that follows it when they stand in the order of their keys."""
    order = np.argsort(keys, kind="stable")
    following = np.empty(len(keys), np.int64)
    following[order] = np.roll(order, -1)
    return following


def neighbours(views: NDArray[np.float64]) -> Places:
    """int64[N, K]: the nearest other rows, nearest first, ties by place. Views are whole numbers: sums are exact."""
    count = min(NEIGHBOURS, len(views) - 1)
    squares = (views**2).sum(1)
    found = np.empty((len(views), count), np.int64)
    for start in range(0, len(views), BLOCK_ROWS):
        block = views[start : start + BLOCK_ROWS]
        apart = squares[None, :] - 2 * block @ views.T  # less the row's own square
        apart[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        found[start : start + len(block)] = np.argsort(apart, axis=1, kind="stable")[:, :count]
    return found


def views_of(blobs: Sequence[bytes]) -> NDArray[np.float64]:
    """float64[N, F] of whole numbers."""
    return np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), -1).astype(np.float64)

"""A worker's first look at the observations of one recording: in the order of their source, times and numbers read, and
what stands behind each window of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.series.judging import FINE, Told
from udfs.series import clock
from udfs.series.values import Flags, Indices
from udfs.series.windows import number_of

OBSERVED = ("row_id", "row_source", "row_split", "entity", "time", "label")  # of an observation, before its channels
NO_ENTITY, UNREADABLE_TIME = "entity_missing", "time_unreadable"
NOT_NUMBERS, NOT_FINITE = "not_numbers", "not_finite"
MOST = np.finfo(np.float32).max  # windows are kept as these
_SHOWN = 60  # characters of a cell that is refused, told in its detail
_NONE = pa.scalar(None, pa.string())


def in_order(rows: pa.Table) -> pa.Table:
    """Observations as their source has them: by file, then line."""
    where = rows.column("row_source").to_pylist()
    keys = [(path, int(line) if line.isdigit() else 0) for path, _, line in (each.rpartition("#") for each in where)]
    ids = rows.column("row_id").to_pylist()
    return rows.take(pa.array(sorted(range(len(keys)), key=lambda row: (keys[row], where[row], ids[row])), pa.int64()))


@dataclass(frozen=True)
class Reading:
    """How times and numbers are written."""

    channels: tuple[str, ...]
    kind: clock.Kind
    form: str | None
    missing: frozenset[str]  # cells that stand for none

    def __call__(self, rows: pa.Table) -> tuple[Indices, NDArray[np.float64], list[Told]]:
        """Times, values, and why an observation is refused."""
        cells = rows.column("time").to_pylist()
        times, good = clock.read_times(cells, self.kind, self.form)
        told: list[Told] = [
            FINE if fine else (UNREADABLE_TIME, f"time is {str(cell)[:_SHOWN]!r}")
            for cell, fine in zip(cells, good.tolist(), strict=True)
        ]
        values = np.stack([self._channel(rows.column(name), name, told) for name in self.channels], axis=1)
        if rows.column("entity")[0].as_py() is None:
            told = [(NO_ENTITY, "the column entity is empty")] * len(told)
        return times, values, told

    def _channel(self, column: pa.ChunkedArray, name: str, told: list[Told]) -> NDArray[np.float64]:
        """One channel's values; an observation with a cell that is no number is refused."""
        cells = pc.utf8_trim_whitespace(column.combine_chunks())
        cells = pc.if_else(pc.is_in(cells, pa.array(sorted(self.missing), pa.string())), _NONE, cells)
        try:
            out = cells.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
        except pa.ArrowInvalid:  # some cell is no number, or written as Arrow does not read it
            out = _cell_by_cell(name, cells.to_pylist(), told)
        for row in np.flatnonzero(np.abs(out) > MOST).tolist():
            told[row] = told[row] if told[row][0] else (NOT_FINITE, f"{name} is {str(cells[row])[:_SHOWN]!r}")
        return out


def _cell_by_cell(name: str, cells: list[str | None], told: list[Told]) -> NDArray[np.float64]:
    """The values of cells, and in `told` what of them are no numbers."""
    out = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            out[row] = number_of(cell)
        except ValueError:
            told[row] = told[row] if told[row][0] else (NOT_NUMBERS, f"{name} is {str(cell)[:_SHOWN]!r}")
    return out


@dataclass(frozen=True)
class Behind:
    """Where a recording's observations stand and how they are labelled, in the order of time."""

    times: Indices
    places: pa.ChunkedArray
    labelled: Indices  # times of those that have a label
    codes: Indices
    names: list[str]

    @classmethod
    def of(cls, rows: pa.Table, times: Indices) -> Behind:
        """Of the observations that are good."""
        order = np.argsort(times, kind="stable")
        rows, times = rows.take(pa.array(order)), times[order]
        told = pc.utf8_trim_whitespace(rows.column("label").cast(pa.string())).combine_chunks()
        told = pc.if_else(pc.equal(told, ""), pa.scalar(None, pa.string()), told).dictionary_encode()
        there: Flags = told.is_valid().to_numpy(zero_copy_only=False)
        codes = pc.fill_null(told.indices, 0).to_numpy().astype(np.int64)
        return cls(times, rows.column("row_source"), times[there], codes[there], told.dictionary.to_pylist())

    def where(self, since: Indices) -> pa.Array:
        """The place of the first observation of each window."""
        return pc.take(self.places, pa.array(np.searchsorted(self.times, since))).combine_chunks()

    def labels(self, since: Indices, until: Indices) -> tuple[list[str | None], Flags]:
        """The label of each window, null for none, and whether its observations have several."""
        low, high = np.searchsorted(self.labelled, since), np.searchsorted(self.labelled, until, "right")
        changes = (
            np.concatenate([[0], np.cumsum(np.diff(self.codes) != 0)]) if len(self.codes) else np.zeros(1, np.int64)
        )
        some = high > low
        at, end = np.minimum(low, len(changes) - 1), np.maximum(high - 1, 0)
        names = [self.names[self.codes[place]] if fine else None for place, fine in zip(at, some, strict=True)]
        return names, some & (changes[at] != changes[end])

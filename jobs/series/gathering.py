"""What a worker does with the observations of one recording: read, mended, cut into windows, each with its verdict.

A recording is held as a whole by the task that it falls to, at some hundred bytes an observation: one of ten million
observations needs a few gigabytes. Its windows leave in batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from conf.schema import Recipe, SeriesForm, Source, Split
from jobs.series.judging import FINE, STAGE, Judging, Told
from jobs.series.observing import MOST, NOT_FINITE, OBSERVED, Behind, Reading, in_order
from udfs import hashing, records
from udfs.series import borders, clock
from udfs.series.recordings import Conversion, Cut, Mending, Regular, cut, mended, starts, uncovered
from udfs.series.values import Indices

COUNTED, FROM, UNTIL = "row_counted", "row_from", "row_until"
LEFT_OUT = "left_out"
TOO_SHORT, TOO_LONG, LABELS_DIFFER = "too_short", "times_far_apart", "label_changes"
_COUNTS = pa.map_(pa.string(), pa.int64())


def schema_of(cleaned: pa.Schema) -> pa.Schema:
    """The columns of what leaves a recording: its rows, from when to when they are, and what was counted."""
    more = [pa.field(FROM, pa.int64()), pa.field(UNTIL, pa.int64()), pa.field(COUNTED, _COUNTS)]
    return pa.schema([field.with_nullable(True) for field in (*cleaned, *more)])


def mending_of(form: SeriesForm, source: Source) -> Mending:
    """How recordings of a source are made regular."""
    said = form.recordings
    assert said is not None
    conversions = tuple(
        Conversion(form.channels.index(each.channel), each.scale, each.offset, each.between)
        for each in said.convert
        if not each.sources or source.name in each.sources
    )
    stuck, odd, fill = said.stuck, said.outliers, form.fill
    return Mending(
        channels=tuple(form.channels),
        every=clock.duration(said.every) if said.every else None,
        duplicates=said.duplicates,
        onto=said.onto,
        conversions=conversions,
        stuck=(stuck.min_run, stuck.tolerance, stuck.action) if stuck else None,
        odd=(odd.method, odd.window_steps, odd.threshold, odd.action) if odd else None,
        fill=(fill.method, fill.limit, fill.period) if fill else None,
    )


@dataclass(frozen=True)
class Gathering:
    """What a worker needs to make windows of one recording's observations."""

    judging: Judging
    reading: Reading
    split: Split
    seed: int
    sources: dict[str, str]  # names by maker
    mendings: dict[str, Mending]  # by source
    schema: pa.Schema
    batch_rows: int

    @classmethod
    def of(cls, recipe: Recipe, schema: pa.Schema, batch_rows: int) -> Gathering:
        """What the recipe says."""
        judging = Judging.of(recipe)
        makers = {records.maker("real", source.name): source.name for source in recipe.sources}
        mendings = {source.name: mending_of(judging.form, source) for source in recipe.sources}
        said = judging.form.recordings
        assert said is not None
        reading = Reading(tuple(judging.form.channels), said.time, said.time_format, frozenset(recipe.missing))
        return cls(judging, reading, recipe.split, recipe.seed, makers, mendings, schema, batch_rows)

    def __call__(self, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        """What came of one recording, and what was counted of it. Observations come in any order."""
        rows = in_order(rows)
        one = _Recording(self, rows)
        counts = {"observations": rows.num_rows}
        for part in one.parts(counts):
            yield from self._conformed(part)
        if counts.get("windows", 0) + counts.get("too_short", 0):
            counts["recordings"] = 1
        yield from self._conformed({COUNTED: pa.array([list(counts.items())], _COUNTS)})

    def _conformed(self, columns: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        """A batch of exactly the schema."""
        size = len(next(iter(columns.values())))
        arrays = [columns.get(field.name, pa.nulls(size, field.type)) for field in self.schema]
        cells = [array.cast(field.type) for array, field in zip(arrays, self.schema, strict=True)]
        yield from pa.table(cells, schema=self.schema).combine_chunks().to_batches()


class _Recording:
    """One recording on its way through a worker."""

    def __init__(self, gathering: Gathering, rows: pa.Table) -> None:
        self.of, self.rows = gathering, rows
        self.form = gathering.judging.form
        first = {name: rows.column(name)[0].as_py() for name in OBSERVED}
        self.maker, self.given = first["row_id"][: records.MAKER_HEX], first["row_split"]
        self.entity: str = first["entity"] or ""
        self.source = gathering.sources.get(self.maker, "")
        self.plan = gathering.mendings[self.source]
        assert self.form.recordings is not None
        self.stride = self.form.recordings.stride or self.form.length

    def parts(self, counts: dict[str, int]) -> Iterator[dict[str, Any]]:
        """Refused observations, then windows in batches, or the recording refused as a whole."""
        times, values, told = self.of.reading(self.rows)
        bad = np.array([reason is not None for reason, _ in told], bool)
        counts["refused_observations"] = int(bad.sum())
        if bad.any():
            yield self._refused(np.flatnonzero(bad), told)
        if bad.all():
            return
        rows = self.rows.filter(pa.array(~bad))
        try:
            regular = mended(times[~bad], values[~bad], self.plan)
        except ValueError as error:
            counts["refused_recordings"] = 1
            yield self._whole(TOO_LONG, str(error))
            return
        counts |= dict(regular.counts) | {"steps": len(regular.times)}
        length, every = self.form.length, self.plan.every
        first, counts["empty_windows"] = starts(regular, length, self.stride, every)
        counts["windows"], counts["left_over_steps"] = len(first), uncovered(len(regular.times), length, self.stride)
        if len(regular.times) < length:
            counts["too_short"] = 1
            yield self._whole(TOO_SHORT, f"{self._name()} has {len(regular.times):,} steps; a window takes {length:,}")
        behind = Behind.of(rows, times[~bad])
        for at in range(0, len(first), self.of.batch_rows):
            yield self._windows(regular, first[at : at + self.of.batch_rows], behind)

    def _name(self) -> str:
        return self.entity or self.source

    def _refused(self, places: Indices, told: list[Told]) -> dict[str, Any]:
        """Observations that are refused, under ids of their own."""
        rows = self.rows.take(pa.array(places))
        ids = rows.column("row_id").to_pylist()
        if self.form.recordings is not None and self.form.recordings.entities:  # of a row with several recordings
            ids = [self.maker + records.which(row_id, self.entity) for row_id in ids]
        return self._lineage(len(places)) | {
            "row_id": pa.array(ids, pa.string()),
            "row_source": rows.column("row_source"),
            "label": rows.column("label"),
            "row_reason": pa.array([told[place][0] for place in places.tolist()], pa.string()),
            "row_detail": pa.array([told[place][1] for place in places.tolist()], pa.string()),
        }

    def _whole(self, reason: str, detail: str) -> dict[str, Any]:
        """The recording as one refused row."""
        return self._lineage(1) | {
            "row_id": pa.array([self.maker + records.which("recording", self.entity)]),
            "row_source": pa.array([self.rows.column("row_source")[0].as_py()]),
            "row_reason": pa.array([reason]),
            "row_detail": pa.array([detail]),
        }

    def _lineage(self, size: int) -> dict[str, Any]:
        given = pa.repeat(self.given, size) if self.given else pa.nulls(size, pa.string())
        return {
            "row_origin": pa.repeat("real", size),
            "row_label_source": pa.repeat("given", size),
            "row_split": given,
            "row_stage": pa.repeat(STAGE, size),
        }

    def _windows(self, regular: Regular, first: Indices, behind: Behind) -> dict[str, Any]:
        """Windows with their verdicts, their group and, by block, their split."""
        found = cut(regular, first, self.form.length, self.plan.every, self.entity)
        times = (regular.observed[found.low], regular.observed[found.high - 1])
        labels, differ = behind.labels(*times)
        told: list[Told] = [
            (LABELS_DIFFER, "its observations have several labels") if each else FINE for each in differ.tolist()
        ]
        for row in np.flatnonzero((np.abs(found.series) > MOST).any(axis=(1, 2))).tolist():
            told[row] = (NOT_FINITE, "once converted or filled, a value is too large: is recordings.convert right?")
        there = np.ones(len(first), bool)
        columns = self._lineage(len(first)) | self.of.judging.columns(found.series, there, told, labels, found.flags)
        split, group = self._split(regular, found)
        return columns | {
            "row_id": hashing.ids(self.maker, *found.words),
            "row_source": behind.where(times[0]),
            "row_split": split,
            "row_group": group,
            FROM: pa.array(regular.times[first]),
            UNTIL: pa.array(self._until(regular, first)),
        }

    def _until(self, regular: Regular, first: Indices) -> Indices:
        """The time of the last step of each window, or of its embargo."""
        last = first + self.form.length - 1
        if self.plan.every is not None:
            return regular.times[last] + self.of.split.embargo_steps * self.plan.every
        return regular.times[np.minimum(last + self.of.split.embargo_steps, len(regular.times) - 1)]

    def _split(self, regular: Regular, found: Cut) -> tuple[pa.Array, pa.Array]:
        """The windows' splits, as far as their place in the recording tells them, and their groups."""
        size, split = len(found.first), self.of.split
        name = f"{self.source}:{self.entity}" if self.entity else self.source
        given = pa.repeat(self.given, size) if self.given else pa.nulls(size, pa.string())
        if split.by not in ("time", "block"):
            return given, pa.repeat(name, size)
        grid = self.plan.every is not None
        step = regular.times[found.first] // self.plan.every if self.plan.every is not None else found.first
        chunk = step // (split.block_steps or self.form.length)
        groups = pa.array([f"{name}:{number}" for number in chunk.tolist()], pa.string())
        if self.given or split.by == "time":
            return given, groups
        last = step + self.form.length - 1 + split.embargo_steps
        key = [self.of.seed] if grid else [self.of.seed, self.source, self.entity]  # a grid's blocks are the clock's
        codes = borders.within_blocks(step, last, split.block_steps or 1, split.shares(), key)
        return pa.array([(*borders.SPLITS, LEFT_OUT)[code] for code in codes.tolist()], pa.string()), groups

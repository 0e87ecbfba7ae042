"""Look at a person's table before a recipe is written for it: does it hold recordings, and of what? No engine.

A table is one of recordings where a column tells times, other columns are numbers, and the times of each recording (the
rows of one entity, or all rows) differ and mostly follow one another by one step. What is told of it is told by its
first rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.schema.recordings import KEPT_NAMES
from jobs.tabular import ingest
from jobs.tabular.cells import Cells
from jobs.tabular.drift import TOKENS
from jobs.tabular.facts import SURE
from jobs.tabular.look import Found
from udfs.series import clock
from udfs.series.windows import number_of

MOST_ROWS, MOST_CELLS = 200_000, 4_000_000
LEAST_STEPS = 8  # of most recordings: fewer are rows of a table that has a date
LEAST_ROWS = 20
ONE_STEP = 0.5  # so many of the times follow by the same step
ON_GRID = 0.9  # so many, and the steps lie on a grid: fewer where some days are no trading days
DISTINCT = 0.99  # of a recording's times
MOST_CLASSES = 50
LEAST_PER_CLASS = 3  # entities: one in each of train, val and test
CONSTANT = 0.98  # so many of the entities have one label
FORMATS = (
    "%Y-%m", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%S",
)  # fmt: skip
TIMELY = ("time", "timestamp", "datetime", "date", "ds", "t", "step", "tick", "cycle", "day", "hour", "epoch")
LABELS = ("label", "target", "class", "y", "state", "activity", "condition", "outcome")
IDS = ("id", "entity", "unit", "machine", "sensor", "station", "subject", "series", "symbol", "ticker", "store")
_EPOCHS = {"seconds": 1e8, "milliseconds": 1e11, "microseconds": 1e14, "nanoseconds": 1e17}  # 1973 and later
Column = Sequence[str | None]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class TimeColumn:
    """The column of times, and how they are written."""

    name: str
    kind: str
    form: str | None
    times: Times = field(repr=False)


@dataclass(frozen=True)
class Recorded:
    """What a table of recordings holds. Names are ours."""

    found: Found
    rows: int
    whole: bool  # whether these are all its rows
    time: TimeColumn
    entity: str | None
    label: str | None
    classes: dict[str, int]  # entities of each
    channels: list[str]
    steps: list[int]  # of each recording
    every: str | None
    usual: float  # share of the times that follow by the commonest step
    missing: list[str]  # what stands for none in channels

    @property
    def others(self) -> list[str]:
        """Columns that are not read."""
        read = {self.time.name, self.entity, self.label, *self.channels}
        return [name for name in self.found.names if name not in read]


def recordings_in(found: Found, label: str | None) -> Recorded | None:
    """What a table of recordings holds; None for another, or where the person's label is not one of recordings."""
    if found.reader in ingest.UNORDERED:
        return None
    rows, whole = head_of(found)
    size = len(next(iter(rows.values()), []))
    time = _time_column(rows) if size >= LEAST_ROWS else None
    if time is None:
        return None
    channels = [name for name, cells in rows.items() if name != time.name and is_numeric(cells)]
    fits, entity = _entity(rows, time, channels)
    if not fits:
        return None
    kept = [name for name in channels if name != entity]
    steps, usual, commonest = _steps(time.times, rows[entity] if entity else None)
    if float(np.median(steps)) < LEAST_STEPS or usual < ONE_STEP:
        return None
    wanted = next((ours for ours, theirs in found.names.items() if label in (ours, theirs)), None)
    named, classes = _label(rows, entity, time.name, wanted)
    if label is not None and named is None:
        return None
    kept = [name for name in kept if name != named]
    every = _every(commonest, time.kind) if usual >= ON_GRID else None
    if not kept:
        return None
    missing = sorted({(cell or "").strip() for name in kept for cell in rows[name]} & TOKENS)
    return Recorded(found, size, whole, time, entity, named, classes, kept, steps, every, usual, missing)


def head_of(found: Found) -> tuple[dict[str, list[str | None]], bool]:
    """The cells of the first rows by column, and whether there are no more."""
    task = found.reading()
    columns: dict[str, list[str | None]] = {name: [] for name in found.names}
    count, most = 0, max(LEAST_ROWS, min(MOST_ROWS, MOST_CELLS // len(columns)))
    for part in _parts(task):
        for name in columns:
            cells = part.columns.get(name, pa.nulls(len(part.positions), pa.string()))
            columns[name] += cells.to_pylist()
        count += len(part.positions)
        if count >= most:
            return {name: cells[:most] for name, cells in columns.items()}, False
    return columns, True


def _parts(task: Any) -> Iterator[Cells]:
    """Good records of a source, in its order."""
    reader = ingest.reader_of(task)
    for piece in ingest.pieces(task):
        yield from (part for part in reader.read(task, piece) if isinstance(part, Cells))


def _told(cells: Column) -> list[str]:
    return [cell for cell in cells if cell is not None and cell.strip() not in TOKENS]


def is_numeric(cells: Column) -> bool:
    """Whether nearly all cells that say something are numbers, and some do."""
    told = _told(cells)
    return bool(told) and sum(map(_is_number, told)) >= SURE * len(told)


def _is_number(cell: str) -> bool:
    try:
        number_of(cell)
    except ValueError:
        return False
    return True


def _time_column(rows: Mapping[str, Column]) -> TimeColumn | None:
    """The first column of dates and times; else one of whole numbers that is named as times are."""
    for name, cells in rows.items():
        for form in (None, *FORMATS):
            sample = list(islice(_told(cells), 200))
            if not sample or clock.read_times(sample, "datetime", form)[1].mean() < SURE or is_numeric(sample):
                continue
            times, good = clock.read_times(cells, "datetime", form)
            if good.mean() >= SURE:
                return TimeColumn(name, "datetime", form, times)
    for name, cells in rows.items():
        if name.lower() in TIMELY and is_numeric(cells):
            kind = _kind(cells)
            times, good = clock.read_times(cells, kind)  # type: ignore[arg-type]
            if good.mean() >= SURE:
                return TimeColumn(name, kind, None, times)
    return None


def _kind(cells: Column) -> str:
    """What a number counts, by how large it is."""
    values = [abs(number_of(cell)) for cell in islice(_told(cells), 200) if _is_number(cell)]
    least = min(values, default=0.0)
    return next((kind for kind, bound in reversed(_EPOCHS.items()) if least >= bound), "number")


def _entity(rows: Mapping[str, Column], time: TimeColumn, channels: Sequence[str]) -> tuple[bool, str | None]:
    """Whether times differ within recordings, and the column whose rows of one value are one, if not all rows are."""
    if _distinct(time.times, None) >= DISTINCT:
        return True, None
    words = [name for name in rows if name != time.name and name not in channels]
    numbers = [name for name in channels if _is_id(name)]
    for name in (*words, *numbers):
        values = rows[name]
        if 1 < len(set(values)) <= len(values) / LEAST_STEPS and _distinct(time.times, values) >= DISTINCT:
            return True, name
    return False, None


def _is_id(name: str) -> bool:
    plain = name.lower()
    return plain in IDS or plain.endswith(("_id", "_no", "_number", "_nr"))


def _distinct(times: Times, entities: Column | None) -> float:
    """The share of rows whose recording has no other row of that time before it."""
    keys = set(zip(entities, times.tolist(), strict=True)) if entities else set(times.tolist())
    return len(keys) / max(1, len(times))


def _steps(times: Times, entities: Column | None) -> tuple[list[int], float, int]:
    """How many steps each recording has, the share of the commonest step between times, and that step."""
    groups: dict[str | None, list[int]] = {}
    for entity, time in zip(entities or [None] * len(times), times.tolist(), strict=True):
        groups.setdefault(entity, []).append(time)
    gaps: Counter[int] = Counter()
    for each in groups.values():
        gaps.update(np.diff(np.unique(each)).tolist())
    step, count = gaps.most_common(1)[0] if gaps else (0, 0)
    return [len(set(each)) for each in groups.values()], count / max(1, gaps.total()), step


def _every(step: int, kind: str) -> str | None:
    """The step as a recipe writes it."""
    if kind == "number":
        return str(step) if step >= 1 else None
    for unit in reversed(clock.UNITS_US):
        if unit != "w" and step % clock.UNITS_US[unit] == 0:
            return f"{step // clock.UNITS_US[unit]}{unit}"
    return None


def _label(
    rows: Mapping[str, Column], entity: str | None, time: str, wanted: str | None
) -> tuple[str | None, dict[str, int]]:
    """The column that has one value in each recording and few in all, and how many recordings have each."""
    if entity is None:
        return None, {}
    named = [name for name in rows if name.lower() in LABELS]
    words = [name for name in rows if not is_numeric(rows[name])]
    for name in dict.fromkeys([wanted] if wanted else [*named, *words]):
        if name in (entity, time):
            continue
        found: dict[str | None, set[str]] = {}
        for whose, cell in zip(rows[entity], rows[name], strict=True):
            found.setdefault(whose, set()).update([cell.strip()] if cell and cell.strip() else [])
        single = [next(iter(cells)) for cells in found.values() if len(cells) == 1]
        classes = {word: count for word, count in Counter(single).items() if count >= LEAST_PER_CLASS}
        if len(single) >= CONSTANT * len(found) and 2 <= len(classes) <= MOST_CLASSES:
            return name, dict(sorted(classes.items()))
    return None, {}


def channel_name(name: str) -> str:
    """The column's name as a channel: one that every recording has is no channel's."""
    return f"the_{name}"[:63] if name in KEPT_NAMES else name[:63]

"""Look at a person's table before a recipe is written for it: are its rows windows, a column for each step? No engine.

They are where a header counts its columns as times are counted (t0, t1, ...), or counts those of several channels alike
(x_0, x_1, ..., y_0, y_1, ...). Without a header they are where lines hold a label and many broken numbers, as those of
the UCR archive do. The last two are so only where neighbouring columns rise and fall together, which steps of a window
do and features seldom.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from conf.runs.patterns import files_of
from conf.schema.recordings import KEPT_NAMES
from conf.schema.wide import counted
from jobs.series.look import LABELS, LEAST_PER_CLASS, LEAST_ROWS, LEAST_STEPS, MOST_CLASSES, head_of, is_numeric
from jobs.tabular import ingest
from jobs.tabular.drift import TOKENS, held_name
from jobs.tabular.look import Found
from udfs.series.values import Floats
from udfs.series.windows import number_of

STEPS = ("t", "ts", "time", "timestep", "step", "lag", "tick", "second", "minute", "hour", "h", "day", "week", "month")
BARE_STEPS = 16  # of lines without a header: fewer are rows of a table
TOGETHER = 0.3  # mean correlation of a step with the next one
SAMPLE_ROWS = 500  # by which both are told
BROKEN = 0.5  # so many of the numbers are no whole ones: grey values of images are
_HALVES = re.compile(r"^(.+)_(TRAIN|TEST)\.[^/]+$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(.*?)(\d{1,9})$", re.DOTALL)
Column = Sequence[str | None]


@dataclass(frozen=True)
class WideRows:
    """What a table of windows holds."""

    found: Found
    rows: int
    whole: bool  # whether these are all its rows
    first: dict[str, str]  # channel -> the column of its first step; none without a header
    length: int
    label: str | None  # theirs, or first or last without a header
    classes: dict[str, int]
    missing: list[str]  # what stands for none in steps
    others: list[str]  # columns that are not read
    test: str | None = None  # the path of the test windows, where they lie in a file of their own


def windows_in(found: Found, label: str | None) -> WideRows | None:
    """What a table of windows holds; None for another, or where the person's label is not one of windows."""
    enough = bool(_runs(list(found.names.values()))) if found.header else len(found.names) > BARE_STEPS
    if found.reader in ingest.UNORDERED or not enough:
        return None
    if paths := _halves(found):
        seen = windows_in(replace(found, path=paths[0]), label)
        return replace(seen, test=paths[1]) if seen else None
    cells, whole = head_of(found)
    rows = {found.names[ours]: column for ours, column in cells.items()}
    if len(next(iter(rows.values()), [])) < LEAST_ROWS:
        return None
    return (_named if found.header else _bare)(found, rows, whole, label)


def _halves(found: Found) -> tuple[str, str] | None:
    """The paths of the train and the test windows, where two files are named as these and nothing else is there."""
    named = [_HALVES.match(info.path) for info in files_of(str(found.data / found.path))]
    halves = {each[2].lower(): each for each in named if each}
    if len(named) != 2 or set(halves) != {"train", "test"} or halves["train"][1] != halves["test"][1]:
        return None
    train, test = (Path(halves[word][0]).relative_to(found.data).as_posix() for word in ("train", "test"))
    return train, test


def _named(found: Found, rows: Mapping[str, Column], whole: bool, wanted: str | None) -> WideRows | None:
    """Windows below a header."""
    runs = _runs(list(rows))
    timely = [stem for stem in runs if stem.lower().strip("_-. ") in STEPS]
    alike = [stem for stem in runs if len(runs) > 1 and len({_numbers(names) for names in runs.values()}) == 1]
    stems = alike or timely[:1]
    names = [name for stem in stems for name in runs[stem]]
    if not names or not all(is_numeric(rows[name]) for name in names):
        return None
    if alike and not all(_go_together([rows[name] for name in runs[stem]]) for stem in alike):
        return None
    rest = [name for name in rows if name not in names]
    ours = {ours: theirs for ours, theirs in found.names.items() if theirs in rest}
    if wanted is not None and wanted not in rest and wanted not in ours:
        return None
    named, classes = _label(rows, [ours.get(wanted, wanted)] if wanted else _likely(rows, rest))
    if wanted is not None and named is None:
        return None
    first = {_channel(stem) if len(stems) > 1 else "value": runs[stem][0] for stem in stems}
    if len(first) != len(stems):
        return None
    size, others = len(rows[names[0]]), [name for name in rest if name != named]
    length = len(runs[stems[0]])
    return WideRows(found, size, whole, first, length, named, classes, _missing(rows, names), others)


def _runs(names: Sequence[str]) -> dict[str, list[str]]:
    """Columns by what stands before their number, where the numbers count on without a hole, and far enough."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        if found := _NUMBERED.match(name):
            groups.setdefault(found[1], []).append((int(found[2]), name))
    runs = {stem: [name for _, name in sorted(group)] for stem, group in groups.items() if len(group) >= LEAST_STEPS}
    return {stem: run for stem, run in runs.items() if counted(run[0], len(run)) == run}


def _numbers(names: Sequence[str]) -> tuple[str, int]:
    """What a run of columns counts from, and how far."""
    found = _NUMBERED.match(names[0])
    assert found is not None
    return found[2], len(names)


def _channel(stem: str) -> str:
    """The channel's name: what stands before the numbers."""
    plain = held_name(stem.strip("_-. "))[:63]
    return f"the_{plain}"[:63] if plain in KEPT_NAMES else plain


def _bare(found: Found, rows: Mapping[str, Column], whole: bool, wanted: str | None) -> WideRows | None:
    """Windows of lines without a header."""
    names = list(rows)
    for place, label, steps in (("first", names[0], names[1:]), ("last", names[-1], names[:-1])):
        if len(steps) < BARE_STEPS or wanted not in (None, label):
            continue
        _, classes = _label(rows, [label])
        columns = [rows[name] for name in steps]
        if classes and all(map(is_numeric, columns)) and _are_broken(columns) and _go_together(columns):
            missing = _missing(rows, steps)
            return WideRows(found, len(columns[0]), whole, {}, len(steps), place, classes, missing, [])
    return None


def _likely(rows: Mapping[str, Column], names: Sequence[str]) -> list[str]:
    """Columns that may be the label: those that are called so, then those of words."""
    called = [name for name in names if name.lower() in LABELS]
    return list(dict.fromkeys([*called, *(name for name in names if not is_numeric(rows[name]))]))


def _label(rows: Mapping[str, Column], names: Sequence[str]) -> tuple[str | None, dict[str, int]]:
    """The first of the columns that has few words, each often enough, and how many rows have each."""
    for name in names:
        counts = Counter(cell.strip() for cell in rows[name] if cell is not None and cell.strip())
        classes = {word: count for word, count in sorted(counts.items()) if count >= LEAST_PER_CLASS}
        if 2 <= len(classes) <= MOST_CLASSES and len(counts) <= MOST_CLASSES:
            return name, classes
    return None, {}


def _missing(rows: Mapping[str, Column], names: Sequence[str]) -> list[str]:
    """What stands for no value in steps."""
    return sorted({(cell or "").strip() for name in names for cell in rows[name]} & TOKENS)


def _values(columns: Sequence[Column]) -> Floats:
    """float64[N, T]: numbers of the first rows; what is none is missing."""
    return np.array([[_value(cell) for cell in column[:SAMPLE_ROWS]] for column in columns]).T


def _value(cell: str | None) -> float:
    try:
        return number_of(cell)
    except ValueError:
        return float("nan")


def _are_broken(columns: Sequence[Column]) -> bool:
    """Whether most of the numbers are no whole ones."""
    values = _values(columns)
    told = values[np.isfinite(values)]
    return len(told) > 0 and float((told != np.floor(told)).mean()) >= BROKEN


def _go_together(columns: Sequence[Column]) -> bool:
    """Whether most steps rise and fall with the next ones, row by row."""
    values = _values(columns)
    values = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(values)
    mean = np.divide(np.where(known, values, 0).sum(axis=0), np.maximum(known.sum(axis=0), 1))
    far = np.where(known, values - mean, 0.0)
    scale = np.sqrt((far**2).sum(axis=0))
    unit = np.divide(far, scale, out=np.zeros_like(far), where=scale > 0)
    moves = scale > 0
    pairs = moves[1:] & moves[:-1]
    return bool(pairs.any()) and float((unit[:, 1:] * unit[:, :-1]).sum(axis=0)[pairs].mean()) >= TOGETHER

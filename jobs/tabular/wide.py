"""Windows that lie in a table's rows, a column for each step: read as a table's cells, put together as windows.

A window is a JSON list of its cells' text, as they came: clean reads the numbers. Any reader of tables reads them.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa

from jobs.readers.record import Reading, Record
from jobs.tabular.cells import Cells
from jobs.tabular.drift import steps_of
from udfs.series.windows import WRONG_LENGTH

_RAGGED = "line_ragged"


def as_table(task: Reading) -> Reading:
    """The source as its reader sees it: a table of steps and a label, in the order of a line without a header."""
    wide = task.source.wide
    if wide is None:
        return task
    names, channels = steps_of(task), task.window[1]
    steps = [(name, "number") for at in range(channels) for name in names[at::channels]]
    label = [each for each in task.columns if each[0] == task.label]
    return replace(task, columns=tuple([*label, *steps] if wide.label == "first" else [*steps, *label]))


def as_windows(task: Reading, part: Cells | list[Record]) -> Cells | list[Record]:
    """What was read of the table as windows, and lines of too few or too many cells as ones of a wrong length."""
    if task.source.wide is None:
        return part
    if isinstance(part, list):
        return [replace(each, reason=WRONG_LENGTH) if each.reason == _RAGGED else each for each in part]
    size = len(part.positions)
    steps = [part.columns[name].to_pylist() if name in part.columns else [None] * size for name in steps_of(task)]
    series = [json.dumps(window, separators=(",", ":")) for window in zip(*steps, strict=True)]
    kept = {name: part.columns[name] for name, _ in task.columns if name in part.columns}
    return replace(part, columns={**kept, "series": pa.array(series, pa.string())})

"""Windows as rows hold them: flat lists of numbers, time-major, and as sources write them: a list in JSON.

A list has T C values, all channels of the first step first; NaN in it, and null in JSON, is missing. Sources may nest
them, a list for each step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs.series.values import Floats, Series

NOT_NUMBERS, WRONG_LENGTH, NOT_FINITE, GAPS = "not_numbers", "wrong_length", "not_finite", "gaps"
SERIES_TYPE = pa.list_(pa.float32())
_SHOWN = 60  # characters of what is refused, told in its detail


def written(values: Iterable[float]) -> str:
    """The values as JSON from which the same numbers are read again."""
    return json.dumps([None if math.isnan(value) else value for value in values], separators=(",", ":"))


def number_of(cell: Any) -> float:
    """A number, or how one is written; null, an empty text, `?` and `NaN` are missing. Raises ValueError for others."""
    if isinstance(cell, str):
        plain = cell.strip()
        return math.nan if plain in ("", "?") else float(plain)
    if cell is None:
        return math.nan
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError(f"{str(cell)[:_SHOWN]!r} is no number")
    return float(cell)


def as_text(cell: Any) -> str | None:
    """A list of a source, nested or not, as its JSON: numbers in one way of writing, what is none as it came."""
    if cell is None or isinstance(cell, str):
        return cell
    try:
        return written([number_of(value) for value in _flat(cell)])
    except (TypeError, ValueError, OverflowError):
        return json.dumps(cell, default=str)


def read(
    text: str | None, steps: int, channels: int, missing: frozenset[str] | None = None
) -> tuple[Floats | None, str | None, str]:
    """(float64[T, C] or None, the reason why there is none, its detail). Values are those that a float32 can hold. With
    `missing` they are cells of texts, of which these stand for none, and the first that is no number is told.
    """
    if text is None or not text.strip():
        return None, WRONG_LENGTH, "no values"
    cells: list[Any] = []
    try:
        cells = _flat(json.loads(text))
        if missing is not None:
            cells = [None if isinstance(cell, str) and cell.strip() in missing else cell for cell in cells]
        values = np.array([number_of(value) for value in cells], np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None, NOT_NUMBERS, text[:_SHOWN] if missing is None else _unread(cells, channels)
    if len(values) != steps * channels:
        wanted = f"{steps:,} steps of {channels:,} channels are {steps * channels:,}"
        return None, WRONG_LENGTH, f"{len(values):,} values; {wanted}"
    with np.errstate(over="ignore"):
        kept = values.astype(np.float32).astype(np.float64)
    if np.isinf(kept).any():
        return None, NOT_FINITE, f"step {int(np.flatnonzero(np.isinf(kept))[0]) // channels + 1} is infinite"
    return kept.reshape(steps, channels), None, ""


def _unread(cells: list[Any], channels: int) -> str:
    """The first cell that is no number, and its step."""
    for place, cell in enumerate(cells):
        try:
            number_of(cell)
        except (ValueError, OverflowError):
            return f"step {place // channels + 1} is {str(cell)[:_SHOWN]!r}"
    return "no list of cells"


def _flat(told: Any) -> list[Any]:
    """The values of a list, or of a list of lists of one length. Raises TypeError or ValueError for anything else."""
    if not isinstance(told, list | tuple | np.ndarray):
        raise TypeError("no list")
    if not len(told) or not isinstance(told[0], list | tuple | np.ndarray):
        return list(told)
    if len({len(step) for step in told}) != 1:
        raise ValueError("steps of unequal lengths")
    return [value for step in told for value in step]


def stacked(column: pa.Array | pa.ChunkedArray, steps: int, channels: int) -> Series:
    """float64[N, T, C] of a column of lists; what is null is missing whole. Raises ValueError for another length."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    out = np.full((len(column), steps * channels), np.nan)
    there = column.is_valid().to_numpy(zero_copy_only=False)
    values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    out[there] = values.reshape(int(there.sum()), steps * channels)
    return out.reshape(len(column), steps, channels)


def listed(series: Series, there: NDArray[np.bool_] | None = None) -> pa.ListArray:
    """A column of lists of float32; null where not `there`."""
    count, width = len(series), int(np.prod(series.shape[1:]))
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * width)
    with np.errstate(over="ignore"):
        values = pa.array(series.astype(np.float32).ravel())
    mask = None if there is None else pa.array(~there)
    return pa.ListArray.from_arrays(offsets, values, mask=mask).cast(SERIES_TYPE)

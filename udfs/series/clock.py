"""Times and durations as sources and recipes write them, as whole numbers.

Times of the clock are microseconds since 1970; one that says how far it is from UTC is brought there, one that does not
is taken as it stands. Where time is a plain number, it stays that number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from udfs.series.values import Flags

Kind = Literal["datetime", "number", "seconds", "milliseconds", "microseconds", "nanoseconds"]
UNITS_US = {
    "us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000,
    "w": 604_800_000_000,
}  # fmt: skip
_TICKS = {
    "number": Decimal(1), "seconds": Decimal(1_000_000), "milliseconds": Decimal(1_000), "microseconds": Decimal(1),
    "nanoseconds": Decimal("0.001"),
}  # fmt: skip
_START = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_MOST = 1 << 62


def read_times(texts: Sequence[str | None], kind: Kind, form: str | None = None) -> tuple[NDArray[np.int64], Flags]:
    """(times, which of them could be read); of `form` as `strptime` knows it, else ISO 8601."""
    times, good = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    for place, text in enumerate(texts):
        try:
            times[place] = _of_clock(text or "", form) if kind == "datetime" else _of_number(text or "", kind)
        except (ValueError, OverflowError, DecimalException):
            continue
        good[place] = True
    return times, good


def _of_clock(text: str, form: str | None) -> int:
    """A date, or a date and a time. Raises ValueError."""
    told = datetime.strptime(text.strip(), form) if form else datetime.fromisoformat(text.strip())
    if told.tzinfo is not None:
        told = told.astimezone(UTC).replace(tzinfo=None)
    return (told - _START) // _MICROSECOND


def _of_number(text: str, kind: Kind) -> int:
    """A number, of ticks where it is time: parts of a tick are cut off; a plain number must be whole."""
    exact = Decimal(text.strip()) * _TICKS[kind]
    whole = int(exact)
    if (kind == "number" and whole != exact) or abs(whole) > _MOST:
        raise ValueError(f"{text} is no whole number, or too large")
    return whole


def duration(text: str) -> int:
    """`15min` as microseconds; `15` as 15."""
    digits = text.rstrip("umsinhdw ")
    unit = text[len(digits) :].strip()
    return int(digits) * (UNITS_US[unit] if unit else 1)


def shown(time: int, kind: Kind) -> str:
    """A time as people read it."""
    return str(time) if kind == "number" else (_START + timedelta(microseconds=int(time))).isoformat()

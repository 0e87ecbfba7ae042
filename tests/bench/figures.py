"""Lines of a benchmark's table: a figure over seeds, its spread, its bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass
class Row:
    """One line of the table. `spread` is the standard deviation over seeds; `met` is null where there is no bar."""

    case: str
    measured: float
    spread: float
    unit: str
    bar: str
    met: bool | None
    peers: str = ""  # what others published for the same


def row(case: str, values: Sequence[float], unit: str = "", bar: str = "", peers: str = "", digits: int = 3) -> Row:
    """A line of the table from one value per seed, printed."""
    mean = float(np.mean(values))
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    sign, _, number = bar.partition(" ")
    met = None if not bar else mean >= float(number) if sign == ">=" else mean <= float(number)
    line = Row(case, round(mean, digits), round(spread, digits), unit, bar, met, peers)
    show(line)
    return line


def show(line: Row) -> None:
    """Print a line."""
    verdict = "" if line.met is None else "met" if line.met else "MISSED"
    places = 2 if line.unit else 4
    print(
        f"{line.case:<58} {line.measured:>8.{places}f} ± {line.spread:<6.{places}f} {line.unit:<7} {line.bar:<9} "
        f"{verdict:<7} {line.peers}".rstrip(),
        flush=True,
    )

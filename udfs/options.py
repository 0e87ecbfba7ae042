"""Types of options that carry their bounds, so that a recipe's options are checked against the step's signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Within:
    """Bounds of an option's numbers, both included; null: none."""

    low: float | None = None
    high: float | None = None


Span = tuple[float, float]  # [low, high]: each row draws its own value from it
Amount = float | Span  # one number for all rows, or a span
Names = tuple[str, ...]  # of columns

Probability = Annotated[float, Within(0, 1)]
Share = Annotated[float, Within(0, 1)]
ShareSpan = Annotated[Span, Within(0, 1)]
Words = Annotated[str, Within(1, 1000)]  # a text of so many characters

"""What a recipe says of time series."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from conf.schema.parts import Part, Positive

SERIES_COLUMNS = ("series", "label")  # of a source
Channel = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


def _distinct(value: list[str]) -> list[str]:
    """Channels are distinct."""
    if len(set(value)) != len(value):
        raise ValueError("channels must be distinct")
    return value


class GapFill(Part):
    """How short gaps within a channel are filled; `limit` is the most steps that one gap may have."""

    method: Literal["linear", "spline", "hold"] = "linear"
    limit: Positive = 3


class SeriesForm(Part):
    """The form that every window of the dataset has: `length` steps of these channels, whose order is the source's.

    What is missing once short gaps are filled is refused, or kept as missing.
    """

    length: Annotated[int, Field(ge=2, le=100_000)]
    channels: Annotated[list[Channel], Field(min_length=1, max_length=1000), AfterValidator(_distinct)]
    fill: GapFill | None = None
    missing: Literal["refuse", "keep"] = "refuse"

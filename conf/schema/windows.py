"""What a recipe says of time series."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from conf.schema.parts import Part, Positive
from conf.schema.recordings import ENTITY, KEPT_NAMES, TIME, Channel, Recordings

SERIES_COLUMNS = ("series", "label")  # of a source of ready windows


def _distinct(value: list[str]) -> list[str]:
    """Channels are distinct."""
    if len(set(value)) != len(value):
        raise ValueError("channels must be distinct")
    return value


class GapFill(Part):
    """How short gaps within a channel are filled.

    `limit` is the most steps that one gap may have, `period` the steps of a season.
    """

    method: Literal["linear", "polynomial", "spline", "seasonal", "hold"] = "linear"
    limit: Positive = 3
    period: Annotated[int, Field(ge=2)] = 24


class SeriesForm(Part):
    """The form that every window of the dataset has: `length` steps of these channels, whose order is the source's.

    What is missing once short gaps are filled is refused, or kept as missing. With `recordings` a source holds
    observations, from which windows are cut; else a record is a window.
    """

    length: Annotated[int, Field(ge=2, le=100_000)]
    channels: Annotated[list[Channel], Field(min_length=1, max_length=1000), AfterValidator(_distinct)]
    fill: GapFill | None = None
    missing: Literal["refuse", "keep"] = "refuse"
    recordings: Recordings | None = None

    @model_validator(mode="after")
    def _named(self) -> SeriesForm:
        """Channels and entities have names of their own."""
        said = self.recordings
        if said is None:
            return self
        taken = [name for name in (*self.channels, *said.entities) if name in KEPT_NAMES]
        if taken:
            raise ValueError(f"{taken[0]} names what every recording has: call the channel otherwise")
        if said.entities and len(self.channels) != 1:
            raise ValueError("with entity: columns each column is one recording of one channel: name one channel")
        strange = [each.channel for each in said.convert if each.channel not in self.channels]
        if strange:
            raise ValueError(f"recordings.convert names {strange[0]!r}, which is not among the channels")
        return self

    def cells(self) -> tuple[str, ...]:
        """The columns of a record that are read, but for its label."""
        said = self.recordings
        if said is None:
            return ("series",)
        if said.entities:
            return (TIME, *said.entities)
        return (*((ENTITY,) if said.entity == "column" else ()), TIME, *self.channels)

"""What a recipe says of windows that lie in a table's rows, a column for each step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from conf.schema.parts import Part
from conf.schema.recordings import Channel

if TYPE_CHECKING:
    from conf.schema.sources import Source
    from conf.schema.windows import SeriesForm

WIDE_READERS = ("csv", "json_lines", "parquet", "orc", "delta", "jdbc")
_NUMBERED = re.compile(r"^(.*?)(\d{1,9})$", re.DOTALL)


def _numbered(value: str) -> str:
    """A name that others can be counted on from."""
    if not _NUMBERED.match(value):
        raise ValueError(f"{value!r} must end in its step's number, as t0 does, from which the others count on")
    return value


class Wide(Part):
    """Rows that are windows: the column of each channel's first step, from whose number the others count on (`x_0` for
    a channel x where none is named). Without a header line the label is a line's `first` cell or its `last`, and
    channels stand one after the other.
    """

    steps: dict[Channel, Annotated[str, AfterValidator(_numbered)]] = {}
    label: Literal["first", "last"] = "first"

    def columns(self, channels: Sequence[str], length: int) -> list[list[str]]:
        """The names of every channel's steps, in order."""
        return [counted(self.steps.get(channel, f"{channel}_0"), length) for channel in channels]


def has_wide(sources: Sequence[Source]) -> bool:
    """Whether some source's rows are windows, a column for each step."""
    return any(source.wide is not None for source in sources)


def columns_of(source: Source, form: SeriesForm | None) -> tuple[str, ...]:
    """The columns of a source's steps as rows hold windows, all channels of the first step first; none where a record
    is no wide row.
    """
    if source.wide is None or form is None:
        return ()
    by_channel = source.wide.columns(form.channels, form.length)
    return tuple(name for step in zip(*by_channel, strict=True) for name in step)


def counted(first: str, length: int) -> list[str]:
    """Names counted on from the first: t0, t1, ...; as wide as it where it begins with a 0, as t00 does."""
    found = _NUMBERED.match(first)
    assert found is not None
    stem, number = found.groups()
    width = len(number) if number.startswith("0") else 1
    return [f"{stem}{at:0{width}d}" for at in range(int(number), int(number) + length)]


def check_wide(source: Source, form: SeriesForm) -> None:
    """Raise ValueError where a source of wide rows does not fit what it is read by, or the windows' form."""
    wide, who = source.wide, f"source {source.name}"
    if wide is None:
        return
    if source.reader not in WIDE_READERS:
        raise ValueError(f"{who} has wide:, which reads columns of {', '.join(WIDE_READERS)}, not of {source.reader}")
    if form.recordings is not None:
        raise ValueError(f"{who} has wide:, whose rows are windows already, and recordings: cuts its own")
    if wide.steps and set(wide.steps) != set(form.channels):
        named, wanted = ", ".join(wide.steps), ", ".join(form.channels)
        raise ValueError(f"{who}: wide.steps names a first step for {named}, and the channels are {wanted}")
    owners: dict[str, str] = {}
    for channel, names in zip(form.channels, wide.columns(form.channels, form.length), strict=True):
        shared = next((name for name in names if name in owners), None)
        if shared is not None:
            both = f"{owners[shared]} and {channel}"
            raise ValueError(f"{who}: {both} would both have the column {shared}: mend wide.steps or series.length")
        owners |= dict.fromkeys(names, channel)

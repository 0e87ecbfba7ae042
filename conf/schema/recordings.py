"""What a recipe says of recordings: how their observations are made regular before windows are cut from them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from conf.schema.parts import Name, Part, Positive

ENTITY, TIME = "entity", "time"  # of a source of recordings, beside the label and the channels
KEPT_NAMES = (ENTITY, TIME, "label", "soft_label", "series")
Channel = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


def _every(value: str | None) -> str | None:
    """A whole number and, for times of the clock, its unit."""
    if value is not None and not re.fullmatch(r"[1-9]\d{0,8} ?(us|ms|s|min|h|d|w)?", value):
        raise ValueError("every is a whole number and a unit of us, ms, s, min, h, d, w, such as 15min or 1h")
    return value


class Conversion(Part):
    """A channel told in another unit: `value * scale + offset`, in these `sources` (all where none is named), of values
    that lie `between` two bounds (all where null).
    """

    channel: str
    scale: float = Field(default=1.0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    sources: list[Name] = []
    between: tuple[float, float] | None = None


class OddValues(Part):
    """Values far from the median of the `window_steps` about them, in robust deviations: of that window (`hampel`), or
    of all such distances in the recording (`rolling_median`). They take the median's place, go missing, or stay.
    """

    method: Literal["hampel", "rolling_median"] = "hampel"
    window_steps: Annotated[int, Field(ge=3, le=100_001)] = 11
    threshold: float = Field(default=5.0, gt=0)
    action: Literal["replace", "missing", "flag"] = "replace"


class Stuck(Part):
    """A sensor that tells one value for `min_run` steps or longer: its values go missing, or stay and are flagged."""

    min_run: Annotated[int, Field(ge=2)] = 12
    tolerance: float = Field(default=0.0, ge=0)
    action: Literal["missing", "flag"] = "missing"


class Recordings(Part):
    """How records of one time each become windows.

    `entity` says what one recording is: the rows of one value of the `column` entity, of one `file`, of the whole
    `source`, or one of several `columns`, which `entities` names. With `every` the steps lie on a grid of the clock;
    else the observations are the steps, in the order of time.
    """

    entity: Literal["column", "file", "source", "columns"] = "column"
    entities: list[Channel] = []
    time: Literal["datetime", "number", "seconds", "milliseconds", "microseconds", "nanoseconds"] = "datetime"
    time_format: str | None = None
    every: Annotated[str | None, AfterValidator(_every)] = None
    stride: Positive | None = None
    duplicates: Literal["first", "last", "mean"] = "last"
    onto: Literal["mean", "linear", "hold"] = "mean"
    convert: list[Conversion] = []
    stuck: Stuck | None = None
    outliers: OddValues | None = None

    @model_validator(mode="after")
    def _whole(self) -> Recordings:
        """What belongs together is said together."""
        if (self.entity == "columns") != bool(self.entities):
            raise ValueError("entities: names the columns that are recordings, and goes with entity: columns alone")
        if len(set(self.entities)) != len(self.entities):
            raise ValueError("entities must be distinct")
        has_unit = self.every is not None and not self.every.isdigit()
        if self.every is not None and has_unit == (self.time == "number"):
            raise ValueError("every needs a unit, such as 1h, for times of the clock, and none where time is a number")
        if self.time_format is not None and self.time != "datetime":
            raise ValueError("time_format goes with time: datetime")
        return self

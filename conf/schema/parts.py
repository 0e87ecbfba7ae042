"""What all parts of a recipe and a runtime have in common: kinds of values, and unknown keys as errors."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_NAME = 63
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A part of a recipe or runtime: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Step(Part):
    """One step of a list: a function's name and its options.

    Written `image.rotate` or `image.rotate: {max_degrees: 10}`.
    """

    name: str
    options: dict[str, Any] = {}


def _step(value: Any) -> Any:
    """A step as written in YAML, as name and options."""
    if isinstance(value, str):
        return {"name": value, "options": {}}
    if isinstance(value, dict) and len(value) == 1 and not {"name", "options"} & value.keys():
        ((name, options),) = value.items()
        return {"name": name, "options": options or {}}
    return value


Steps = list[Annotated[Step, BeforeValidator(_step)]]

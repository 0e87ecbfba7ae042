"""What a recipe says of images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from conf.schema.parts import Part


class ImageForm(Part):
    """The form that every image of the dataset has.

    `mask_fill` is the class of a mask's pixels that geometry leaves uncovered: the one to ignore, where there is one.
    """

    height: int = Field(ge=8, le=4096)
    width: int = Field(ge=8, le=4096)
    channels: Literal[1, 3]
    resize: Literal["fit", "stretch", "crop"] | None = None
    encoding: Literal["png", "jpeg"] = "png"
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    masks: bool = False
    mask_fill: int = Field(default=0, ge=0, le=255)
    boxes: bool = False

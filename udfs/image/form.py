"""The declared form of a dataset's images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """The form that images have: what is decoded into and encoded from."""

    height: int
    width: int
    channels: int
    resize: str | None = None
    encoding: str = "png"
    jpeg_quality: int = 95
    masks: bool = False
    boxes: bool = False
    mask_fill: int = 0

    @staticmethod
    def of(form: Any) -> Form:
        """From anything that has these attributes, such as a recipe's `image` part."""
        return Form(**{name: getattr(form, name) for name in Form.__dataclass_fields__ if hasattr(form, name)})

    @property
    def bytes_per_image(self) -> int:
        """Decoded."""
        return self.height * self.width * self.channels

"""What a recipe says of texts."""

from __future__ import annotations

from typing import Literal

from conf.schema.parts import Part, Positive

TEXT_COLUMNS = ("text", "label")  # of a source, in this order where a file has no header


class TextForm(Part):
    """The form that every text of the dataset has. A longer one is refused."""

    language: Literal["en"] = "en"
    max_characters: Positive = 100_000

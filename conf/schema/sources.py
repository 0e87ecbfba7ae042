"""Where real rows come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from conf.schema.parts import Name, Part
from conf.schema.wide import Wide


class Source(Part):
    """Where real rows come from."""

    name: Name
    reader: Literal[
        "sklearn_digits", "idx", "image_folder", "image_manifest", "npz", "parquet", "delta",
        "csv", "json_lines", "orc", "jdbc", "sklearn_table", "text_folder",
        "bundled_text", "ts", "blocks", "bundled_series",
        "captions", "captioned_digits", "streams",
    ]  # fmt: skip
    path: str | None = None
    images: str | None = None
    labels_path: str | None = None
    manifest: str | None = None
    mask_path: str | None = None
    file_column: str = "file"
    image_column: str = "image"
    label_column: str | None = "label"
    group_column: str | None = None
    labels: dict[str, str] = {}
    split: Literal["train", "val", "test", "unlabelled"] | None = None
    weight: float = Field(default=1.0, gt=0, le=1)
    about: str | None = None
    columns: dict[str, str] = {}
    gives: list[str] = []
    header: bool | list[str] = True
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    encoding: str = "utf-8"
    wide: Wide | None = None
    drift: Literal["refuse", "merge"] = "refuse"
    url: str | None = None
    query: str | None = None
    user_env: str | None = None
    password_env: str | None = None
    table: str | None = None

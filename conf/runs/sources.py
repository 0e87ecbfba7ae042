"""What a recipe's sources consist of: their files, sizes and times, without reading them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyarrow import fs

from conf import Config
from conf.errors import RecipeError
from conf.runs.files import filesystem
from conf.schema import Source


def locations(config: Config, source: Source) -> dict[str, str]:
    """The paths or URIs that a source names, by key, each below the recipe's `data`."""
    given = {key: getattr(source, key) for key in ("path", "images", "labels_path", "manifest", "mask_path")}
    return {key: _below(config.recipe.data, value) for key, value in given.items() if value is not None}


def _below(data: str | None, path: str) -> str:
    if "://" in path or Path(path).is_absolute():
        return path
    return f"{data.rstrip('/')}/{path}" if data else path


def listing(config: Config, source: Source) -> list[Any]:
    """What a source consists of: each file's path within it, size and time of change.

    Raises RecipeError where one is missing.
    """
    if source.reader == "sklearn_digits":
        return ["sklearn_digits"]
    found = []
    for key, location in locations(config, source).items():
        system, path = filesystem(location)
        info = system.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise RecipeError(_missing(config, source, key, location))
        files = [info]
        if info.type == fs.FileType.Directory:
            files = [
                f for f in system.get_file_info(fs.FileSelector(path, recursive=True)) if f.type == fs.FileType.File
            ]
        found += [[key, os.path.relpath(file.path, path), file.size, file.mtime_ns] for file in files]
    return sorted(found)


def _missing(config: Config, source: Source, key: str, location: str) -> str:
    """What is missing, where to get it, how to say where it lies."""
    hint = source.about or config.recipe.data_about or ""
    mend = f"--set data=DIR names the folder that holds {getattr(source, key)}."
    return f"{config.origin}, source {source.name}: {location} is not there. {hint + ' ' if hint else ''}{mend}"

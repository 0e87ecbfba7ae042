"""What a recipe's sources consist of: their files, sizes and times, without reading them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyarrow import fs

from conf import Config
from conf.errors import RecipeError
from conf.runs.files import filesystem
from conf.runs.patterns import base_of, files_of
from conf.schema import Source

# readers of what has no files; a database is not looked into
UNLISTED = ("sklearn_digits", "sklearn_table", "bundled_text", "bundled_series", "captioned_digits", "jdbc")


def locations(config: Config, source: Source) -> dict[str, str]:
    """The paths or URIs that a source names, by key, each below the recipe's `data`."""
    if source.reader in UNLISTED:
        return {}
    given = {key: getattr(source, key) for key in ("path", "images", "labels_path", "manifest", "mask_path")}
    return {key: below(config.recipe.data, value) for key, value in given.items() if value is not None}


def below(data: str | None, path: str) -> str:
    """A path below the recipe's `data` where it is relative."""
    if "://" in path or Path(path).is_absolute():
        return path
    return f"{data.rstrip('/')}/{path}" if data else path


def listing(config: Config, source: Source) -> list[Any]:
    """What a source consists of: each file's path within it, size and time of change.

    Raises RecipeError where one is missing.
    """
    if source.reader in UNLISTED:
        told = [getattr(source, key) for key in ("reader", "path", "url", "query", "table")]
        return [value for value in told if value is not None]
    found = []
    for key, location in locations(config, source).items():
        if source.reader == "delta" and "/" not in location:
            found.append([key, location])  # a table of a catalogue, which Spark alone can look into
            continue
        files = files_of(location)
        system, base = filesystem(base_of(location))
        is_folder = base_of(location) == location and system.get_file_info(base).type == fs.FileType.Directory
        if not files and not is_folder:
            raise RecipeError(_missing(config, source, key, location))
        found += [[key, os.path.relpath(file.path, base), file.size, file.mtime_ns] for file in files]
    return sorted(found)


def references(config: Config) -> dict[str, list[Any]]:
    """What the tables that rules refer to consist of, by path. Raises RecipeError where one is missing."""
    found: dict[str, list[Any]] = {}
    for step in config.recipe.clean.rules:
        path = step.options.get("path")
        if step.name != "reference" or not isinstance(path, str):
            continue
        place = below(config.recipe.data, path)
        files = files_of(place)
        if not files:
            raise RecipeError(f"{config.origin}, clean.rules: the reference {place} is not there.")
        found[path] = [[file.path[len(place) :], file.size, file.mtime_ns] for file in files]
    return found


def model_files(config: Config, part: str) -> dict[str, list[Any]]:
    """What the folder of a model that a generator begins with consists of, by path; nothing where there is none.

    Raises RecipeError where it is missing.
    """
    found: dict[str, list[Any]] = {}
    for generator in config.recipe.generate:
        path = generator.options.get("folder")
        if generator.name != part or not isinstance(path, str):
            continue
        folder = Path(below(config.recipe.data, path))
        if not folder.is_dir():
            raise RecipeError(f"{config.origin}, generate {part}: options.folder is {path!r}; {folder} is no folder.")
        found[path] = [
            [each.name, each.stat().st_size, each.stat().st_mtime_ns]
            for each in sorted(folder.iterdir())
            if each.is_file()
        ]
    return found


def _missing(config: Config, source: Source, key: str, location: str) -> str:
    """What is missing, where to get it, how to say where it lies."""
    hint = source.about or config.recipe.data_about or ""
    mend = f"--set data=DIR names the folder that holds {getattr(source, key)}."
    return f"{config.origin}, source {source.name}: {location} is not there. {hint + ' ' if hint else ''}{mend}"

"""Readers of real data, one module each: `pieces` lists on the driver what there is, `read` reads one on a worker.

A piece is a small dict of plain values (`bytes` says how much it will read); a million files are pieces of some
hundred files each. `pieces` raises RecipeError for what a person must mend (a wrong header, a missing column), before
anything is written. What is wrong with one record is carried as data: a `Record` with a reason. No reader knows of
Spark; delta alone reads through it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from conf import Config, runs
from conf.schema import Recipe, Source
from conf.schema.fusion import LABEL, given_by, join_columns
from conf.schema.recordings import ENTITY, TIME
from conf.schema.texts import TEXT_COLUMNS
from conf.schema.wide import columns_of
from jobs.readers.record import Piece, Reading, Record

__all__ = ["Piece", "Reading", "Record", "pieces", "read", "reading"]


def reading(config: Config, source: Source) -> Reading:
    """What a reader needs to know of the recipe; small, so that it travels to the workers."""
    recipe = config.recipe
    form = recipe.image
    return Reading(
        origin=config.origin,
        source=source,
        locations=runs.locations(config, source),
        labels=tuple(recipe.labels),
        masks=form is not None and form.masks,
        boxes=form is not None and form.boxes,
        columns=_columns(recipe, source),
        streams=_streams(recipe),
        window=(recipe.series.length, len(recipe.series.channels)) if recipe.series else (0, 0),
        wide=columns_of(source, recipe.series),
        label=_label(recipe),
    )


def _label(recipe: Recipe) -> str | None:
    """The column of the label, where records say theirs."""
    says = recipe.task or recipe.modality in ("text", "fusion") or (recipe.series and recipe.labels)
    return recipe.label_column if says else None


def _streams(recipe: Recipe) -> dict[str, Any]:
    """How clips are cut, in plain values."""
    if recipe.streams is None or recipe.series is None:
        return {}
    return {**recipe.streams.model_dump(mode="json"), "channels": list(recipe.series.channels)}


def _columns(recipe: Recipe, source: Source) -> tuple[tuple[str, str], ...]:
    """Names and types of what is read of a record, where it has several columns."""
    if recipe.modality == "fusion":
        types = {name: column.type for name, column in recipe.columns.items()} | {"series": "series", "image": "image"}
        wanted = [*given_by(recipe)[source.name], *join_columns(recipe)]
        kept = [name for name in wanted if name != LABEL or recipe.pairs is None]
        return tuple((name, types.get(name, "category")) for name in dict.fromkeys(kept))
    if recipe.modality == "series":
        assert recipe.series is not None
        kinds = {"series": "series", TIME: "time", ENTITY: "category"}
        told = tuple((name, kinds.get(name, "number")) for name in recipe.series.cells())
        return (*told, *((("label", "category"),) if recipe.labels else ()))
    if recipe.behaviour is not None:
        return tuple(recipe.behaviour.columns_of(source.name).items())
    if recipe.modality == "text":
        return tuple((name, "category") for name in TEXT_COLUMNS)
    return tuple((name, column.type) for name, column in recipe.columns.items())


def pieces(task: Reading) -> list[Piece]:
    """Everything the source consists of, in pieces; on the driver.

    Raises RecipeError naming file, expected and found.
    """
    return list(_module(task).pieces(task))


def read(task: Reading, piece: Piece) -> Iterator[Record]:
    """The records of one piece; on a worker."""
    records: Iterator[Record] = _module(task).read(task, piece)
    return records


def _module(task: Reading) -> ModuleType:
    return importlib.import_module(f"jobs.readers.{task.source.reader}")

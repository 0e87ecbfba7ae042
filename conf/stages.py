"""The stages: their order, what each reads of the recipe and of the stages before it, and their revisions.

A stage's fingerprint covers its revision, its parts of the recipe and the digests of what it reads. Raise a revision
when the code of a stage changes what the stage makes: its old results are then made anew. The table stands here and not
in the stages' modules so that a plan can be made without importing an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conf.schema import Recipe
from conf.schema.behaviour import EVENT_COLUMNS
from conf.schema.fusion import columns_of
from conf.schema.texts import TEXT_COLUMNS
from conf.schema.wide import has_wide


@dataclass(frozen=True)
class Stage:
    """One stage.

    `reads` names outputs as `stage.output`; `real` is label where the recipe has that part, else clean. `of_tables` are
    read besides where the rows are tables or behaviour, `of_series` where they are series.
    """

    name: str
    engine: str
    revision: int
    parts: tuple[str, ...]
    reads: tuple[str, ...] = ()
    per_generator: bool = False
    of_tables: tuple[str, ...] = ()
    of_series: tuple[str, ...] = ()


READING = {"fusion": 2, "behaviour": 2}  # raised where only rows of this modality are read otherwise
TRAINING = {"series_mixture": 2}  # raised where only this model learns otherwise
PAIRING = 2  # raised where only pairs are made, or grouped, otherwise
_PAIRED = ("clean", "choose", "score", "evaluate")
# Keys of a source and what they say where nothing is said, which decides nothing.
UNSAID: tuple[tuple[str, Any], ...] = (("gives", []), ("wide", None))
_REAL = ("real.train", "real.val", "real.test", "real.reserve")
_MEASURED = "normalize.statistics"  # what rows of tables are encoded by; images are scaled by their range alone
_REFUSED = ("ingest.refused", "clean.refused", "label.refused", "gate.refused")

STAGES: tuple[Stage, ...] = (
    Stage("ingest", "spark", 1, ("modality", "labels", "sources", "cells")),
    Stage("clean", "spark", 2, ("image", "table", "labels", "clean", "split", "seed", "has_label"), ("ingest.rows",)),
    Stage(
        "label",
        "ray+spark",
        1,
        ("label", "augment", "image", "labels", "seed"),
        ("clean.train", "clean.val", "clean.test", "clean.reserve", "clean.unlabelled"),
    ),
    Stage("normalize", "spark", 1, ("normalize", "image", "table"), ("real.train",)),
    Stage(
        "choose",
        "ray",
        2,
        ("choice", "judging", "image", "table", "labels", "seed"),
        ("real.train",),
        of_tables=(_MEASURED,),
    ),
    Stage(
        "augment",
        "spark",
        1,
        ("augment", "image", "table", "seed"),
        ("real.train", "choose.choice"),
        of_tables=(_MEASURED,),
    ),
    Stage(
        "train",
        "ray",
        4,
        ("generator", "image", "table", "labels", "seed", "relations"),
        ("real.train",),
        per_generator=True,
        of_tables=(_MEASURED,),
    ),
    Stage("sample", "ray", 1, ("plan", "image", "table", "labels"), ("real.train", "train.checkpoint"), True),
    Stage(
        "score",
        "ray",
        3,
        ("gate", "evaluate", "image", "table", "labels", "seed"),
        ("real.train", "real.val", "augment.rows", "sample.rows"),
        of_tables=(_MEASURED, "train.checkpoint"),  # rows of tables are asked how likely their generator finds them
    ),
    Stage("gate", "spark", 1, ("gate",), ("augment.rows", "sample.rows", "score.verdicts", "score.usefulness")),
    Stage("merge", "spark", 1, ("name", "publish"), (*_REAL[:3], "gate.accepted", *_REFUSED)),
    Stage(
        "evaluate",
        "ray",
        5,
        ("evaluate", "image", "table", "labels", "seed", "publish"),
        (*_REAL, "gate.accepted", "train.checkpoint"),
        of_tables=(_MEASURED, "sample.maker"),
        of_series=("sample.maker",),
    ),
    Stage("report", "none", 2, ("recipe",), ("*",)),
)
NAMES = tuple(stage.name for stage in STAGES)


def stage(name: str) -> Stage:
    """The stage called `name`."""
    return next(each for each in STAGES if each.name == name)


def in_recipe(each: Stage, recipe: Recipe) -> bool:
    """Whether the recipe has this stage at all."""
    if each.name == "label":
        return recipe.label is not None
    if each.name == "choose":
        return recipe.augment is not None and recipe.augment.choose is not None
    if each.name == "augment":
        return recipe.augment is not None
    if each.name in ("train", "sample"):
        return bool(recipe.generate)
    if each.name in ("score", "gate"):
        return recipe.augment is not None or bool(recipe.generate)
    return True


def has_cells(recipe: Recipe) -> bool:
    """Whether rows have columns that are encoded by statistics of train rows."""
    return recipe.modality == "table" or (recipe.modality == "fusion" and bool(recipe.columns))


def parts_of(each: Stage, recipe: Recipe, generator: str) -> dict[str, Any]:
    """The values of the recipe that decide what the stage makes, as plain JSON."""
    whole = recipe.model_dump(mode="json")
    made: dict[str, Any] = next((g for g in whole["generate"] if g["name"] == generator), {})
    special = {
        "recipe": whole,
        "has_label": recipe.label is not None,
        "augment": _steps(whole["augment"]),
        "choice": whole["augment"],
        "judging": {key: whole["evaluate"][key] for key in ("judges", "steps", "batch_size", "max_rows")},
        "cells": _cells(recipe),
        "table": {key: whole[key] for key in ("columns", "missing", "task")} if has_cells(recipe) else None,
        "generator": _trained(made),
        "relations": [each for each in whole["clean"]["rules"] if each["name"].rpartition(".")[2] == "relation"],
        "plan": {key: made.get(key) for key in ("rows", "temperature")},
        "sources": [
            {k: v for k, v in source.items() if k != "about" and (k, v) not in UNSAID} for source in whole["sources"]
        ],
    }
    found = {part: special[part] if part in special else whole[part] for part in each.parts}
    own = ("text", "series") if recipe.modality == "fusion" else (recipe.modality,)
    kinds = ("text", "series", "behaviour")
    more = {name: whole[name] for name in own if name in kinds and "image" in each.parts}
    form = recipe.series
    if form is not None and (form.recordings is not None or has_wide(recipe.sources)) and "image" in each.parts:
        more["missing"] = whole["missing"]
    return found | more | ({"pairs": [PAIRING, whole["pairs"]]} if each.name in _PAIRED and recipe.pairs else {})


def _cells(recipe: Recipe) -> dict[str, Any] | None:
    """The columns that are read of a source, where records have several."""
    if recipe.modality == "fusion":
        read: dict[str, Any] = {"columns": columns_of(recipe), "label": "label", "pairs": recipe.pairs is not None}
        window = [recipe.series.length, len(recipe.series.channels)] if recipe.series else None
        join = recipe.join.model_dump(mode="json") if recipe.join else None
        read["streams"] = recipe.streams.model_dump(mode="json") if recipe.streams else None
        return {
            **read,
            "revision": READING["fusion"],
            "window": window,
            "join": join,
            "boxes": recipe.image is not None and recipe.image.boxes,
        }
    if recipe.modality == "text":
        return {"columns": list(TEXT_COLUMNS), "label": "label"}
    if recipe.series is not None:  # readers refuse windows of another form
        form = [recipe.series.length, len(recipe.series.channels)]
        names = [*recipe.series.cells(), *(["label"] if recipe.labels else [])]
        wide = {"channels": recipe.series.channels} if has_wide(recipe.sources) else {}
        return {"columns": names, "label": "label"} | ({} if recipe.series.recordings else {"window": form}) | wide
    if recipe.behaviour is not None:
        told = recipe.behaviour.model_dump(mode="json")
        return {"columns": list(EVENT_COLUMNS), "revision": READING["behaviour"], "form": told}
    return {"columns": list(recipe.columns), "label": recipe.task.label} if recipe.task else None


def _steps(augment: dict[str, Any] | None) -> dict[str, Any] | None:
    """Copies and steps; nothing where they are chosen, as choose says by its digest what it came to."""
    if augment is None or augment["choose"] is not None:
        return None
    return {key: augment[key] for key in ("copies", "steps")}


def _trained(generator: dict[str, Any]) -> dict[str, Any]:
    """What decides a generator's training: neither its name, nor its plan, nor when it is trained again."""
    kept = {key: value for key, value in generator.items() if key not in ("name", "rows", "temperature")}
    told = {"train": {key: value for key, value in kept.get("train", {}).items() if key != "refresh"}}
    model = kept.get("model")
    return kept | told | ({"revision": TRAINING[model]} if model in TRAINING else {})


def reads_of(each: Stage, recipe: Recipe, generator: str) -> list[tuple[str, str]]:
    """What the stage reads, as (stage key, output); a key is `clean` or, for a generator's stage, `train.image_gan`."""
    if each.reads == ("*",):
        return [(key, "") for key in keys(recipe) if key != "report"]
    found: list[tuple[str, str]] = []
    kind = "table" if has_cells(recipe) else recipe.modality
    more = {"table": each.of_tables, "behaviour": each.of_tables, "series": each.of_series}.get(kind, ())
    for read in (*each.reads, *more):
        name, output = read.split(".")
        name = ("clean" if recipe.label is None else "label") if name == "real" else name
        source = stage(name)
        if not in_recipe(source, recipe):
            continue
        if not source.per_generator:
            found.append((name, output))
            continue
        wanted = [generator] if each.per_generator else [g.name for g in recipe.generate]
        found += [(f"{name}.{part}", output) for part in wanted]
    return found


def keys(recipe: Recipe) -> list[str]:
    """Keys of the recipe's stages, in order: `ingest`, `clean`, ..., `train.image_gan`, ..."""
    found = []
    for each in STAGES:
        if not in_recipe(each, recipe):
            continue
        found += [f"{each.name}.{g.name}" for g in recipe.generate] if each.per_generator else [each.name]
    return found

"""What the report shows of rows with several payloads: each row's picture, text and cells side by side, by class and
origin, what each step changed, refusals, lineage.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from markupsafe import Markup

from conf import Config
from conf.runs import Done
from jobs import report_figures as figures
from jobs import report_pictures as pictures_of
from jobs import report_rows as rows
from jobs.report_figures import COLOURS
from jobs.report_series import curves
from jobs.report_steps import explained
from jobs.report_tables import MEASURES
from jobs.report_texts import charts, generator, short, train_counts
from udfs.records import ORIGINS

__all__ = ["charts", "generator", "pictures", "train_counts"]

SHOWN_EACH = 3  # rows of each class and origin
LOOKED_AT = 200  # children whose steps are looked at, of the lowest hashes
REFUSED_EACH = 2
SHOWN_CELLS = 6


def pictures(config: Config, dones: Mapping[str, Done], per_strip: int) -> dict[str, Any]:
    """Rows to look at: of each class and origin, by step, refused ones, and where a few come from."""
    payload, train = _payload(config), f"{dones['clean'].folder}/rows/row_split=train"
    accepted = f"{dones['gate'].folder}/accepted" if "gate" in dones else ""
    each = min(SHOWN_EACH, per_strip)
    shown = rows.chosen(train, each, payload=payload)
    shown += rows.chosen(accepted, each, payload=payload) if accepted else []
    origins = rows.grouped(shown, "origin")
    counts = dones["clean"].counts
    return {
        "classes": [_class(config, label, shown) for label in config.recipe.labels[: pictures_of.SHOWN_CLASSES]],
        "repairs": counts.get("changed", {}),
        "pairs": {name: counts[name] for name in ("made", "hard") if config.recipe.pairs and name in counts},
        "flags": dones["augment"].counts.get("flags", {}) if "augment" in dones else {},
        "steps": _steps(config, dones, train, payload) if "augment" in dones else [],
        "looked_at": LOOKED_AT,
        "refused": _refused(config, dones, payload),
        "lineage": [row for origin, count in pictures_of.LINEAGE for row in origins.get(origin, [])[:count]],
        "measure_names": MEASURES,
    }


def _payload(config: Config) -> rows.Payload:
    """The columns that a row is shown by, and worked on again by."""
    recipe = config.recipe
    boxes = ["boxes"] if recipe.image and recipe.image.boxes else []
    own = [name for name in ("text", "series", "image") if getattr(recipe, name) is not None]
    return rows.Payload("label", ("label", *recipe.columns, *boxes, *own))


def _class(config: Config, label: str, shown: list[rows.Shown]) -> dict[str, Any]:
    """Some rows of a class, by origin."""
    mine = rows.grouped([row for row in shown if row.label == label], "origin")
    told = {origin: [_said(config, row) for row in mine.get(origin, [])] for origin in ORIGINS}
    return {"label": label, "origins": [(origin, some) for origin, some in told.items() if some]}


def _said(config: Config, row: rows.Shown) -> dict[str, Any]:
    """One row: its picture, its curve, its text, its cells."""
    cells = [(name, row.cells.get(name)) for name in config.recipe.columns]
    boxes = [box["label"] for box in row.cells.get("boxes") or [] if box.get("label")]
    return {
        "id": row.id,
        "picture": figures.picture([row.image]),
        "curve": _curve(config, row),
        "text": short(row.cells.get("text")),
        "cells": ", ".join(f"{name} {value}" for name, value in cells[:SHOWN_CELLS] if value is not None),
        "written": "; ".join(boxes),
        "detail": row.detail,
    }


def _curve(config: Config, row: rows.Shown) -> Markup:
    """The first channel of a row's window; nothing of a row that has none."""
    form, values = config.recipe.series, row.cells.get("series")
    if form is None or not values:
        return Markup("")
    window = np.array([np.nan if value is None else value for value in values], np.float64)
    first = window.reshape(-1, len(form.channels))[:, 0]
    there = first[np.isfinite(first)]
    span = (float(there.min()), float(there.max())) if len(there) else (0.0, 1.0)
    return curves([first], span, COLOURS.get(row.origin, COLOURS["real"]), form.channels[0])


def _steps(config: Config, dones: Mapping[str, Done], train: str, payload: rows.Payload) -> list[dict[str, Any]]:
    """How many of some children each step changed or fired for."""
    told = explained(config, dones, train, payload, LOOKED_AT)[1]
    found = []
    for place, first in enumerate(told[0] if told else []):
        fired = [steps[place]["parameters"] for steps in told if steps[place]["fired"]]
        found.append({"name": first["step"], "changed": len(fired), "of": len(told), "example": _short(fired)})
    return found


def _short(fired: list[dict[str, Any]]) -> str:
    """What one of the rows had drawn."""
    if not fired:
        return ""
    told = [(name, f"{value:.3g}" if isinstance(value, float) else value) for name, value in fired[0].items()]
    return short(", ".join(f"{name} {value}" for name, value in told))


def _refused(config: Config, dones: Mapping[str, Done], payload: rows.Payload) -> list[dict[str, Any]]:
    """Some refused rows of each stage and reason."""
    found = []
    for key, done in dones.items():
        some = rows.chosen(f"{done.folder}/refused", REFUSED_EACH, ("row_reason",), payload)
        for reason, refused in groupby(sorted(some, key=lambda row: row.reason), key=lambda row: row.reason):
            found.append({"stage": key, "reason": reason, "rows": [_said(config, row) for row in refused]})
    return found[: pictures_of.SHOWN_REASONS]

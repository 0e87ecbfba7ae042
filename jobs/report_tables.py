"""What the report shows of a table: its charts, rows beside their nearest real ones, refusals, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conf import Config
from conf.runs import Done
from jobs import report_figures as figures
from jobs import report_pictures as pictures_of
from jobs import report_rows as rows
from jobs import report_table_figures as drawn
from jobs.report_facts import judged_line, read
from udfs.records import ORIGINS

MOST_COLUMNS = 18  # whose values are drawn
MOST_CELLS = 12  # columns of the rows that are shown
MOST_MAPS = 3
SHOWN_ROWS = 4
PAIRS = 6
REFUSED_EACH = 2
MEASURES = {
    "auc": "AUC", "pr_auc": "PR-AUC", "f1": "F1", "minority_f1": "minority F1", "accuracy": "accuracy",
    "log_loss": "log loss", "r2": "R2", "rmse": "RMSE", "mae": "MAE",
}  # fmt: skip


def _payload(config: Config) -> rows.Payload:
    """The columns that rows are shown by: the label first, no ids."""
    task = config.recipe.task
    assert task is not None
    others = (name for name, column in config.recipe.columns.items() if name != task.label and column.type != "id")
    return rows.Payload(task.label, (task.label, *others))


def train_counts(config: Config, dones: Mapping[str, Done]) -> dict[str, dict[str, int]]:
    """Train rows by origin and label, one label for all where it is a number."""
    label = _payload(config).label if config.recipe.labels else "row_split"
    found = rows.counts(f"{_real(dones)}/rows/row_split=train", label)
    if "gate" in dones:
        found |= rows.counts(f"{dones['gate'].folder}/accepted", label)
    return found


def _real(dones: Mapping[str, Done]) -> str:
    return dones["clean"].folder


def charts(config: Config, dones: Mapping[str, Done], told_facts: dict[str, Any]) -> dict[str, Any]:
    """The page's charts by name; None where there is nothing to draw."""
    told = read(dones, "evaluate", "evaluate.json")
    gains = [(row["judge"], row["arm"], row["cut"], *row["interval"]) for row in told_facts["gain"] if row["interval"]]
    judge = told_facts["headline"].get("judge") or next(iter(told_facts["curve"]), None)
    curve, best = told_facts["curve"].get(judge), judged_line(told_facts, judge)
    grown = best["error"] if best and best["judge"] == judge else None
    counts = train_counts(config, dones)
    made = [name for name in told.get("quality", {}) if name != "ceiling"] or (
        ["augmented"] if config.recipe.augment else []
    )
    return {
        "gain": figures.forest(gains, pictures_of.SHORT_ARMS) if gains else None,
        "curve": _curve(curve, grown, told_facts) if curve and curve["rows"] else None,
        "curve_judge": judge,
        "classes": figures.class_counts(counts, config.recipe.labels) if config.recipe.labels else None,
        **_of_columns(told, made),
    }


def _curve(found: Mapping[str, Any], grown: float | None, told_facts: Mapping[str, Any]) -> Any:
    headline = told_facts["headline"]
    return figures.curve(found["rows"], found["error"], grown, headline, f"error ({told_facts['error']})")


def _of_columns(told: Mapping[str, Any], made: list[str]) -> dict[str, Any]:
    """Columns whose made values differ most first, differences of associations, rows on a plane."""
    columns = told.get("columns") or []
    there = [name for name in made if columns and name in columns[0]["shares"]]
    ordered = sorted(columns, key=lambda each: -max((_apart(each, name) for name in there), default=0.0))
    maps = told.get("associations") or {"columns": [], "difference": {}}
    return {
        "columns": [_column(each, there) for each in ordered[:MOST_COLUMNS]],
        "unshown_columns": max(0, len(columns) - MOST_COLUMNS),
        "associations": [
            (name, drawn.associations(maps["columns"], maps["difference"][name]))
            for name in ["test", *there][: MOST_MAPS + 1]
            if len(maps["columns"]) > 1 and name in maps["difference"]
        ],
        "plane": drawn.plane(told["projection"], there) if told.get("projection") else None,
    }


def _apart(column: Mapping[str, Any], name: str) -> float:
    """Half the sum of the differences of the shares, missing cells included: 0 where they are alike, 1 at most."""
    ours, theirs = column["shares"]["train"], column["shares"][name]
    gaps = abs(column["missing"]["train"] - column["missing"][name])
    return (sum(abs(a - b) for a, b in zip(ours, theirs, strict=True)) + gaps) / 2


def _column(told: Mapping[str, Any], made: list[str]) -> dict[str, Any]:
    return {
        "name": told["column"],
        "kind": told["kind"],
        "chart": drawn.column(told, made),
        "apart": {name: _apart(told, name) for name in made},
        "real_apart": _apart(told, "test"),
        "missing": {name: told["missing"][name] for name in ("train", *made)} if max(told["missing"].values()) else {},
    }


def pictures(config: Config, dones: Mapping[str, Done], per_strip: int) -> dict[str, Any]:
    """Rows to look at: of each origin, beside their nearest real ones, refused ones, and where a few come from."""
    payload = _payload(config)
    train = f"{_real(dones)}/rows/row_split=train"
    accepted = f"{dones['gate'].folder}/accepted" if "gate" in dones else ""
    by = ("row_origin", payload.label) if config.recipe.labels else ("row_origin",)
    shown = rows.chosen(train, SHOWN_ROWS, by, payload) + (
        rows.chosen(accepted, SHOWN_ROWS, by, payload) if accepted else []
    )
    columns = payload.columns[:MOST_CELLS]
    origins = rows.grouped(shown, "origin")
    return {
        "columns": columns,
        "more_columns": len(payload.columns) - len(columns),
        "samples": [
            (origin, [_cells(row, columns) for row in origins.get(origin, [])[:SHOWN_ROWS]]) for origin in ORIGINS
        ],
        "pairs": _pairs(dones, accepted, train, shown, payload) if accepted else [],
        "refused": _refused(dones, payload, columns),
        "lineage": _lineage(origins),
        "measure_names": MEASURES,
    }


def _cells(row: rows.Shown, columns: tuple[str, ...]) -> dict[str, Any]:
    return {"id": row.id, "cells": [_said(row.cells.get(name)) for name in columns], "reason": row.detail}


def _said(value: Any) -> str:
    """A cell in a few letters; "" where it is missing."""
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else figures.short(str(value), 24)


def _pairs(
    dones: Mapping[str, Done], accepted: str, train: str, shown: list[rows.Shown], payload: rows.Payload
) -> list[dict[str, Any]]:
    """Generated rows above their nearest train row: the nearest of all, then some as they come."""
    verdicts = f"{dones['score'].folder}/verdicts"
    nearest = rows.by_id([accepted], rows.closest(verdicts, accepted, PAIRS), payload)
    there = {row.id for row in nearest}
    usual = [row for row in shown if row.origin == "synthetic" and row.id not in there][:PAIRS]
    found = []
    columns = payload.columns[:MOST_CELLS]
    for kind, some in (("nearest of all", nearest), ("as they come", usual)):
        pairs = [_pair(each, columns) for each in rows.neighbours(verdicts, some, train, payload)]
        found += [{"kind": kind, "pairs": pairs}] if pairs else []
    return found


def _pair(pair: rows.Neighbour, columns: tuple[str, ...]) -> dict[str, Any]:
    made, real = _cells(pair.row, columns), _cells(pair.nearest, columns)
    same = [ours == theirs for ours, theirs in zip(made["cells"], real["cells"], strict=True)]
    return {"made": made["cells"], "real": real["cells"], "same": same, "ratio": pair.ratio, "id": pair.row.id}


def _refused(dones: Mapping[str, Done], payload: rows.Payload, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Some refused rows of each stage and reason."""
    found = []
    for key, done in dones.items():
        some = rows.chosen(f"{done.folder}/refused", REFUSED_EACH, ("row_reason",), payload)
        for reason, refused in sorted(rows.grouped(some, "reason").items()):
            found.append({"stage": key, "reason": reason, "rows": [_cells(row, columns) for row in refused]})
    return found[: pictures_of.SHOWN_REASONS]


def _lineage(origins: Mapping[str, list[rows.Shown]]) -> list[rows.Shown]:
    """A few rows of each origin."""
    return [row for origin, count in pictures_of.LINEAGE for row in origins.get(origin, [])[:count]]


def generator(config: Config, dones: Mapping[str, Done], name: str) -> dict[str, Any]:
    """One generator's training: its curves and what it noted."""
    return pictures_of.generator(config, dones, name)

"""What the report shows of behaviour: users' sequences with the names of items, popularity, lengths, ratings, steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf import Config
from conf.runs import Done
from jobs import report_behaviour_figures as drawn
from jobs import report_figures as figures
from jobs import report_pictures as pictures_of
from jobs import report_rows as rows
from jobs.behaviour.ingest import ITEMS
from jobs.report_facts import judged_line
from jobs.report_steps import explained
from udfs.records import ORIGINS

SHOWN_EACH = 3  # users of each origin
SHOWN_EVENTS = 12  # of a user, the first ones
LOOKED_AT = 300  # children whose steps are looked at, of the lowest hashes
MOST_USERS = 20_000  # of each origin whose events are counted, of the files' first
REFUSED_EACH = 2
MEASURES = {"hit_rate": "hit rate at 10", "ndcg": "NDCG at 10", "error": "1 - NDCG"}


def payload_of(config: Config) -> rows.Payload:
    """The columns that a user is shown by."""
    form = config.recipe.behaviour
    assert form is not None
    return rows.Payload("user", ("user", *form.attributes, "items", "ratings", "times"))


def _folders(dones: Mapping[str, Done]) -> list[str]:
    accepted = [f"{dones['gate'].folder}/accepted"] if "gate" in dones else []
    return [f"{dones['clean'].folder}/rows/row_split=train", *accepted]


def train_counts(config: Config, dones: Mapping[str, Done]) -> dict[str, dict[str, int]]:
    """Train users by origin."""
    found: dict[str, dict[str, int]] = {}
    for folder in _folders(dones):
        for origin, users in rows.counts(folder, "row_origin").items():
            found[origin] = {"": sum(users.values())}
    return found


def charts(config: Config, dones: Mapping[str, Done], told_facts: dict[str, Any]) -> dict[str, Any]:
    """The page's charts by name; None where there is nothing to draw."""
    gains = [(row["judge"], row["arm"], row["cut"], *row["interval"]) for row in told_facts["gain"] if row["interval"]]
    headline = told_facts["headline"]
    judge = headline.get("judge") or next(iter(told_facts["curve"]), None)
    found, best = told_facts["curve"].get(judge), judged_line(told_facts, judge)
    grown = best["error"] if best and best["judge"] == judge else None
    curve = None
    if found and found["rows"]:
        curve = figures.curve(found["rows"], found["error"], grown, headline, f"error ({told_facts['error']})")
    crowds = {origin: crowd for origin, crowd in _crowds(dones).items() if len(crowd.lengths)}
    return {
        "gain": figures.forest(gains, pictures_of.SHORT_ARMS) if gains else None,
        "curve": curve,
        "curve_judge": judge,
        "popularity": drawn.popularity(crowds),
        "together": drawn.beside(crowds),
        "lengths": drawn.lengths(crowds),
        "ratings": drawn.ratings(crowds),
    }


def _crowds(dones: Mapping[str, Done]) -> dict[str, drawn.Crowd]:
    """What users of each origin come to."""
    items: dict[str, Counter[str]] = {origin: Counter() for origin in ORIGINS}
    lengths: dict[str, list[int]] = {origin: [] for origin in ORIGINS}
    rated: dict[str, Counter[float]] = {origin: Counter() for origin in ORIGINS}
    for folder in _folders(dones):
        dataset = rows.opened(folder)
        for batch in dataset.to_batches(columns=["row_origin", "items", "ratings"]) if dataset else ():
            for origin in ORIGINS:
                some = batch.filter(pc.equal(batch.column("row_origin"), origin))
                if some.num_rows and len(lengths[origin]) < MOST_USERS:
                    lengths[origin] += pc.list_value_length(some.column("items")).to_pylist()
                    items[origin].update(_counted(some.column("items")))
                    rated[origin].update(_counted(some.column("ratings")))
    return {origin: drawn.Crowd(items[origin], lengths[origin], rated[origin]) for origin in ORIGINS}


def _counted(column: pa.Array) -> dict[Any, int]:
    return {each["values"]: each["counts"] for each in pc.value_counts(column.flatten()).to_pylist()}


def pictures(config: Config, dones: Mapping[str, Done], per_strip: int) -> dict[str, Any]:
    """Users to look at, what steps changed, refused ones, and where a few come from."""
    payload, titles = payload_of(config), _titles(dones)
    shown = [row for folder in _folders(dones) for row in rows.chosen(folder, SHOWN_EACH, ("row_origin",), payload)]
    by_origin = rows.grouped(shown, "origin")
    return {
        "users": [(origin, [_user(config, row, titles) for row in by_origin.get(origin, [])]) for origin in ORIGINS],
        "steps": _steps(config, dones, payload) if "augment" in dones else [],
        "refused": _refused(dones, payload),
        "lineage": [row for origin, count in pictures_of.LINEAGE for row in by_origin.get(origin, [])[:count]],
        "measure_names": MEASURES,
    }


def _titles(dones: Mapping[str, Done]) -> dict[str, str]:
    """Names of items, where a source has them."""
    dataset = rows.opened(f"{dones['ingest'].folder}/{ITEMS}")
    if dataset is None:
        return {}
    table = dataset.to_table()
    named = zip(table.column("item").to_pylist(), table.column("title").to_pylist(), strict=True)
    return {item: title for item, title in named if title}


def _user(config: Config, row: rows.Shown, titles: Mapping[str, str]) -> dict[str, Any]:
    """One user as people look at one: who, since when, the first items with their ratings."""
    form = config.recipe.behaviour
    assert form is not None
    told = [f"{name} {row.cells[name]}" for name in form.attributes if row.cells.get(name) is not None]
    items, ratings, times = (row.cells.get(name) or [] for name in ("items", "ratings", "times"))
    events = []
    for item, rating, time in list(zip(items, ratings, times, strict=False))[:SHOWN_EVENTS]:
        day = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M")
        events.append({"item": titles.get(item, item), "rating": f"{rating:g}" if form.ratings else "", "time": day})
    return {"who": ", ".join(told), "count": len(items), "events": events, "more": max(0, len(items) - SHOWN_EVENTS)}


def _steps(config: Config, dones: Mapping[str, Done], payload: rows.Payload) -> list[dict[str, Any]]:
    """How many of some children each step changed, and how many new items it brought a user in the middle."""
    told = explained(config, dones, _folders(dones)[0], payload, LOOKED_AT)[1]
    found = []
    for place, first in enumerate(told[0] if told else []):
        fired = [steps[place]["parameters"] for steps in told if steps[place]["fired"]]
        new = float(np.median([each["new_items"] for each in fired])) if fired else 0.0
        found.append({"name": first["step"], "changed": len(fired), "of": len(told), "new": new})
    return found


def _refused(dones: Mapping[str, Done], payload: rows.Payload) -> list[dict[str, Any]]:
    """Some refused rows of each stage and reason."""
    found = []
    for key, done in dones.items():
        some = rows.chosen(f"{done.folder}/refused", REFUSED_EACH, ("row_reason",), payload)
        for reason, refused in sorted(rows.grouped(some, "reason").items()):
            told = [{"user": row.label, "source": row.source, "detail": row.detail} for row in refused]
            found.append({"stage": key, "reason": reason, "rows": told})
    return found[: pictures_of.SHOWN_REASONS]


def generator(config: Config, dones: Mapping[str, Done], name: str) -> dict[str, Any]:
    """One generator's training: its curves and what it noted."""
    return pictures_of.generator(config, dones, name)

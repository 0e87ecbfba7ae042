"""What the report shows: charts, rows side by side, neighbours, refusals, lineage, and each generator's training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyarrow import fs

from conf import Config, runs
from conf.runs import Done
from jobs import report_figures as figures
from jobs import report_rows as rows
from jobs.report_facts import judged_line
from udfs.records import ORIGINS

SHOWN_CLASSES = 20
SHOWN_REASONS = 12
SHOWN_GRIDS = 4
SHOWN_CHARTS = 4
FIRST_CHARTS = ("quality", "variety", "loss")  # what says how a training went; the others are for who looks closer
PAIRS_CLOSEST, PAIRS_PER_CLASS = 8, 1
LINEAGE = (("augmented", 2), ("synthetic", 2), ("real", 1))
SHORT_ARMS = {
    "labelled": "+ labelled",
    "augmented": "+ augmented",
    "all": "+ generated",
    "synthetic": "generated alone",
}


def train_counts(config: Config, dones: Mapping[str, Done]) -> dict[str, dict[str, int]]:
    """Train rows by origin and label: the real ones, and those that the gate accepted."""
    found = rows.counts(f"{_real(dones)}/rows/row_split=train")
    if "gate" in dones:
        found |= rows.counts(f"{dones['gate'].folder}/accepted")
    return found


def _real(dones: Mapping[str, Done]) -> str:
    return (dones["label"] if "label" in dones else dones["clean"]).folder


def charts(config: Config, dones: Mapping[str, Done], told_facts: dict[str, Any]) -> dict[str, Any]:
    """The page's charts by name; None where there is nothing to draw."""
    gains = [
        (row["judge"], row["arm"], row["cut"], *row["interval"]) for row in told_facts["gain"] if row["cut"] is not None
    ]
    headline = told_facts["headline"]
    judge = (
        headline.get("judge") if headline.get("judge") in told_facts["curve"] else next(iter(told_facts["curve"]), None)
    )
    found = told_facts["curve"].get(judge)
    best = judged_line(told_facts, judge)
    grown = best["error"] if best and best["judge"] == judge else None
    counts = train_counts(config, dones)
    return {
        "gain": figures.forest(gains, SHORT_ARMS) if gains else None,
        "curve": figures.curve(found["rows"], found["error"], grown, headline) if found and found["rows"] else None,
        "curve_judge": judge,
        "classes": figures.class_counts(counts, _most_changed(config.recipe.labels, counts)),
    }


def _most_changed(labels: list[str], counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The labels to show: all where they are few, else those with the fewest real rows, in their own order."""
    if len(labels) <= SHOWN_CLASSES:
        return labels
    rare = set(sorted(labels, key=lambda label: counts.get("real", {}).get(label, 0))[:SHOWN_CLASSES])
    return [label for label in labels if label in rare]


def pictures(config: Config, dones: Mapping[str, Done], per_strip: int) -> dict[str, Any]:
    """Rows to look at: by class and origin, beside their nearest real ones, refused ones, and where a few come from."""
    train = f"{_real(dones)}/rows/row_split=train"
    accepted = f"{dones['gate'].folder}/accepted" if "gate" in dones else ""
    shown = rows.chosen(train, per_strip) + (rows.chosen(accepted, per_strip) if accepted else [])
    refused = rows.chosen(f"{dones['gate'].folder}/refused", per_strip) if "gate" in dones else []
    return {
        "classes": _by_class(config, shown, refused),
        "unshown_classes": max(0, len(config.recipe.labels) - SHOWN_CLASSES),
        "pairs": _pairs(dones, accepted, train, shown) if accepted else [],
        "refused": _refused(dones, per_strip),
        "lineage": _lineage(shown, train, accepted),
    }


def _by_class(config: Config, shown: list[rows.Shown], refused: list[rows.Shown]) -> list[dict[str, Any]]:
    """A strip for each class and origin; where none was accepted, of the refused ones, which is said."""
    known = {(row.origin, row.label) for row in shown}
    instead = [row for row in refused if (row.origin, row.label) not in known]
    groups: dict[tuple[str, str], list[rows.Shown]] = {}
    for row in (*shown, *instead):
        groups.setdefault((row.origin, row.label), []).append(row)
    found = []
    for label in config.recipe.labels[:SHOWN_CLASSES]:
        strips = []
        for origin in ORIGINS:
            some = groups.get((origin, label), [])
            strip = figures.picture([row.image for row in some])
            was_refused = bool(some) and (origin, label) not in known
            strips.append({"origin": origin, "count": len(some), "strip": strip, "refused": was_refused})
        found.append({"label": label, "strips": strips})
    return found


def _pairs(dones: Mapping[str, Done], accepted: str, train: str, shown: list[rows.Shown]) -> list[dict[str, Any]]:
    """Generated rows beside their nearest train row: the nearest of all, then one of each class."""
    verdicts = f"{dones['score'].folder}/verdicts"
    nearest = rows.by_id([accepted], rows.closest(verdicts, accepted, PAIRS_CLOSEST))
    there = {row.id for row in nearest}
    generated = rows.grouped([row for row in shown if row.origin == "synthetic"], "label")
    usual = [row for made in generated.values() for row in made[:PAIRS_PER_CLASS] if row.id not in there]
    found = []
    for kind, some in (("nearest of all", nearest), ("as they come", usual[:PAIRS_CLOSEST])):
        pairs = [_pair(each) for each in rows.neighbours(verdicts, some, train)]
        found += [{"kind": kind, "pairs": pairs}] if pairs else []
    return found


def _pair(pair: rows.Neighbour) -> dict[str, Any]:
    made, real = figures.picture([pair.row.image]), figures.picture([pair.nearest.image])
    return {"made": made, "real": real, "ratio": pair.ratio, "label": pair.row.label, "id": pair.row.id}


def _refused(dones: Mapping[str, Done], per_strip: int) -> list[dict[str, Any]]:
    """Some refused rows of each stage and reason."""
    found = []
    for key, done in dones.items():
        some = rows.chosen(f"{done.folder}/refused", per_strip, ("row_reason",))
        for reason, refused in sorted(rows.grouped(some, "reason").items()):
            strip = figures.picture([row.image for row in refused])
            found.append({"stage": key, "reason": reason, "count": len(refused), "strip": strip})
    return found[:SHOWN_REASONS]


def _lineage(shown: list[rows.Shown], train: str, accepted: str) -> list[dict[str, Any]]:
    """A few rows and what they were made from."""
    origins = rows.grouped(shown, "origin")
    some = [
        row
        for origin, count in (("augmented", 2), ("synthetic", 2), ("real", 1))
        for row in origins.get(origin, [])[:: max(1, len(origins.get(origin, [])) // count)][:count]
    ]
    parents = {
        row.id: row
        for row in rows.by_id(
            [train, accepted] if accepted else [train], sorted({p for row in some for p in row.parents})
        )
    }
    return [
        {
            "row": row,
            "picture": figures.picture([row.image]),
            "parents": [(p, figures.picture([parents[p].image]) if p in parents else "") for p in row.parents],
        }
        for row in some
    ]


def generator(config: Config, dones: Mapping[str, Done], name: str) -> dict[str, Any]:
    """One generator's training: its curves, its grids of samples by step, and what it noted."""
    done = dones[f"train.{name}"]
    series = curves(runs.read_json(done.folder, "history.json") or [])
    drawn = {title: some for title, some in series.items() if max(map(len, some.values())) > 1}
    pace = "round" if "rounds" in done.counts else "step"
    charts = [(title, figures.lines(drawn[title], pace, title)) for title in _in_order(drawn)]
    image = config.recipe.image
    return {
        "name": name,
        "done": done,
        "trained": trained(done, pace),
        "charts": charts[:SHOWN_CHARTS],
        "more_charts": charts[SHOWN_CHARTS:],
        "last": {title: points[-1][1] for title, some in series.items() for points in some.values()},
        "pace": pace,
        "grids": _grids(done.folder, (image.height, image.width)) if image else [],
        "gate": dones["gate"].counts.get("by", {}).get(f"sample.{name}") if "gate" in dones else None,
    }


def trained(done: Done, pace: str) -> str:
    """How long a training was and which of its states was kept, in words: `1,000 steps on 100 rows`."""
    counts = done.counts
    told = f"{counts[f'{pace}s']:,} {pace}s on {counts['rows']:,} rows" if {f"{pace}s", "rows"} <= counts.keys() else ""
    best = counts.get("best_step")
    attempts = f", in {counts['attempts']} attempts" if counts.get("attempts", 1) > 1 else ""
    return told + attempts + (f"; the state of step {best:,} was kept" if best else "")


def _in_order(drawn: Mapping[str, Any]) -> list[str]:
    """Titles of the charts, the telling ones first."""
    return [title for title in FIRST_CHARTS if title in drawn] + [t for t in drawn if t not in FIRST_CHARTS]


def curves(history: list[dict[str, Any]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """A training's numbers by step: one chart for each kind of number (loss, score), a line for each part that has it.

    A line is named after its part: `critic.fake_score` is the line `critic.fake` in the chart `score`.
    """
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for entry in history:
        for name, value in entry.items():
            if name in ("step", "attempt") or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            chart, line = _chart_and_line(name)
            found.setdefault(chart, {}).setdefault(line, []).append((float(entry.get("step", 0)), float(value)))
    return found


def _chart_and_line(name: str) -> tuple[str, str]:
    """`critic.loss` as (`loss`, `critic`); `critic.fake_score` as (`score`, `critic.fake`); `quality` as itself."""
    part, _, number = name.rpartition(".")
    for kind in ("loss", "score"):
        if number.endswith(f"_{kind}"):
            return kind, f"{part}.{number.removesuffix(f'_{kind}')}".lstrip(".")
    return number.replace("_", " "), part or number


def _grids(folder: str, tile: tuple[int, int]) -> list[tuple[str, str]]:
    """Sample grids by step: the first, the last and some between."""
    system, path = runs.filesystem(folder)
    infos = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    names = sorted(
        (int(matched[1]), info.path) for info in infos if (matched := re.fullmatch(r"grid-(\d+)\.png", info.base_name))
    )
    if len(names) > SHOWN_GRIDS:
        names = [names[round(i * (len(names) - 1) / (SHOWN_GRIDS - 1))] for i in range(SHOWN_GRIDS)]
    found = []
    for step, grid in names:
        with system.open_input_stream(grid) as stream:
            found.append((f"{step:,}", figures.sheet(stream.read(), tile)))
    return [(step, uri) for step, uri in found if uri]

"""The report: one HTML page that opens offline, and metrics.json.

Reads markers and stage folders alone (JSON and Parquet), so it needs no engine. All text of the page comes through a
template that escapes; pictures are re-encoded here and carried inside, and there are fewer of them where the page
would outgrow MAX_BYTES.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
import yaml
from pyarrow import fs

from conf import Config, runs
from conf.runs import Done, StageResult
from conf.stages import keys
from jobs import report_figures as figures
from jobs import report_rows as rows
from jobs.display import told
from jobs.report_facts import ARMS, MEASURES, facts
from jobs.show import METRICS, REPORT, publish_report
from jobs.terminal import in_words
from udfs.records import ORIGINS

MAX_BYTES = 5_000_000
ROOM_BYTES = 200_000
SHOWN_CLASSES = 20
PER_STRIP = (8, 6, 4, 2, 1)  # pictures a strip, fewer where the page would be too large
SHOWN_REASONS = 12
SHOWN_GRIDS = 5
PAIRS_CLOSEST, PAIRS_PER_MAKER = 8, 1
SHORT_ARMS = {
    "labelled": "+ labelled",
    "augmented": "+ augmented",
    "all": "+ generated",
    "synthetic": "generated alone",
}


def run(engine: None, config: Config) -> StageResult:
    """Write report.html and metrics.json of the newest results, into the stage's folder and into the recipe's."""
    place = runs.locate(config, "report")
    told_facts = facts(config, place.inputs)
    page = html(config, place.inputs, told_facts)
    runs.write_bytes(place.folder, REPORT, page)
    runs.write_json(place.folder, METRICS, told_facts)
    publish_report(config, place.folder)
    return StageResult({"bytes": len(page)}, {"report": runs.digest_of(told_facts)})


def html(config: Config, dones: Mapping[str, Done], told_facts: dict[str, Any]) -> bytes:
    """The page, with as many pictures as fit."""
    page = b""
    for per_strip in PER_STRIP:
        page = _rendered(config, dones, told_facts, per_strip)
        if len(page) <= MAX_BYTES - ROOM_BYTES:
            break
    return page


def _rendered(config: Config, dones: Mapping[str, Done], told_facts: dict[str, Any], per_strip: int) -> bytes:
    template = _templates().get_template("report.html")
    values = {
        "facts": told_facts,
        "recipe": config.recipe,
        "resolved": resolved(config),
        "arms": {"real": "real rows alone", **ARMS},
        "measures": MEASURES,
        "tiles": tiles(config, told_facts, dones),
        "charts": charts(config, dones, told_facts),
        **pictures(config, dones, per_strip),
        "generators": [generator(config, dones, g.name) for g in config.recipe.generate],
        "keys": keys(config.recipe),
    }
    return template.render(values).encode()


def _templates() -> jinja2.Environment:
    """The package's templates; everything put into them is escaped, and what is missing is an error."""
    folder = importlib.resources.files("jobs") / "templates"
    loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8"))
    found = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=loader, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Callable[..., str]] = {
        "count": lambda n: "–" if n is None else f"{n:,}",
        "percent": _percent,
        "seconds": in_words,
        "number": _number,
        "told": told,
    }
    found.filters.update(filters)
    return found


def _percent(value: float | None, signed: bool = False) -> str:
    return "–" if value is None else f"{100 * value:{'+' if signed else ''}.1f} %"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def resolved(config: Config) -> str:
    """The whole recipe, defaults and overrides in place, as YAML without credentials."""
    text = yaml.safe_dump(config.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
    text = re.sub(r"(://)[^/\s@'\"]+@", r"\1***@", text)
    return re.sub(r"(?i)([?&][\w-]*(?:sig|token|key|secret|password)[\w-]*=)[^&\s'\"]+", r"\1***", text)


def tiles(config: Config, told_facts: dict[str, Any], dones: Mapping[str, Done]) -> list[tuple[str, str, str]]:
    """The few numbers at the top: (value, name, more)."""
    made = train_counts(config, dones)
    sums = {origin: sum(made.get(origin, {}).values()) for origin in ORIGINS}
    refused = sum(sum(row["refused"].values()) for row in told_facts["stages"])
    best = _judged(told_facts, told_facts["headline"].get("judge"))
    found = [
        (f"{sums['real']:,}", "real train rows", "what there was to learn from"),
        (
            f"{sum(sums.values()):,}",
            "train rows now",
            f"{sums['augmented']:,} augmented, {sums['synthetic']:,} generated",
        ),
        (f"{refused:,}", "rows refused", "each with its reason, in the table quarantine"),
    ]
    if best:
        low, high = best["interval"]
        more = f"{best['judge']}, {ARMS[best['arm']]}; interval {100 * low:.0f} to {100 * high:.0f} %"
        found.insert(2, (_percent(abs(best["cut"])), f"{'fewer' if best['cut'] >= 0 else 'more'} errors on test", more))
    return found


def _judged(told_facts: dict[str, Any], judge: str | None) -> dict[str, Any] | None:
    """The line of the gain table for the whole grown set, by the headline's judge or the first one."""
    lines = [row for row in told_facts["gain"] if row["cut"] is not None and row["arm"] != "synthetic"]
    return next(
        (
            row
            for wanted in (judge, None)
            for arm in ("all", "augmented")
            for row in lines
            if row["arm"] == arm and wanted in (None, row["judge"])
        ),
        None,
    )


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
    best = _judged(told_facts, judge)
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
    return {
        "classes": _by_class(config, shown),
        "unshown_classes": max(0, len(config.recipe.labels) - SHOWN_CLASSES),
        "pairs": _pairs(dones, accepted, train, shown) if accepted else [],
        "refused": _refused(dones, per_strip),
        "lineage": _lineage(shown, train, accepted),
    }


def _by_class(config: Config, shown: list[rows.Shown]) -> list[dict[str, Any]]:
    by_label = rows.grouped(shown, "label")
    found = []
    for label in config.recipe.labels[:SHOWN_CLASSES]:
        origins = rows.grouped(by_label.get(label, []), "origin")
        strips = [
            (origin, len(origins.get(origin, [])), figures.picture([row.image for row in origins.get(origin, [])]))
            for origin in ORIGINS
        ]
        found.append({"label": label, "strips": strips})
    return found


def _pairs(dones: Mapping[str, Done], accepted: str, train: str, shown: list[rows.Shown]) -> list[dict[str, Any]]:
    """Generated rows beside their nearest train row: the nearest of all, then one of each class."""
    verdicts = f"{dones['score'].folder}/verdicts"
    nearest = rows.by_id([accepted], rows.closest(verdicts, accepted, PAIRS_CLOSEST))
    generated = rows.grouped([row for row in shown if row.origin == "synthetic"], "label")
    usual = [
        row
        for made in generated.values()
        for row in made[:PAIRS_PER_MAKER]
        if row.id not in {near.id for near in nearest}
    ]
    found = []
    for kind, some in (("nearest of all", nearest), ("as they come", usual[:PAIRS_CLOSEST])):
        pairs = rows.neighbours(verdicts, some, train)
        found.append(
            (
                kind,
                [
                    {
                        "made": figures.picture([p.row.image]),
                        "real": figures.picture([p.nearest.image]),
                        "ratio": p.ratio,
                        "label": p.row.label,
                        "id": p.row.id,
                    }
                    for p in pairs
                ],
            )
        )
    return [{"kind": kind, "pairs": pairs} for kind, pairs in found if pairs]


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
    history = runs.read_json(done.folder, "history.json") or []
    series = curves(history)
    return {
        "name": name,
        "done": done,
        "charts": [figures.lines(some, "step", title) for title, some in series.items() if some],
        "grids": _grids(done.folder),
        "gate": dones["gate"].counts.get("by", {}).get(f"sample.{name}") if "gate" in dones else None,
    }


def curves(history: list[dict[str, Any]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """A training's numbers by step: losses in one chart, everything else in a chart of its own scale."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for entry in history:
        for name, value in entry.items():
            if name in ("step", "attempt") or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            chart = "loss" if "loss" in name else name.rpartition(".")[2].replace("_", " ")
            found.setdefault(chart, {}).setdefault(name, []).append((float(entry.get("step", 0)), float(value)))
    return dict(list(found.items())[:4])


def _grids(folder: str) -> list[tuple[str, str]]:
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
            found.append((f"{step:,}", figures.sheet(stream.read())))
    return [(step, uri) for step, uri in found if uri]

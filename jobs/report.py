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

from conf import Config, runs
from conf.runs import Done, StageResult
from conf.stages import keys
from jobs import report_behaviour, report_fusion, report_pictures, report_series, report_tables, report_texts
from jobs.display import told
from jobs.report_facts import ARMS, MEASURES, facts, judged_line, nearness
from jobs.show import METRICS, REPORT, publish_report
from jobs.terminal import in_words
from udfs.records import ORIGINS

MAX_BYTES = 5_000_000
ROOM_BYTES = 200_000
QUANTILES = {
    "0": "nearest", "0.01": "1 %", "0.05": "5 %", "0.25": "25 %",
    "0.5": "middle", "0.75": "75 %", "0.95": "95 %", "1": "farthest",
}  # fmt: skip
DISTANCES = {
    "nearest_train_same_number": "generated rows to train rows",
    "nearest_held_out": "generated rows to held-out rows",
    "held_out_to_train": "held-out rows to train rows",
}
PER_STRIP = (8, 6, 4, 2, 1)  # pictures a strip, fewer where the page would be too large


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
    own = {
        "table": report_tables,
        "text": report_texts,
        "series": report_series,
        "behaviour": report_behaviour,
        "fusion": report_fusion,
    }
    shown: Any = own.get(config.recipe.modality, report_pictures)
    values = {
        "facts": told_facts,
        "recipe": config.recipe,
        "resolved": resolved(config),
        "arms": {"real": "real rows alone", **ARMS},
        "measures": MEASURES,
        "quantiles": QUANTILES,
        "distances": DISTANCES,
        "tiles": tiles(told_facts, shown.train_counts(config, dones)),
        "charts": shown.charts(config, dones, told_facts),
        **shown.pictures(config, dones, per_strip),
        "generators": [shown.generator(config, dones, g.name) for g in config.recipe.generate],
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
        "nearness": nearness,
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


def tiles(told_facts: dict[str, Any], made: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, str]]:
    """The few numbers at the top: (value, name, more)."""
    sums = {origin: sum(made.get(origin, {}).values()) for origin in ORIGINS}
    refused = sum(sum(row["refused"].values()) for row in told_facts["stages"])
    best = judged_line(told_facts, told_facts["headline"].get("judge"))
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
        words = f"error ({told_facts['error']})" if told_facts["error"] else "errors"
        less = ("less" if told_facts["error"] else "fewer") if best["cut"] >= 0 else "more"
        found.insert(2, (_percent(abs(best["cut"])), f"{less} {words} on test", more))
    return found

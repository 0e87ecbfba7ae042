"""What the report shows of series: charts, curves by class and origin, generated windows over their nearest real ones,
what each step changed, refusals, lineage.

Curves are drawn as plain lines of SVG, some hundred bytes each, every channel between its least and greatest value
among the windows shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from conf import Config
from conf.runs import Done
from jobs import report_pictures as pictures_of
from jobs import report_rows as rows
from jobs import report_series_figures as drawn
from jobs import report_texts
from jobs.report_facts import read
from jobs.report_figures import COLOURS
from jobs.report_steps import explained
from jobs.report_tables import MEASURES
from jobs.report_texts import generator, train_counts
from udfs.records import ORIGINS

__all__ = ["charts", "generator", "pictures", "train_counts"]

SHOWN_EACH = 5  # windows of each class and origin
SHOWN_CHANNELS = 6
SHOWN_STEPS = 200  # of a curve; longer ones are thinned
SHOWN_MADE = 3  # generators whose bands and spectra are drawn
PAIRS = 4  # generated windows over their nearest train windows, of each kind
LOOKED_AT = 400  # children whose steps are looked at, of the lowest hashes
REFUSED_EACH = 2
WIDTH, HEIGHT, EDGE = 120, 44, 2
ALL = "all windows"
PAYLOAD = rows.Payload("label", ("label", "series"))
Span = tuple[float, float]
Window = NDArray[np.float64]  # (T, C)


def charts(config: Config, dones: Mapping[str, Done], told_facts: dict[str, Any]) -> dict[str, Any]:
    """The page's charts by name; None where there is nothing to draw."""
    found = report_texts.charts(config, dones, told_facts)
    return found | _of_sets(read(dones, "evaluate", "evaluate.json").get("series") or {}, config)


def _of_sets(told: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Bands, correlations and spectra by channel, windows on planes."""
    wanted = [each.name for each in config.recipe.generate] or ["augmented"]
    made = [name for name in wanted if name in told.get("bands", {})][:SHOWN_MADE]
    if not made:
        return {"bands": [], "over_time": [], "planes": []}
    names = list(enumerate(told["channels"]))
    return {
        "bands": [(name, drawn.band(told["bands"], at, name, made)) for at, name in names],
        "over_time": [(name, drawn.over_time(told, at, name, made)) for at, name in names],
        "planes": _planes(told["planes"], made),
    }


def _planes(told: Mapping[str, Any], made: Sequence[str]) -> list[tuple[str, Markup]]:
    """Windows on the plane of most variance, and on one that keeps neighbours together."""
    if not told:
        return []
    first, second = told["explained"]
    axes = (f"first axis, {100 * first:.0f} % of the variance", f"second, {100 * second:.0f} %")
    title = "Real and made windows on "
    return [
        ("Principal axes", drawn.plane(told["pca"], made, axes, f"{title}the first two principal axes")),
        ("Neighbours (t-SNE)", drawn.plane(told["tsne"], made, ("", ""), f"{title}a plane that keeps neighbours")),
    ]


def pictures(config: Config, dones: Mapping[str, Done], per_strip: int) -> dict[str, Any]:
    """Curves to look at: of each class and origin, what steps changed, refused rows, and where a few come from."""
    train = f"{dones['clean'].folder}/rows/row_split=train"
    accepted = f"{dones['gate'].folder}/accepted" if "gate" in dones else ""
    by = ("row_origin", "label") if config.recipe.labels else ("row_origin",)
    shown = rows.chosen(train, SHOWN_EACH, by, PAYLOAD)
    shown += rows.chosen(accepted, SHOWN_EACH, by, PAYLOAD) if accepted else []
    origins = rows.grouped(shown, "origin")
    form = config.recipe.series
    assert form is not None
    channels = form.channels[:SHOWN_CHANNELS]
    windows = {row.id: _window(row, len(form.channels)) for row in shown}
    spans = [_span([each[:, place] for each in windows.values()]) for place in range(len(channels))]
    classes = config.recipe.labels[: pictures_of.SHOWN_CLASSES] or [""]  # rows without a label have that for one
    return {
        "channels": channels,
        "classes": [_class(label, shown, windows, spans, per_strip) for label in classes],
        "pairs": _pairs(config, dones, train, accepted, shown) if accepted else [],
        "repairs": dones["clean"].counts.get("changed", {}),
        "steps": _steps(config, dones, train) if "augment" in dones else [],
        "refused": _refused(dones),
        "lineage": [row for origin, count in pictures_of.LINEAGE for row in origins.get(origin, [])[:count]],
        "measure_names": MEASURES,
    }


def _window(row: rows.Shown, channels: int) -> Window:
    """(T, C)."""
    values = [np.nan if value is None else value for value in row.cells.get("series") or []]
    return np.array(values, np.float64).reshape(-1, channels)


def _span(curves: Sequence[Window]) -> Span:
    """The least and greatest value of some curves."""
    told = np.concatenate([np.zeros(0), *curves])
    told = told[np.isfinite(told)]
    return (float(told.min()), float(told.max())) if len(told) else (0.0, 1.0)


def _class(
    label: str, shown: list[rows.Shown], windows: Mapping[str, Window], spans: Sequence[Span], most: int
) -> dict[str, Any]:
    """The curves of some windows of a class, by origin, a picture for each channel."""
    mine = rows.grouped([row for row in shown if row.label == label], "origin")
    told = []
    for origin in ORIGINS:
        some = [windows[row.id] for row in mine.get(origin, [])[:most]]
        if some:
            title = f"{label or ALL}, {origin}"
            drawn = [curves([w[:, at] for w in some], span, COLOURS[origin], title) for at, span in enumerate(spans)]
            told.append((origin, drawn))
    return {"label": label or ALL, "origins": told}


def curves(some: Sequence[Window], span: Span, colour: str, title: str) -> Markup:
    """Curves over one another as inline SVG; what is missing leaves a gap."""
    low, high = span
    lines = [_line(curve, low, high - low or 1.0) for curve in some]
    paths = Markup("").join(Markup('<path d="{}"/>').format(line) for line in lines)
    head = Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" fill="none" stroke="{}">')
    return head.format(title, WIDTH, HEIGHT, WIDTH, colour) + paths + Markup("</svg>")


def _pairs(
    config: Config, dones: Mapping[str, Done], train: str, accepted: str, shown: list[rows.Shown]
) -> list[dict[str, Any]]:
    """Generated windows over their nearest train windows: the nearest of all, then some as they come."""
    form = config.recipe.series
    assert form is not None
    verdicts = f"{dones['score'].folder}/verdicts"
    nearest = rows.by_id([accepted], rows.closest(verdicts, accepted, PAIRS), PAYLOAD)
    there = {row.id for row in nearest}
    usual = [row for row in shown if row.origin == "synthetic" and row.id not in there][:PAIRS]
    found = []
    for kind, some in (("nearest of all", nearest), ("as they come", usual)):
        pairs = [_pair(each, len(form.channels)) for each in rows.neighbours(verdicts, some, train, PAYLOAD)]
        found += [{"kind": kind, "pairs": pairs}] if pairs else []
    return found


def _pair(pair: rows.Neighbour, channels: int) -> dict[str, Any]:
    """The curves of both, a picture for each channel on its own scale."""
    made, real = (_window(row, channels) for row in (pair.row, pair.nearest))
    pictures = []
    for at in range(min(channels, SHOWN_CHANNELS)):
        both = [real[:, at], made[:, at]]
        span = _span(both)
        under = curves(both[:1], span, COLOURS["real"], "the nearest train window")
        over = curves(both[1:], span, COLOURS["synthetic"], "the generated window")
        pictures.append((under, over))
    return {"label": pair.row.label, "ratio": pair.ratio, "pictures": pictures}


def _line(curve: Window, low: float, width: float) -> str:
    """A curve as an SVG path."""
    places = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), SHOWN_STEPS)).round().astype(np.int64))
    across = EDGE + (WIDTH - 2 * EDGE) * places / max(1, len(curve) - 1)
    down = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (curve[places] - low) / width
    told, pen = [], "M"
    for x, y in zip(across.tolist(), down.tolist(), strict=True):
        if np.isfinite(y):
            told.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(told)


def _steps(config: Config, dones: Mapping[str, Done], train: str) -> list[dict[str, Any]]:
    """How many of some children each step changed, and by how much at most."""
    told = explained(config, dones, train, PAYLOAD, LOOKED_AT)[1]
    found = []
    for place, first in enumerate(told[0] if told else []):
        moved = [steps[place]["parameters"]["moved"] for steps in told if steps[place]["fired"]]
        middle = float(np.median(moved)) if moved else 0.0
        found.append({"name": first["step"], "changed": len(moved), "of": len(told), "moved": middle})
    return found


def _refused(dones: Mapping[str, Done]) -> list[dict[str, Any]]:
    """Some refused rows of each stage and reason."""
    found = []
    for key, done in dones.items():
        some = rows.chosen(f"{done.folder}/refused", REFUSED_EACH, ("row_reason",), PAYLOAD)
        for reason, refused in sorted(rows.grouped(some, "reason").items()):
            told = [{"label": row.label, "source": row.source, "detail": row.detail} for row in refused]
            found.append({"stage": key, "reason": reason, "rows": told})
    return found[: pictures_of.SHOWN_REASONS]

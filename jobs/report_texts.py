"""What the report shows of texts: charts, texts by class and origin, what each step changed, refusals, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conf import Config
from conf.runs import Done
from jobs import report_figures as figures
from jobs import report_pictures as pictures_of
from jobs import report_rows as rows
from jobs.report_facts import judged_line
from jobs.report_steps import explained
from jobs.report_tables import MEASURES
from udfs.records import ORIGINS

SHOWN_CHARACTERS = 300
SHOWN_EACH = 3  # texts of each class and origin
LOOKED_AT = 600  # children whose steps are looked at, of the lowest hashes
EXAMPLES = 2  # of what a step changed
REFUSED_EACH = 2
PAYLOAD = rows.Payload("label", ("label", "text"))


def _real(dones: Mapping[str, Done]) -> str:
    return dones["clean"].folder


def train_counts(config: Config, dones: Mapping[str, Done]) -> dict[str, dict[str, int]]:
    """Train rows by origin and label: the real ones, and those that the gate accepted."""
    found = rows.counts(f"{_real(dones)}/rows/row_split=train")
    if "gate" in dones:
        found |= rows.counts(f"{dones['gate'].folder}/accepted")
    return found


def charts(config: Config, dones: Mapping[str, Done], told_facts: dict[str, Any]) -> dict[str, Any]:
    """The page's charts by name; None where there is nothing to draw."""
    gains = [(row["judge"], row["arm"], row["cut"], *row["interval"]) for row in told_facts["gain"] if row["interval"]]
    headline, labels = told_facts["headline"], config.recipe.labels
    judge = headline.get("judge") or next(iter(told_facts["curve"]), None)
    found, best = told_facts["curve"].get(judge), judged_line(told_facts, judge)
    grown = best["error"] if best and best["judge"] == judge else None
    curve = None
    if found and found["rows"]:
        curve = figures.curve(found["rows"], found["error"], grown, headline, f"error ({told_facts['error']})")
    return {
        "gain": figures.forest(gains, pictures_of.SHORT_ARMS) if gains else None,
        "curve": curve,
        "curve_judge": judge,
        "classes": figures.class_counts(train_counts(config, dones), labels) if labels else None,
    }


def pictures(config: Config, dones: Mapping[str, Done], per_strip: int) -> dict[str, Any]:
    """Texts to look at: of each class and origin, by step, refused ones, and where a few come from."""
    train = f"{_real(dones)}/rows/row_split=train"
    accepted = f"{dones['gate'].folder}/accepted" if "gate" in dones else ""
    shown = rows.chosen(train, SHOWN_EACH, payload=PAYLOAD)
    shown += rows.chosen(accepted, SHOWN_EACH, payload=PAYLOAD) if accepted else []
    origins = rows.grouped(shown, "origin")
    return {
        "classes": [_class(label, shown) for label in config.recipe.labels[: pictures_of.SHOWN_CLASSES]],
        "repairs": dones["clean"].counts.get("changed", {}),
        "steps": _steps(config, dones, train) if "augment" in dones else [],
        "looked_at": LOOKED_AT,
        "refused": _refused(dones),
        "lineage": [row for origin, count in pictures_of.LINEAGE for row in origins.get(origin, [])[:count]],
        "measure_names": MEASURES,
    }


def _class(label: str, shown: list[rows.Shown]) -> dict[str, Any]:
    """Some texts of a class, by origin."""
    mine = rows.grouped([row for row in shown if row.label == label], "origin")
    return {"label": label, "origins": [(origin, list(map(_said, mine.get(origin, [])))) for origin in ORIGINS]}


def _said(row: rows.Shown) -> dict[str, str]:
    return {"id": row.id, "text": short(row.cells.get("text")), "detail": row.detail}


def short(text: Any) -> str:
    """A text that takes a few lines at most."""
    told = "" if text is None else str(text)
    return told if len(told) <= SHOWN_CHARACTERS else f"{told[:SHOWN_CHARACTERS]}…"


def _steps(config: Config, dones: Mapping[str, Done], train: str) -> list[dict[str, Any]]:
    """How many of some children each step changed, with a few texts before and after it."""
    whole, told = explained(config, dones, train, PAYLOAD, LOOKED_AT)
    if whole is None:
        return []
    return _by_step(whole.column("text").to_pylist(), told)


def _by_step(before: list[str], told: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of each step of the list: its name, the share of texts that it changed, examples."""
    found = []
    texts = list(before)
    for place, first in enumerate(told[0]):
        changed = [row for row, steps in enumerate(told) if steps[place]["fired"]]
        after = {row: told[row][place]["parameters"]["text"] for row in changed}
        shown = sorted(changed, key=lambda row: (len(texts[row]) > SHOWN_CHARACTERS, row))[:EXAMPLES]
        found.append(
            {
                "name": first["step"],
                "changed": len(changed),
                "of": len(told),
                "examples": [(short(texts[row]), short(after[row])) for row in shown],
            }
        )
        texts = [after.get(row, text) for row, text in enumerate(texts)]
    return found


def _refused(dones: Mapping[str, Done]) -> list[dict[str, Any]]:
    """Some refused rows of each stage and reason."""
    found = []
    for key, done in dones.items():
        some = rows.chosen(f"{done.folder}/refused", REFUSED_EACH, ("row_reason",), PAYLOAD)
        for reason, refused in sorted(rows.grouped(some, "reason").items()):
            found.append({"stage": key, "reason": reason, "rows": list(map(_said, refused))})
    return found[: pictures_of.SHOWN_REASONS]


def generator(config: Config, dones: Mapping[str, Done], name: str) -> dict[str, Any]:
    """One generator's training: its curves and what it noted."""
    return pictures_of.generator(config, dones, name)

"""What a run came to, in numbers and plain sentences: the content of metrics.json and of the report's text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conf import Config, runs
from conf.runs import Done
from jobs.display import total

ARMS = {
    "labelled": "real + labelled by judges",
    "augmented": "real + augmented",
    "all": "real + augmented + generated",
    "synthetic": "generated alone",
}
MEASURES = ("frechet", "kernel", "precision", "recall", "density", "coverage", "spread")
WRONG_ANSWERS = ("made fewer errors", "made more errors")
CLEARLY_NEARER = 0.05  # as a share of the distance to rows that were never seen
ROWS_ARE_OUT = ("ingest", "merge")  # stages whose count `rows` is what came out of them


def facts(config: Config, dones: Mapping[str, Done]) -> dict[str, Any]:
    """Everything that is said in numbers, as plain JSON."""
    told = read(dones, "evaluate", "evaluate.json")
    judged = read(dones, "score", "usefulness.json")
    gains = gain_rows(told)
    return {
        "recipe": config.recipe.name,
        "headline": headline(told, dones),
        "headlines": told.get("headlines") or {},
        "verdict": verdict(gains, grown_arm(config, gains), told.get("error", "")),
        "stages": [stage_row(each) for each in dones.values()],
        "balanced": all(row["adds_up"] is not False for row in map(stage_row, dones.values())),
        "seconds": round(sum(each.seconds for each in dones.values()), 1),
        "gain": gains,
        "choice": read(dones, "choose", runs.CHOICE),
        "usefulness": decisions(judged),
        "usefulness_details": judged,
        "judges": told.get("judges", {}),
        "curve": told.get("curve", {}),
        "quality": told.get("quality", {}),
        "privacy": told.get("privacy", {}),
        "reconstruction": told.get("reconstruction", {}),
        "error": told.get("error", ""),
        "two_sample": told.get("two_sample", {}),
        "lopsided": told.get("lopsided"),
        "series": told.get("series", {}),
        "floor": told.get("floor"),
        "notes": [{"stage": each.key, "text": note} for each in dones.values() for note in each.notes],
        "fingerprints": {key: each.fingerprint for key, each in dones.items()},
        "versions": {table: version for each in dones.values() for table, version in each.versions.items()},
    }


def read(dones: Mapping[str, Done], stage: str, name: str) -> dict[str, Any]:
    """A stage's JSON file; {} where the recipe has no such stage."""
    found = runs.read_json(dones[stage].folder, name) if stage in dones else None
    return found if isinstance(found, dict) else {}


def headline(told: Mapping[str, Any], dones: Mapping[str, Done]) -> dict[str, Any]:
    """What evaluate put at the head of everything, or the plain fact that nothing was added or measured."""
    found = told.get("headline") or {}
    return {"extrapolated": False, **found, "text": found.get("text") or _nothing(dones)}


def _nothing(dones: Mapping[str, Done]) -> str:
    """Why there is no figure."""
    if "gate" not in dones:
        return "nothing was added: the recipe makes no rows"
    made, accepted = total(dones["gate"].counts.get("in")), total(dones["gate"].counts.get("accepted"))
    if not made:
        return "nothing was added: no candidate for augment was clearly better than no made rows"
    if not accepted:
        return f"nothing was added: all {made or 0:,} made rows were refused"
    return f"{accepted:,} rows were added; what they are worth could not be measured"


def gain_rows(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line per judge and arm: rows, error, cut of the error with its interval, and that in words."""
    found = []
    for judge, arms in told.get("judges", {}).items():
        real = arms.get("real")
        for arm in ("real", *ARMS):
            if arm in arms:
                found.append(_gain_row(judge, arm, arms[arm], real, told.get("gain", {}).get(judge, {}).get(arm)))
    return found


def _gain_row(judge: str, arm: str, scored: Any, real: Any, gain: Any) -> dict[str, Any]:
    errors = np.asarray(scored["error"], dtype=float) if "error" in scored else 1 - np.asarray(scored["accuracy"])
    doubt = scored.get("cross_entropy") or scored.get("log_loss")
    row = {
        "judge": judge,
        "arm": arm,
        "rows": scored.get("rows"),
        "error": float(errors.mean()),
        "error_std": float(errors.std(ddof=1)) if len(errors) > 1 else None,
        "cross_entropy": float(np.mean(doubt)) if doubt else None,
        "seeds": len(errors),
        "cut": None,
        "interval": None,
        "words": "the yardstick" if arm == "real" else "",
    }
    if gain and arm != "real" and real is not None:
        low, high = gain["interval"]
        row |= {"cut": gain["error_cut"], "interval": [low, high], "words": in_words(low, high)}
    return row


def judged_line(told_facts: dict[str, Any], judge: str | None) -> dict[str, Any] | None:
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


def in_words(low: float, high: float) -> str:
    """What an interval of the error's cut says."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference that could be measured"


def grown_arm(config: Config, gains: list[dict[str, Any]]) -> str:
    """The arm that is the published dataset; "" where nothing was added."""
    wanted = ("synthetic",) if config.recipe.publish == "synthetic_only" else ("all", "augmented", "labelled")
    return next((arm for arm in wanted if any(row["arm"] == arm for row in gains)), "")


def verdict(gains: list[dict[str, Any]], arm: str, error: str = "") -> dict[str, str]:
    """One plain sentence on what the rows of `arm` do: `kind` is good, none, mixed or bad.

    `error` names what is measured where that is not a share of wrong answers.
    """
    fewer, more_of = (f"had a smaller error ({error})", f"had a larger error ({error})") if error else WRONG_ANSWERS
    best = [row for row in gains if row["arm"] == arm and row["interval"]]
    if not best:
        return {"kind": "none", "text": "There is no gain to report. The table below says what was refused, and why."}
    better = [row["judge"] for row in best if row["words"] == "better"]
    worse = [row["judge"] for row in best if row["words"] == "worse"]
    if better and not worse:
        rest = len(best) - len(better)
        more = f"; {rest} other{'s' if rest > 1 else ''} saw no difference that could be measured" if rest else ""
        return {
            "kind": "good",
            "text": f"With the made rows, {_listed(better)} {fewer} on real test rows{more}.",
        }
    if worse and not better:
        return {
            "kind": "bad",
            "text": f"The made rows do harm: with them, {_listed(worse)} {more_of} on real test rows.",
        }
    if better and worse:
        return {
            "kind": "mixed",
            "text": f"The made rows help {_listed(better)}, harm {_listed(worse)}: go by the one most like your model.",
        }
    return {
        "kind": "none",
        "text": "The made rows gain nothing that could be measured: every interval holds zero. Real rows do as well.",
    }


def _listed(names: list[str]) -> str:
    """`the judge cnn`, `the judges cnn and svc`."""
    if len(names) == 1:
        return f"the judge {names[0]}"
    return f"the judges {', '.join(names[:-1])} and {names[-1]}"


def nearness(found: Mapping[str, Any]) -> str:
    """What the distances of a generator's rows say: how much nearer its middle row is to train rows than to others."""
    to_train, to_others = (found.get(name) for name in ("nearest_train_same_number", "nearest_held_out"))
    copies = f"{found['copies']:,} copies of train rows were found" if found.get("copies") else "no copy was found"
    if not isinstance(to_train, Mapping) or not isinstance(to_others, Mapping) or not to_others.get("0.5"):
        return f"{copies[:1].upper()}{copies[1:]}."
    share = 1 - to_train["0.5"] / to_others["0.5"]
    if share < CLEARLY_NEARER:
        return f"Its rows lie no nearer to the rows that it learned from than to rows it never saw; {copies}."
    return (
        f"Its middle row lies {100 * share:.0f} % nearer to a row that it learned from than to one that it never saw:"
        f" it keeps close to its train rows; {copies}."
    )


def decisions(judged: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the usefulness test decided on each kind of made rows."""
    found = []
    entries = {
        **({"augmented rows": judged["augmented"]} if judged.get("augmented") else {}),
        **(judged.get("generated") or {}),
    }
    for name, entry in entries.items():
        errors = entry.get("val_error") if isinstance(entry.get("val_error"), dict) else {}
        found.append(
            {
                "name": name,
                "verdict": str(entry.get("verdict", "not_judged")).replace("_", " "),
                "share": entry.get("share"),
                "errors": {key: value for key, value in errors.items() if isinstance(value, int | float)},
                "interval": entry.get("interval"),
                "why": str(entry.get("why", "")).replace("sample.", ""),
            }
        )
    return found


def stage_row(done: Done) -> dict[str, Any]:
    """What went into a stage and what came out; `adds_up` is None where rows are neither passed on nor made."""
    counts = done.counts
    if "sources" in counts:
        counts = _summed(counts["sources"])
    refused = counts.get("refused", {})
    refused = refused if isinstance(refused, dict) else {"refused": refused}
    row: dict[str, Any] = {
        "key": done.key,
        "seconds": done.seconds,
        "in": total(counts.get("in")),
        "planned": total(counts.get("planned")),
        "out": _out(done.stage, counts),
        "refused": {reason: total(count) or 0 for reason, count in refused.items()},
        "merged": total(counts.get("merged")) or 0,
        "left_out": total(counts.get("left_out")) or 0,
        "more": {
            name: total(counts[name])
            for name in ("inserted", "updated", "deleted", "waiting", "steps")
            if total(counts.get(name)) is not None
        },
        "adds_up": None,
    }
    away = sum(row["refused"].values()) + row["merged"] + row["left_out"]
    if row["in"] is not None and row["out"] is not None:
        row["adds_up"] = row["in"] == row["out"] + away
    elif row["planned"] is not None and row["out"] is not None:
        row["adds_up"] = row["planned"] == row["out"]
    return row


def _out(stage: str, counts: Mapping[str, Any]) -> int | None:
    """How many rows a stage passed on or made."""
    names = ("kept", "accepted", "staged", *(["rows"] if stage in ROWS_ARE_OUT else []))
    return next((total(counts[name]) for name in names if name in counts), None)


def _summed(sources: Mapping[str, Any]) -> dict[str, Any]:
    """Ingest's counts over all sources."""
    refused: dict[str, int] = {}
    for source in sources.values():
        for reason, count in (source.get("refused") or {}).items():
            refused[reason] = refused.get(reason, 0) + count
    names = ("in", "kept", "merged", "left_out", "joined")
    summed = {name: sum(source.get(name) or 0 for source in sources.values()) for name in names}
    return {**summed, "merged": summed["merged"] + summed.pop("joined"), "refused": refused}

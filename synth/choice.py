"""Which candidate for augment is taken, by what judges got wrong on the folds that they had not seen.

A candidate is taken only where it is clearly better than no made rows: the interval of the paired difference (bootstrap
over rows and repeats, pooled over judges) lies below zero by the errors, or by the Brier score while errors do not
rise; and no judge is clearly worse. The first repeat is for all of them, the others for the few that did best in it:
what is far behind after one is not worth more. Of several the one with the fewest errors, of those that were tried in
all repeats: other folds are harder or easier, so errors of fewer repeats do not stand beside theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conf.schema import NO_STEPS, Augment
from synth.decide import CLEAR, INTERVAL, Codes, Comparison, Losses, compare

FINALISTS = 3  # candidates that are tried in all repeats
Hear = Callable[[Sequence[str], range], Mapping[str, Losses]]  # of candidates and repeats: losses, a seed each repeat


def finalists(names: Sequence[str], first: Mapping[str, Losses]) -> list[str]:
    """The few candidates that did best, in their order."""
    best = sorted(names, key=lambda name: _rank(first[name]))[:FINALISTS]
    return [name for name in names if name in best]


def _rank(found: Losses) -> tuple[float, float]:
    return found.error(), found.mean_brier()


def heard(augment: Augment, hear: Hear) -> dict[str, Losses]:
    """The losses of `none` and of every candidate, those of the finalists over all repeats."""
    names = [each.name for each in augment.candidates]
    first = dict(hear([NO_STEPS, *names], range(1)))
    last = finalists(names, first)
    if augment.repeats == 1:
        return first
    more = hear([NO_STEPS, *last], range(1, augment.repeats))
    return {name: found.with_seeds(more[name]) if name in more else found for name, found in first.items()}


def decided(augment: Augment, found: Mapping[str, Losses], seed: int, groups: Codes | None = None) -> dict[str, Any]:
    """choice.json's part on the candidates: which was chosen, why, and how each did against none.

    `groups` says which rows tell much the same; a bootstrap draws them together.
    """
    told = [_told(augment, name, found, seed, groups) for name in found]
    names = [each["name"] for each in told if each["verdict"] == "better"]
    chosen = min(names, key=lambda name: (-found[name].seeds, _rank(found[name])), default=NO_STEPS)
    for each in told:
        each["verdict"] = "chosen" if each["name"] == chosen else each["verdict"]
    plan = augment.of(chosen)
    return {
        "chosen": chosen,
        "plan": None if plan is None else plan.model_dump(mode="json", include={"copies", "steps"}),
        "why": _why(chosen, found),
        "candidates": told,
    }


def _told(augment: Augment, name: str, found: Mapping[str, Losses], seed: int, groups: Codes | None) -> dict[str, Any]:
    """One candidate beside none, on the repeats that both were tried in."""
    own, plan = found[name], augment.of(name)
    said: dict[str, Any] = {
        "name": name,
        "steps": [step.name for step in plan.steps] if plan else [],
        "copies": plan.copies if plan else 0,
        "repeats": own.seeds,
        "error": {judge: float(wrong.mean()) for judge, wrong in own.wrong.items()},
        "brier": {judge: float(each.mean()) for judge, each in own.brier.items()},
        "change": None,
        "interval": None,
        "verdict": "not_better",
    }
    if name == NO_STEPS:
        return said
    comparison = compare(found[NO_STEPS].first_seeds(own.seeds), own, seed, groups)
    return said | {
        "change": comparison.with_ - comparison.without,
        "interval": list(comparison.interval),
        "worse_probability": comparison.worse_by,
        "verdict": _verdict(comparison),
    }


def _verdict(comparison: Comparison) -> str:
    """`better`, `worse` or `not_better` than no made rows."""
    by = comparison.worse_by
    if comparison.worse or any(share >= CLEAR for share in by.values()):
        return "worse"
    fewer = by["errors"] <= INTERVAL[0]
    surer = by["brier"] <= INTERVAL[0] and comparison.with_ <= comparison.without
    return "better" if fewer or surer else "not_better"


def _why(chosen: str, found: Mapping[str, Losses]) -> str:
    """A sentence for a person."""
    count = len(found) - 1
    if chosen == NO_STEPS:
        what = f"none of {count} candidates is" if count > 1 else "the one candidate is not"
        return f"{what} clearly better than no made rows on train rows held out, so augment makes none"
    own = found[chosen]
    before = found[NO_STEPS].first_seeds(own.seeds)
    return (
        f"{chosen} is the best of {count} candidates on train rows held out: an error of {own.error():.3f} instead of"
        f" {before.error():.3f}, averaged over judges"
    )

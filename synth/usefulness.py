"""Which made rows are worth having: the comparisons that score makes on val.

First: no made rows, the augmented ones, and all of each generator's on top of the augmented ones. Where augmented rows
do harm, generators are asked again without them; where all of a generator's do, a smaller share of them is tried. Last:
all that were kept, together; rows may be of use one by one and harm together, and then only the best generator's are
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf import Config
from synth.arms import Pool, cut_at
from synth.decide import LEAST_ROWS, Comparison, Losses, compare, halves, losses
from synth.duty import Duty, effort_of

TRAIN = "real"
AUGMENT = "augment"
ALL = 1.0
LESS = 0.3  # of a generator's rows: tried where all of them do harm
SEEDS = 2  # judges of each kind at most: a yes or no needs fewer than a measurement
STEPS_SHARE = 0.5  # of evaluate's steps
Arm = tuple[tuple[str, float], ...]  # (stage that made the rows, share of them); real train rows are in every arm
Said = Mapping[str, Sequence[NDArray[np.float32]]]  # by judge, for each seed: an answer to each val row
Ask = Callable[[Sequence[Duty]], Sequence[NDArray[np.float32]]]  # what each judge, once trained, says of val
Measure = Callable[[Said, Any], Losses]  # the losses of what was said of these rows


def of_classes(said: Said, rows: Any) -> Losses:
    """Wrong answers and Brier scores of probabilities."""
    return losses(said, rows.labels)


def usefulness(
    config: Config, val: Pool, made: Mapping[str, Pool], ask: Ask, measure: Measure = of_classes
) -> dict[str, Any]:
    """usefulness.json: a verdict on the augmented rows, on each generator's, and every candidate that was tried.

    `made` holds the rows that passed one by one, by the key of their stage (`augment`, `sample.image_gan`).
    """
    court = Court(config, val, made, ask, measure)
    entries: dict[str, dict[str, Any]] = {}
    if len(court.confirming) >= LEAST_ROWS and any(map(len, made.values())):
        base = _augmented(court, entries)
        kept = _generated(court, base, entries)
        _together(court, base, kept, entries)
    missing = {key: _not_judged(court, key) for key in made if key not in entries}
    every = {key: _enforced(config, entry) for key, entry in {**entries, **missing}.items()}
    generated = {key.partition(".")[2]: entry for key, entry in every.items() if key != AUGMENT}
    return {"augmented": every.get(AUGMENT), "generated": generated, "candidates": court.told()}


class Court:
    """Has judges trained, and remembers what those of each arm said of val."""

    def __init__(self, config: Config, val: Pool, made: Mapping[str, Pool], ask: Ask, measure: Measure) -> None:
        self.config, self.made, self._val, self._ask, self._measure = config, made, val, ask, measure
        self.choosing, self.confirming = halves(val.rows.labels, val.rows.group_codes())
        overlapping = config.recipe.modality == "series"  # windows of one stretch of time tell much the same
        self.groups = val.rows.group_codes() if overlapping else None
        self.generators = [key for key, pool in made.items() if key != AUGMENT and len(pool)]
        self._known: dict[Arm, Losses] = {}

    def hear(self, arms: Sequence[Arm]) -> None:
        """Have judges trained on these arms, all at once."""
        fresh = [arm for arm in dict.fromkeys(arms) if arm not in self._known]
        told = self.config.recipe.evaluate
        seeds = range(min(SEEDS, told.seeds))
        duties = [self._duty(arm, kind, seed) for arm in fresh for kind in told.judges for seed in seeds]
        answers = iter(self._ask(duties))
        for arm in fresh:
            said = {str(kind): [next(answers) for _ in seeds] for kind in told.judges}
            self._known[arm] = self._measure(said, self._val.rows)

    def _duty(self, arm: Arm, kind: str, seed: int) -> Duty:
        recipe = self.config.recipe
        places = {TRAIN: None, **{key: self.made[key].below(cut_at(share)) for key, share in arm}}
        return Duty(kind, recipe.seed + seed, effort_of(self.config, STEPS_SHARE), len(recipe.labels), places)

    def at_first(self, arm: Arm) -> Losses:
        """Losses on the rows to choose by."""
        return self._known[arm].of(self.choosing)

    def compare(self, without: Arm, with_: Arm, first: bool = False) -> Comparison:
        """One arm against another, on the rows to confirm by (or to choose by)."""
        rows = self.choosing if first else self.confirming
        groups = None if self.groups is None else self.groups[rows]
        return compare(self._known[without].of(rows), self._known[with_].of(rows), self.config.recipe.seed, groups)

    def told(self) -> list[dict[str, Any]]:
        """Every arm that was tried, with its error on all val rows, by judge."""
        return [
            {"made": dict(arm), "val_error": {judge: float(wrong.mean()) for judge, wrong in each.wrong.items()}}
            for arm, each in self._known.items()
        ]


def _augmented(court: Court, entries: dict[str, dict[str, Any]]) -> Arm:
    """Judge the augmented rows; what generators are then judged on top of."""
    if not len(court.made.get(AUGMENT, ())):
        court.hear([(), *_candidates(court, ())])
        return ()
    arm: Arm = ((AUGMENT, ALL),)
    court.hear([(), arm, *_candidates(court, arm)])
    first, last = court.compare((), arm, first=True), court.compare((), arm)
    worse = first.worse or last.worse
    entries[AUGMENT] = _entry(court, AUGMENT, 0.0 if worse else 1.0, first if first.worse else last)
    if not worse:
        return arm
    court.hear(_candidates(court, ()))
    return ()


def _candidates(court: Court, base: Arm) -> list[Arm]:
    return [_with(base, key, ALL) for key in court.generators]


def _with(base: Arm, key: str, share: float) -> Arm:
    return (*base, (key, share))


def _generated(court: Court, base: Arm, entries: dict[str, dict[str, Any]]) -> Arm:
    """Choose each generator's share on one half of val and confirm it on the other; returns those that are kept."""
    shares = {key: LESS if _harms(court, base, key, ALL) else ALL for key in court.generators}
    court.hear([_with(base, key, share) for key, share in shares.items()])
    kept: list[tuple[str, float]] = []
    for key, share in shares.items():
        with_ = _with(base, key, share)
        harms = _harms(court, base, key, share)
        comparison = court.compare(base, with_, first=harms)
        entries[key] = _entry(court, key, 0.0 if comparison.worse else share, comparison)
        if not comparison.worse:
            kept.append((key, share))
    return tuple(kept)


def _harms(court: Court, base: Arm, key: str, share: float) -> bool:
    """Whether judges are clearly worse with this share of the generator's rows, on the rows to choose by."""
    return court.compare(base, _with(base, key, share), first=True).worse


def _together(court: Court, base: Arm, kept: Arm, entries: dict[str, dict[str, Any]]) -> None:
    """Where all that were kept are worse together than the best of them alone, keep the best alone."""
    if len(kept) < 2:
        return
    court.hear([(*base, *kept)])
    best = min(kept, key=lambda one: court.at_first((*base, one)).mean_brier())
    for first in (True, False):
        comparison = court.compare((*base, best), (*base, *kept), first=first)
        if comparison.worse:
            for key, _ in kept:
                if key != best[0]:
                    why = f"of use alone, but worse together with {best[0]}"
                    entries[key] = {**_entry(court, key, 0.0, comparison), "why": why}
            return


def _entry(court: Court, key: str, share: float, comparison: Comparison) -> dict[str, Any]:
    verdict = "kept" if share else "worse"
    return {"verdict": verdict, "share": share, "rows": len(court.made[key]), **comparison.told()}


def _not_judged(court: Court, key: str) -> dict[str, Any]:
    """Rows that could not be compared pass: nothing speaks against them."""
    half = len(court.confirming)
    why = (
        "no row passed the other questions" if half >= LEAST_ROWS else f"half of val has {half} rows, not {LEAST_ROWS}"
    )
    return {"verdict": "not_judged", "share": 1.0, "rows": len(court.made[key]), "why": why}


def _enforced(config: Config, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with the hash below which rows are accepted (None: all), which is the gate's to apply."""
    enforce = config.recipe.gate.usefulness == "not_worse"
    return {**entry, "below": cut_at(entry["share"]) if enforce else None}

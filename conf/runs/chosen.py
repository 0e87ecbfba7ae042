"""The steps that augment runs: the recipe's own, or those that the stage choose decided on."""

from __future__ import annotations

from typing import Any

from conf import Config
from conf.errors import StageError
from conf.runs.files import read_json
from conf.runs.markers import Done, Place
from conf.runs.survey import done
from conf.schema import Augment

CHOICE = "choice.json"


def augment_of(config: Config) -> Augment | None:
    """Copies and steps; None where there are none. Raises StageError where they are not chosen yet."""
    augment = config.recipe.augment
    if augment is None or augment.choose is None:
        return augment
    chosen = done(config, "choose")
    if chosen is None:
        raise StageError(f"the steps are not chosen yet: run `seedbed choose {config.recipe.name}` first.")
    return plan_of(chosen)


def augment_in(config: Config, place: Place) -> Augment | None:
    """The same, for a stage that reads what was chosen."""
    return plan_of(place.inputs["choose"]) if "choose" in place.inputs else config.recipe.augment


def plan_of(chosen: Done) -> Augment | None:
    """What a finished choose decided on."""
    plan = choice_of(chosen)["plan"]
    return None if plan is None else Augment(**plan)


def choice_of(chosen: Done) -> dict[str, Any]:
    """All that a finished choose says. Raises StageError where its file is gone."""
    told = read_json(chosen.folder, CHOICE)
    if not isinstance(told, dict) or "plan" not in told:
        raise StageError(f"{chosen.folder}/{CHOICE} is gone: run `seedbed choose --force`.")
    return told

"""A profile with an engine of its own: started for it, its chatter in a log, what it lays down removed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import conf
from jobs.tabular.look import look_at
from jobs.tabular.profile import Profile, profiled

_CARRIER = "breast-cancer"  # a session wants a recipe's runtime and a place for its log; nothing of the recipe is read


def profile_of(source: Path, label: str | None) -> Profile:
    """The profile of what lies at `--from`. Raises RecipeError where that is no table, or has no such label."""
    found = look_at(source)
    from jobs.spark import session

    with tempfile.TemporaryDirectory(prefix="seedbed-profile-") as folder:
        config = conf.load(_CARRIER, "local", [], folder)
        with session(config, "seedbed profile") as spark:
            return profiled(spark, found, label, folder)

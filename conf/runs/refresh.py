"""Whether a trained generator may serve although its train rows changed: `train.refresh`.

Stages that make train rows leave a sample of their hashes: the lowest SAMPLE_ROWS of them. Two such samples tell which
share of the rows differs, exactly where there are no more rows than that, else within about a hundredth. A checkpoint
serves only where no row that it learned from can stand among val or test rows now.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pyarrow import fs

from conf import Config
from conf.runs.files import filesystem, read_json
from conf.runs.markers import Done, Place, done_at, fingerprint_of, home, real_in
from conf.schema import Recipe
from conf.stages import stage

NAME = "train_rows.json"
SAMPLE_ROWS = 4096
# Readers whose records never say themselves in which split they stand.
_WITHOUT_SPLITS = ("sklearn_digits", "idx", "image_folder")
_ASSIGNED_BY = ("split", "seed", "labels")


@dataclass(frozen=True)
class Change:
    """Of `rows` train rows that a checkpoint learned from, or of the sample of them, `changed` are others now."""

    changed: int
    rows: int

    @property
    def share(self) -> float:
        """Changed rows, as a share of those that were learned from."""
        return self.changed / max(self.rows, 1)


def lowest(hashes: Iterable[str]) -> list[str]:
    """The sample of these rows: the lowest distinct hashes, in order; the same under any partitioning."""
    return heapq.nsmallest(SAMPLE_ROWS, set(hashes))


def change(before: list[str], after: list[str]) -> Change:
    """What differs between the rows of two samples; a row whose label was corrected counts once."""
    ends = [sample[-1] for sample in (before, after) if len(sample) == SAMPLE_ROWS]
    # Up to the lower end, a sample holds every row that there is.
    old, new = ({each for each in sample if not ends or each <= min(ends)} for sample in (before, after))
    return Change(max(len(old - new), len(new - old)), len(old))


def yardstick_is_apart(recipe: Recipe, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether val and test hold no row that was a train row before.

    `before` and `after` have the `outputs` of the stage that made the real rows, and the `parts` of clean. The very
    same val and test rows are apart. Others are, where rows keep their split: one source that gives no splits, split
    as before.
    """
    if all(before["outputs"].get(split) == after["outputs"].get(split) for split in ("val", "test")):
        return True
    given = "given" in (recipe.split.val, recipe.split.test) or any(
        source.split is not None or source.reader not in _WITHOUT_SPLITS for source in recipe.sources
    )
    same = all(before["parts"].get(part) == after["parts"].get(part) for part in _ASSIGNED_BY)
    return same and not given and len(recipe.sources) == 1


def served(config: Config, place: Place) -> tuple[Done | None, str]:
    """The training that may stand in for one that is not done for these rows, and how their rows differ.

    It is the one whose rows differ least; None where that is too much, and nothing is said where there is none.
    """
    allowed = next(each.train.refresh for each in config.recipe.generate if each.name == place.part)
    changes = _changes(config, place) if allowed else []
    if not changes:
        return None, ""
    least, before = min(changes, key=lambda each: (each[0].share, each[1].fingerprint))
    told = (
        f"{least.changed:,} of {least.rows:,} train rows changed since the training ({least.share:.1%}),"
        f" train.refresh is {allowed:.1%}"
    )
    if least.share >= allowed:
        return None, told
    return replace(before, notes=[*before.notes, told]), told


def _changes(config: Config, place: Place) -> list[tuple[Change, Done]]:
    """How the train rows differ from those of every training that was done as this one is to be."""
    now = real_in(place)
    rows = read_json(now.folder, NAME)
    if rows is None:
        return []
    each, found = stage(place.stage), []
    system, path = filesystem(f"{home(config)}/stages/{place.stage}")
    for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True)):
        before = done_at(f"{home(config)}/stages/{place.stage}/{info.base_name}")
        if before is None or fingerprint_of(each, place.parts, before.reads, place.part) != before.fingerprint:
            continue
        real_then = _input(config, before, now.stage)
        sample = real_then and read_json(real_then.folder, NAME)
        if sample and yardstick_is_apart(config.recipe, _split(config, real_then), _split(config, now)):
            found.append((change(sample, rows), before))
    return found


def _input(config: Config, done: Done, name: str) -> Done | None:
    """A stage that `done` read, if it is still there."""
    fingerprint = done.inputs.get(name)
    return done_at(f"{home(config)}/stages/{name}/{fingerprint}") if fingerprint else None


def _split(config: Config, real: Done | None) -> dict[str, Any]:
    """What a stage of real rows made, and how clean had split them."""
    clean = real if real is None or real.stage == "clean" else _input(config, real, "clean")
    return {"outputs": real.outputs if real else {}, "parts": clean.parts if clean else {}}

"""Who is train, val, test or reserve: once and for good, groups and near copies together.

The unit that is assigned is a group: rows of one group key, or of one star of near copies, or a single row. Counts
and shares are filled by the units of lowest hash, label by label where the split is stratified. Assignments are kept
beside the stage's work, so that later rows join their group's split or fill what is left; a row that belongs to two
splits at once is refused as `bridges_splits`. One label's units are put in order by one worker, at some hundred bytes
each: that bounds a label to some ten million rows a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from conf.errors import StageError
from conf.schema import Split

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FILLED = ("train", "val", "test", "reserve")  # in this order units are handed out, the lowest hashes first
ALL_LABELS = ""  # the label of every unit where the split is not stratified
LEFT_OUT = "left_out"

Quotas = dict[str, dict[str, int]]  # label -> split -> rows still wanted
Counts = Mapping[str, Mapping[str, int]]  # label -> split (or "" for fresh rows) -> rows that are there


@dataclass(frozen=True)
class Target:
    """How many rows a split should have, over all labels."""

    split: str
    rows: int


def targets(split: Split, total: int) -> list[Target]:
    """Rows per split of `total` rows that are not given. Raises StageError where counts ask for more than there are."""
    amounts = {name: getattr(split, name) for name in FILLED}
    counts = {name: amount for name, amount in amounts.items() if isinstance(amount, int)}
    shares = {name: amount for name, amount in amounts.items() if isinstance(amount, float)}
    wanted = apportion(round(total * min(1.0, sum(shares.values()))), shares)
    if sum(counts.values()) + sum(wanted.values()) > total:
        asked = ", ".join(f"{name} {amounts[name]}" for name in (*counts, *shares))
        raise StageError(
            f"split asks for {sum(counts.values()) + sum(wanted.values()):,} rows ({asked}) and {total:,} are there"
            " once the rows are cleaned: lower the counts, or add data."
        )
    return [Target(name, {**counts, **wanted}[name]) for name in FILLED if name in counts or name in wanted]


def apportion(
    rows: int, weights: Mapping[str, float], most: Mapping[str, int] | None = None, least: int = 0
) -> dict[str, int]:
    """Whole shares of `rows` in proportion to `weights` by largest remainder, each between `least` and `most`, as far
    as that goes.
    """
    names = sorted(weights)
    whole = sum(weights.values())
    bound = {name: most[name] if most else rows for name in names}
    exact = {name: rows * weights[name] / whole if whole else 0.0 for name in names}
    given = {name: min(bound[name], max(int(exact[name]), least)) for name in names}
    by_remainder = sorted(names, key=lambda name: (given[name] - exact[name], name))
    while sum(given.values()) < rows and (open_ := [name for name in by_remainder if given[name] < bound[name]]):
        for name in open_[: rows - sum(given.values())]:
            given[name] += 1
    by_excess = sorted(names, key=lambda name: (exact[name] - given[name], name))
    while sum(given.values()) > rows and (over := [name for name in by_excess if given[name] > least]):
        for name in over[: sum(given.values()) - rows]:
            given[name] -= 1
    return given


def quotas(split: Split, counts: Counts, labels: Sequence[str]) -> Quotas:
    """Rows that each split still wants of each label: its share of the target, less those that are there.

    `counts` are of rows that are not given. Raises StageError where a class has too few rows for the split.
    """
    sizes = {label: sum(of.values()) for label, of in counts.items()}
    wanted = targets(split, sum(sizes.values()))
    if split.stratify is None:
        there: dict[str, int] = {}
        for of in counts.values():
            there = {name: there.get(name, 0) + of.get(name, 0) for name in {*there, *of}}
        return {ALL_LABELS: {target.split: max(0, target.rows - there.get(target.split, 0)) for target in wanted}}
    needing = _needing(split, len(sizes), wanted)
    _check_classes(sizes, needing, labels)
    left = dict(sizes)
    found: Quotas = {label: {} for label in sizes}
    for target in wanted:
        needing = [name for name in needing if name != target.split]
        most = {label: max(0, rows - len(needing)) for label, rows in left.items()}  # the later splits need a row each
        least = 1 if target.rows >= len(sizes) else 0
        shares = apportion(target.rows, {label: float(size) for label, size in sizes.items()}, most, least)
        for label, rows in shares.items():
            left[label] -= rows
            found[label][target.split] = max(0, rows - counts[label].get(target.split, 0))
    return found


def _needing(split: Split, classes: int, wanted: Sequence[Target]) -> list[str]:
    """The splits in which every class needs a row: those with room for all classes."""
    needing = [target.split for target in wanted if target.rows >= classes and target.split != "reserve"]
    return needing + ([split.rest] if split.rest in ("train", "test") else [])


def _check_classes(sizes: Mapping[str, int], needing: Sequence[str], labels: Sequence[str]) -> None:
    """Raise StageError for a class that has fewer rows than the splits that need one."""
    for label in labels:
        there = sizes.get(label, 0)
        if there < len(needing):
            rows = "row" if there == 1 else "rows"
            raise StageError(
                f"class {label!r} has {there} {rows} once the rows are cleaned, and the split needs at least one in"
                f" each of {', '.join(needing)}: add rows of it, take it out of labels, or say split.stratify: null."
            )


def rest_of(split: Split) -> str:
    """What becomes of units that no split asked for: a split, or LEFT_OUT."""
    if split.rest is not None:
        return LEFT_OUT if split.rest == "ignore" else split.rest
    shares = {name: getattr(split, name) for name in FILLED if isinstance(getattr(split, name), float)}
    if sum(shares.values()) > 1 - 1e-9:
        return max(shares, key=lambda name: shares[name])
    return LEFT_OUT


def assign(hashes: Sequence[str], sizes: Sequence[int], wanted: Mapping[str, int], rest: str) -> list[str]:
    """A split for each unit: in order of hash, the first split that still wants as many rows as the unit has.

    Else `rest`.
    """
    left = {name: wanted.get(name, 0) for name in FILLED}
    found = [rest] * len(hashes)
    for place in np.argsort(np.asarray(hashes, dtype=object), kind="stable"):
        for name, room in left.items():
            if room >= sizes[place]:
                left[name] -= sizes[place]
                found[place] = name
                break
    return found


def assign_units(units: DataFrame, wanted: Quotas, rest: str) -> DataFrame:
    """(unit, fresh_split) of each unit; `units` has unit, unit_hash, unit_size and label."""
    from pyspark.sql import functions as F

    stratum = F.col("label") if ALL_LABELS not in wanted else F.lit(ALL_LABELS)
    return units.groupBy(stratum.alias("stratum")).applyInArrow(
        _assigner(wanted, rest), "unit string, fresh_split string"
    )


def _assigner(wanted: Quotas, rest: str) -> Callable[[tuple[pa.Scalar, ...], pa.Table], pa.Table]:
    def assign_stratum(key: tuple[pa.Scalar, ...], units: pa.Table) -> pa.Table:
        hashes, sizes = units.column("unit_hash").to_pylist(), units.column("unit_size").to_pylist()
        found = assign(hashes, sizes, wanted.get(key[0].as_py(), {}), rest)
        return pa.table({"unit": units.column("unit"), "fresh_split": pa.array(found, pa.string())})

    return assign_stratum

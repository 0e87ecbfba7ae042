"""Conditions on rows of tables: what each refuses or flags, with its reason, as columns of a frame.

Which conditions a row breaks is held as bits of a few whole numbers, so that a million rows' reasons and every
condition's count cost little: rows are asked once, and the counts are those of few distinct patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

from conf.errors import StageError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

Severity = Literal["warn", "quarantine", "fail"]
BITS = 60  # of a bigint, its sign left alone
SHOWN = 80  # characters of a cell in a reason's detail


@dataclass(frozen=True)
class Condition:
    """What must not be: `broken` says where it is (null: not), `detail` tells of one row, `name` stands in counts."""

    name: str
    reason: str
    broken: Column
    detail: Column
    severity: Severity = "quarantine"
    max_share: float | None = None


def broken_bits(conditions: Sequence[Condition]) -> dict[str, Column]:
    """Columns `row_broken_0`, ... that say which conditions a row breaks."""
    return {f"row_broken_{number}": word for number, word in enumerate(bits([each.broken for each in conditions]))}


def bits(flags: Sequence[Column]) -> list[Column]:
    """Flags as bits of as few bigints as hold them; null is no."""
    from pyspark.sql import functions as F

    none = F.lit(0).cast("bigint")
    words = []
    for start in range(0, len(flags), BITS):
        some = enumerate(flags[start : start + BITS])
        told = [F.when(flag, F.lit(1 << place).cast("bigint")).otherwise(none) for place, flag in some]
        words.append(reduce(lambda one, two: one.bitwiseOR(two), told))
    return words


def _is_broken(place: int) -> Column:
    from pyspark.sql import functions as F

    return F.col(f"row_broken_{place // BITS}").bitwiseAND(F.lit(1 << (place % BITS)).cast("bigint")) != 0


def _any_broken(conditions: Sequence[Condition], refusing: bool) -> Column:
    """Whether a row breaks any condition that refuses, or any that warns."""
    from pyspark.sql import functions as F

    found = F.lit(False)
    for start in range(0, len(conditions), BITS):
        part = conditions[start : start + BITS]
        mask = sum(1 << place for place, each in enumerate(part) if (each.severity != "warn") == refusing)
        if mask:
            found = found | (F.col(f"row_broken_{start // BITS}").bitwiseAND(F.lit(mask).cast("bigint")) != 0)
    return found


def verdict(conditions: Sequence[Condition]) -> dict[str, Column]:
    """`row_reason` and `row_detail` of the first condition that refuses a row, `row_flags` of all that warn of it.

    The frame has the columns of `broken_bits`, and those that the conditions' details speak of.
    """
    from pyspark.sql import functions as F

    nothing = F.lit(None).cast("string")
    refusing = [(place, each) for place, each in enumerate(conditions) if each.severity != "warn"]
    warning = [(place, each) for place, each in enumerate(conditions) if each.severity == "warn"]
    reason, detail = nothing, nothing
    if refusing:
        any_broken = _any_broken(conditions, True)
        reason = F.when(any_broken, F.coalesce(*[F.when(_is_broken(p), F.lit(each.reason)) for p, each in refusing]))
        detail = F.when(
            any_broken,
            F.substring(F.coalesce(*[F.when(_is_broken(p), each.detail) for p, each in refusing]), 1, 3 * SHOWN),
        )
    flags = F.array().cast("array<string>")
    if warning:
        told = F.array(*[F.when(_is_broken(place), F.lit(each.reason)) for place, each in warning])
        flags = F.when(_any_broken(conditions, False), F.array_distinct(F.array_compact(told))).otherwise(flags)
    return {"row_reason": reason, "row_detail": detail, "row_flags": flags}


def counted(rows: DataFrame, conditions: Sequence[Condition]) -> dict[str, Any]:
    """How many rows break each condition: `{name: {reason, severity, rows}}`; `rows` has the columns of
    `broken_bits`. Raises StageError where a condition of severity `fail` is broken by too large a share.
    """
    if not conditions:
        return {}
    names = [f"row_broken_{number}" for number in range(-(-len(conditions) // BITS))]
    patterns = rows.groupBy(*names).count().collect()
    whole = sum(row["count"] for row in patterns)
    found: dict[str, Any] = {}
    for place, each in enumerate(conditions):
        name, bit = names[place // BITS], 1 << (place % BITS)
        number = sum(row["count"] for row in patterns if row[name] & bit)
        found[each.name] = {"reason": each.reason, "severity": each.severity, "rows": number}
        _check_share(each, number, whole)
    return found


def _check_share(condition: Condition, number: int, whole: int) -> None:
    """Raise StageError where too many rows break a condition of severity `fail`."""
    most = condition.max_share or 0.0
    if condition.severity == "fail" and number > most * whole:
        raise StageError(
            f"{condition.name}: {number:,} of {whole:,} rows ({number / whole:.2%}) break it ({condition.reason}), and"
            f" at most {most:.2%} may. Mend the data, or raise max_share."
        )

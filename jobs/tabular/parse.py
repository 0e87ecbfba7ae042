"""Cells of text as typed values, by Spark column expressions: read, repaired, converted.

In this order: blanks trimmed, unicode and case, missing tokens, `rename`; then the type; then value * scale + offset;
then `clip`. A cell that cannot be read as its type becomes null; its text tells it from one that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from conf.schema import Column as Declared
from jobs.moments import moment

if TYPE_CHECKING:
    from pyspark.sql import Column

BLANKS = " \t\r\n\u00a0\ufeff"
EXACT_INTEGERS = float(1 << 53)  # beyond, a double is no longer every whole number
TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")
FIRST_YEAR, LAST_YEAR = "0001-01-01", "9999-12-31"
SHORTEST_DATE = len("2020-1-1")
NOT_A = {
    "integer": "not_an_integer",
    "number": "not_a_number",
    "boolean": "not_a_boolean",
    "date": "not_a_date",
    "datetime": "not_a_datetime",
}
_STRFTIME = {
    "%Y": "yyyy", "%y": "yy", "%m": "M", "%d": "d", "%H": "H", "%I": "h", "%M": "m", "%S": "s", "%f": "SSSSSS",
    "%b": "MMM", "%B": "MMMM", "%a": "EEE", "%A": "EEEE", "%p": "a", "%j": "D", "%z": "XX",
}  # fmt: skip


@dataclass(frozen=True)
class Parsing:
    """How one column's cells are read: what the recipe says of it, tokens that mean missing, words to put for words."""

    name: str
    said: Declared
    missing: tuple[str, ...]
    words: Mapping[str, str]


def trimmed(cell: Column, how: Parsing) -> Column:
    """A cell in its unicode form, without blanks around it."""
    from pyspark.sql import functions as F

    whole = cell if how.said.unicode is None else _normalised(cell, how.said.unicode)
    odd = reduce(or_, [whole.contains(blank) for blank in BLANKS if blank != " "])
    return F.when(odd, F.btrim(whole, F.lit(BLANKS))).otherwise(F.btrim(whole))  # spaces alone are trimmed faster


def text(plain: Column, how: Parsing) -> Column:
    """A trimmed cell in its case, with words put for words; null where it is missing."""
    from pyspark.sql import functions as F

    if how.missing:
        plain = F.when(~plain.isin(list(how.missing)), plain)
    if how.said.case is not None:
        plain = {"lower": F.lower, "upper": F.upper, "title": F.initcap}[how.said.case](plain)
        plain = F.when(~plain.isin(list(how.missing)), plain) if how.missing else plain
    return _renamed(plain, how.words)


def _normalised(cell: Column, form: str) -> Column:
    """Unicode in one form, for which Spark has no expression."""
    from pyspark.sql import functions as F

    def normalise(values: pa.Array) -> pa.Array:
        return pc.utf8_normalize(values, form)

    return F.arrow_udf(normalise, returnType="string")(cell)  # type: ignore[call-overload]


def _renamed(plain: Column, words: Mapping[str, str]) -> Column:
    """Words put for words; the others stay."""
    from pyspark.sql import functions as F

    if not words:
        return plain
    old, new = [*words], [*words.values()]
    chain = F.when(plain == old[0], F.lit(new[0]))
    for before, after in zip(old[1:], new[1:], strict=True):
        chain = chain.when(plain == before, F.lit(after))
    return chain.otherwise(plain)


def read_whole(told: Column, said: Declared) -> Column | None:
    """Text as the whole number that it is, where that is the cell's value as it stands; None for other types."""
    return told.try_cast("bigint") if _is_read_at_once(said) else None


def first_read(told: Column, whole: Column | None, said: Declared) -> Column:
    """Text as a double or a moment, not yet checked, `whole` being what was read at once; as it is where its type needs
    neither.
    """
    from pyspark.sql import functions as F

    if whole is not None:
        return F.when(whole.isNull(), _number(told, said))
    if said.type in ("integer", "number"):
        return _number(told, said)
    return _moment(told, said) if said.type in ("date", "datetime") else told


def checked(first: Column, told: Column, said: Declared) -> Column:
    """What was read first, where it may stand: converted and clipped."""
    if said.type in ("integer", "number"):
        value = _plain_number(first, told)
        if (said.scale, said.offset) != (1.0, 0.0):
            value = value * said.scale + said.offset
        return value
    return _in_calendar(first, said) if said.type in ("date", "datetime") else first


def typed(value: Column, told: Column, whole: Column | None, said: Declared) -> Column:
    """What was checked or read at once, as a value of the declared type; null where it cannot be read."""
    if said.type == "boolean":
        return _boolean(told, said.values)
    if said.type in ("category", "id"):
        return told
    clipped = _clipped(value, said)
    return _whole(clipped, whole, said) if said.type == "integer" else clipped


def _boolean(told: Column, values: Sequence[str] | None) -> Column:
    """Yes and no in the usual words, or in the two that the recipe names: [no, yes]."""
    from pyspark.sql import functions as F

    no, yes = ([values[0]], [values[1]]) if values and len(values) == 2 else (FALSE, TRUE)
    word = told if values else F.lower(told)
    return F.when(word.isin(list(yes)), True).when(word.isin(list(no)), False)


def _number(told: Column, said: Declared) -> Column:
    """Text as a double. `1,234.5` (or `1.234,5` where decimal is a comma) has its thousands taken apart.

    Java reads more than people write: `12d`, `0x1p3`; those are refused.
    """
    from pyspark.sql import functions as F

    point, thousands = (".", ",") if said.decimal == "." else (",", ".")
    plain = told if said.decimal == "." else F.translate(told, ",", ".")
    grouped = told.rlike(rf"^[+-]?\d{{1,3}}(?:[{thousands}\u00a0 ']\d{{3}})+(?:[{point}]\d+)?$")
    together = F.translate(F.translate(told, f"{thousands}\u00a0 '", ""), ",", ".")
    own = plain.try_cast("double")
    if said.decimal == ",":  # 1.234 is a thousand and more here
        own = F.when(~told.contains("."), own)
    return F.coalesce(own, F.when(grouped, together.try_cast("double")))


def _plain_number(first: Column, told: Column) -> Column:
    """A number as people write it. Minus zero is zero; what ends with d or f is no number, but inf, which is refused
    as not finite.
    """
    from pyspark.sql import functions as F

    strange = F.lower(F.substring(told, -1, 1)).isin("d", "f") | F.lower(told).contains("x")
    endless = F.isnan(first) | (F.abs(first) == float("inf"))
    return F.when(~strange | endless, first + F.lit(0.0))


def _whole(value: Column, whole: Column | None, said: Declared) -> Column:
    """A whole number: the text's own where it is one (all its digits kept), else that of a double without fraction."""
    from pyspark.sql import functions as F

    exact = (F.abs(value) < EXACT_INTEGERS) & (value == F.rint(value))
    if (said.scale, said.offset) != (1.0, 0.0):
        return F.when(F.abs(value) < EXACT_INTEGERS, F.round(value).cast("bigint"))
    converted = F.when(exact, value.cast("bigint"))
    return converted if whole is None else F.coalesce(whole, converted)


def _is_read_at_once(said: Declared) -> bool:
    """Whether text that is a whole number is the cell's value as it stands."""
    return said.type == "integer" and (said.scale, said.offset) == (1.0, 0.0) and not said.clip and said.decimal == "."


def _moment(told: Column, said: Declared) -> Column:
    """Text as a date or a moment (UTC where it names no zone), by the declared format or ISO 8601."""
    from pyspark.sql import functions as F

    if said.format:
        return F.try_to_timestamp(told, F.lit(java_pattern(said.format)))
    return F.when(F.length(told) >= SHORTEST_DATE, moment(told))


def _in_calendar(moment: Column, said: Declared) -> Column:
    """A moment of the years 1 to 9999; a date, where there is no time of day."""
    from pyspark.sql import functions as F

    there = F.when(moment.between(F.lit(FIRST_YEAR), F.lit(f"{LAST_YEAR} 23:59:59.999999")), moment)
    if said.type == "datetime":
        return there
    return F.when(there == F.date_trunc("day", moment), there.cast("date"))


def java_pattern(told: str) -> str:
    """A format as Spark has it; `%Y-%m-%dT%H` is told in its letters, what is literal in quotes."""
    if "%" not in told:
        return told
    parts = re.findall(r"%.|[A-Za-z']+|[^%A-Za-z']+", told)
    return "".join(_STRFTIME.get(part, part if not part[0].isalpha() else f"'{part}'") for part in parts)


def _clipped(value: Column, said: Declared) -> Column:
    from pyspark.sql import functions as F

    kind = {"date": "date", "datetime": "timestamp"}.get(said.type, "double")
    low, high = (None if bound is None else F.lit(bound).cast(kind) for bound in said.clip or (None, None))
    if low is not None:
        value = F.when(value < low, low).otherwise(value)
    if high is not None:
        value = F.when(value > high, high).otherwise(value)
    return value


def parsings(recipe: Any, repairs: Mapping[str, Mapping[str, str]]) -> list[Parsing]:
    """How every column of a recipe is read; `repairs` are words to put for words that were found in the data."""
    return [
        Parsing(
            name,
            said,
            tuple(dict.fromkeys(token.strip(BLANKS) for token in (*recipe.missing, *said.missing))),
            {**said.rename, **repairs.get(name, {})},
        )
        for name, said in recipe.columns.items()
    ]

"""Conditions that rows are asked to meet, as a recipe or `--where` writes them: `sex=Female,age>=60`.

A condition is a column, one of = != < <= > >=, and a value; conditions are parted by commas, and all must hold. A value
may offer several with `|` (`race=Black|Other`, for = and != alone) and may stand in double quotes, in which commas,
bars and quotes (doubled) are plain characters. `?` without quotes is a missing cell. Nothing else is understood: no
code, no functions, no other columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Op = Literal["=", "!=", "<", "<=", ">", ">="]
MAX_LENGTH = 10_000
_HEAD = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(<=|>=|!=|=|<|>)\s*")
_VALUE = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",|<>=]*[^",|<>=\s]))\s*')


@dataclass(frozen=True)
class Condition:
    """One column and what its value must be; several values are alternatives, None is a missing cell."""

    column: str
    op: Op
    values: tuple[str | None, ...]


def parse(text: str) -> tuple[Condition, ...]:
    """The conditions of a text, in its order. Raises ValueError that shows where it stopped being understood."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"conditions of {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    found, place = [], 0
    while True:
        condition, place = _condition(text, place)
        found.append(condition)
        if place == len(text):
            return tuple(found)
        if text[place] != ",":
            raise _lost(text, place, "a comma or the end")
        place += 1


def _condition(text: str, place: int) -> tuple[Condition, int]:
    """The condition that begins at a place, and where it ends."""
    head = _HEAD.match(text, place)
    if head is None:
        raise _lost(text, place, "a column with =, !=, <, <=, > or >=")
    name, op, place = head[1], cast(Op, head[2]), head.end()
    values: list[str | None] = []
    while True:
        value = _VALUE.match(text, place)
        if value is None:
            raise _lost(text, place, "a value")
        values.append(_plain(value))
        place = value.end()
        if text[place : place + 1] != "|":
            break
        place += 1
    if op not in ("=", "!=") and (len(values) > 1 or values[0] is None):
        raise ValueError(f"{name}{op} takes one value, and it is not ?; alternatives go with = and !=")
    return Condition(name, op, tuple(values)), place


def _plain(value: re.Match[str]) -> str | None:
    """The value's text; None for a missing cell."""
    if value[1] is not None:
        return value[1].replace('""', '"')
    return None if value[2] == "?" else value[2]


def _lost(text: str, place: int, wanted: str) -> ValueError:
    """What was expected where."""
    there = repr(text[place : place + 20]) if place < len(text) else "the end"
    return ValueError(f"{text!r}: at character {place + 1} stands {there}, where {wanted} should: sex=Female,age>=60")

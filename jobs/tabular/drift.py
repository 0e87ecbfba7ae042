"""Whether a source still has the columns that the recipe declares: checked before anything is written.

A source's columns are named as the recipe names them: by `columns:` of the source, else by the same name with what
Delta cannot hold replaced. What is missing or added is told whole, with the names that look like a renaming.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from jobs.readers.record import Reading
from jobs.tabular.facts import ALWAYS_MISSING, OFTEN_MISSING

_SHOWN = 12
_OF_DIGITS = ("integer", "number", "date", "datetime")
LEAST_CELLS = 20
TOKENS = frozenset((*ALWAYS_MISSING, *OFTEN_MISSING))


def held_name(name: str) -> str:
    """The name as Delta can hold it: letters, digits and `_`, no digit first."""
    plain = re.sub(r"\W+", "_", name.strip(), flags=re.ASCII).strip("_") or "column"
    return f"_{plain}" if plain[0].isdigit() else plain


def matched(task: Reading, found: Sequence[str], where: str) -> dict[str, str]:
    """Declared column -> its name among those `found` in `where`. Raises RecipeError where they differ.

    `drift: merge` leaves out columns that are not declared and takes a missing one as empty.
    """
    ours: dict[str, str] = {}
    for name in found:
        mine = our_name(task, name)
        if mine in ours:
            raise task.error(
                f"{where} has two columns for {mine}: {ours[mine]!r} and {name!r}. columns: maps each to a name of its"
                " own."
            )
        ours[mine] = name
    declared = [name for name, _ in task.columns]
    missing = [name for name in declared if name not in ours]
    added = [name for mine, name in ours.items() if mine not in declared and name != task.source.group_column]
    if task.wide:
        _check_steps(task, where, missing, added)
    if len(missing) == len(declared):
        raise task.error(_nothing_fits(where, found, declared))
    if (missing or added) and task.source.drift == "refuse":
        raise task.error(_difference(where, missing, added))
    return {name: ours[name] for name in declared if name in ours}


def _check_steps(task: Reading, where: str, missing: Sequence[str], added: Sequence[str]) -> None:
    """Raise RecipeError where steps of wide rows are missing, or there are columns that may be further ones."""
    steps = set(steps_of(task))
    absent = [name for name in missing if name in steps]
    if absent:
        has = f"{len(task.wide) - len(absent):,} of the {len(task.wide):,} columns of steps"
        raise task.error(
            f"{where} has {has} and lacks {_listed(absent)}. wide.steps names each channel's first step, from which"
            " series: length counts on: mend one of them; columns: maps other names to these."
        )
    if added and not missing and task.source.drift == "refuse":
        raise task.error(
            f"{where} has columns beside the steps and the label: {_listed(added)}. Where they are steps, mend series:"
            " length; else drift: merge leaves them out."
        )


def steps_of(task: Reading) -> list[str]:
    """The columns of wide rows' steps, as they can be held."""
    return [held_name(name) for name in task.wide]


def our_name(task: Reading, name: str) -> str:
    """What the recipe calls a source's column."""
    mapped: Mapping[str, str] = task.source.columns
    return mapped.get(name) or mapped.get(name.strip()) or held_name(name)


def _nothing_fits(where: str, found: Sequence[str], declared: Sequence[str]) -> str:
    return (
        f"{where} has none of the recipe's columns {_listed(declared)}; it has {_listed(found)}. Where it has no header"
        " line, say header: false; where its names differ, columns: maps them to the recipe's."
    )


def _difference(where: str, missing: Sequence[str], added: Sequence[str]) -> str:
    """What differs, and what mends it."""
    parts = [f"{where} does not have the columns that the recipe declares."]
    parts += [f"Missing: {_listed(missing)}."] if missing else []
    parts += [f"Added: {_listed(added)}."] if added else []
    renamed = {added[0]: missing[0]} if len(missing) == len(added) == 1 else {}
    for name in missing:
        near = difflib.get_close_matches(name, added, 1, 0.6)
        if near:
            renamed[near[0]] = name
    if renamed:
        told = ", ".join(f'"{old}": {new}' for old, new in renamed.items())
        parts.append(f"If renamed, say columns: {{{told}}} for this source.")
    mends = ["declare them under columns:"] if added else []
    mends += ["take them out of columns:"] if missing else []
    parts.append(f"Else {' and '.join(mends)}, or say drift: merge (added columns are left out, missing ones empty).")
    return " ".join(parts)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more


# ---- types ----

_FITS = {
    "integer": ("int", "uint", "double", "float", "halffloat", "decimal", "string", "null"),
    "number": ("int", "uint", "double", "float", "halffloat", "decimal", "string", "null"),
    "category": ("int", "uint", "double", "float", "decimal", "string", "bool", "dictionary", "null"),
    "boolean": ("int", "uint", "double", "bool", "string", "null"),
    "date": ("date", "timestamp", "string", "null"),
    "datetime": ("date", "timestamp", "string", "null"),
    "time": ("int", "uint", "double", "float", "decimal", "date", "timestamp", "string", "null"),
    "series": ("list", "fixed_size_list", "string", "null"),
    "image": ("binary", "fixed_size_binary", "struct", "null"),
    "id": ("int", "uint", "decimal", "string", "dictionary", "null"),
}


def check_types(task: Reading, types: Mapping[str, str], where: str) -> None:
    """Raise RecipeError where a typed source has a column in a type that the declared one cannot be read from.

    `types` are Arrow's words by declared column.
    """
    wrong = []
    for name, declared in task.columns:
        kind = types.get(name, "null").removeprefix("large_")
        if not kind.startswith(_FITS[declared]):
            wrong.append(f"{name} is {kind}, declared {declared}")
    if wrong:
        raise task.error(
            f"{where} has columns of another type than the recipe declares: {'; '.join(wrong[:_SHOWN])}."
            " Change their type under columns:, or mend the source."
        )


def check_head(task: Reading, cells: Mapping[str, Sequence[str]], where: str) -> None:
    """Raise RecipeError where the first cells of a declared number or date hold not one digit: two columns have been
    swapped, or one has another meaning now. Single bad cells are refused by clean, one by one.
    """
    for name, kind in task.columns:
        told = [cell.strip() for cell in cells.get(name, ()) if cell.strip() not in TOKENS]
        if kind in _OF_DIGITS and len(told) >= LEAST_CELLS and not any(map(_has_digit, told)):
            raise task.error(
                f"{where}: the column {name} is declared {kind}, and none of its first {len(told)} cells holds a digit:"
                f" they are such as {told[0][:40]!r}. Change its type, or mend the file."
            )


def _has_digit(text: str) -> bool:
    return any(letter.isdigit() for letter in text)

"""Templates over a row: `{text}`, `{label}` and `{<column>}` stand for what the row has; all else is itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def fields_of(template: str) -> list[str]:
    """The names that stand in braces."""
    return list(dict.fromkeys(_FIELD.findall(template)))


def check(template: str, known: Sequence[str]) -> None:
    """Raise ValueError for a name that rows do not have."""
    strange = [name for name in fields_of(template) if name not in known]
    if strange:
        there = ", ".join(f"{{{name}}}" for name in known)
        raise ValueError(f"the template names {{{strange[0]}}}; rows have {there}")


def filled(template: str, values: Mapping[str, Any]) -> str | None:
    """The template with a row's values; null where one of them is missing."""
    if any(values.get(name) is None for name in fields_of(template)):
        return None
    return _FIELD.sub(lambda found: _told(values[found[1]]), template)


def _told(value: Any) -> str:
    """A value as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")  # the fewest digits that say this number
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

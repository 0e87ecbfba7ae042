"""Children of users' sequences: steps compiled, how many are made by one call; none has a partner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from udfs.behaviour.compiled import CompiledBehaviour, compile_behaviour_steps

CALL_ROWS = 1024  # children made by one call of the steps


def compiled(recipe: Any, steps: Any, measured: Mapping[str, Any] | None = None) -> CompiledBehaviour:
    """The steps, with what was measured of train users' items; without it they are only checked.

    Raises StepError for one that is none, or an option that it does not take.
    """
    return compile_behaviour_steps(steps, (measured or {}).get("near", {}))


def call_rows(steps: CompiledBehaviour) -> int:
    """Children that one call of the steps makes at most."""
    return CALL_ROWS


def label_name(steps: CompiledBehaviour) -> str:
    """A column that is there; copies are one number for all rows."""
    return "user"


def labels(rows: pa.Table, steps: CompiledBehaviour) -> pa.Array:
    """All rows are of one class."""
    return pa.array([""] * rows.num_rows, pa.string())


def partner_types(steps: CompiledBehaviour) -> dict[str, pa.DataType]:
    """No columns: sequences are not mixed."""
    return {}


def handed(rows: pa.Table, steps: CompiledBehaviour) -> dict[str, list[Any]]:
    """Nothing."""
    return {}

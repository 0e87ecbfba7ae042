"""Children of texts: the steps of a recipe compiled, how many are made by one call, what partners hand over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from udfs.text.compiled import CompiledText, compile_text_steps

CALL_ROWS = 4096  # children made by one call of the steps


def compiled(recipe: Any, steps: Any, measured: Mapping[str, Any] | None = None) -> CompiledText:
    """The steps; StepError for one that is none, or an option that it does not take."""
    return compile_text_steps(steps)


def call_rows(steps: CompiledText) -> int:
    """Children that one call of the steps makes at most."""
    return CALL_ROWS


def label_name(steps: CompiledText) -> str:
    """The column by whose values copies are counted."""
    return "label"


def labels(rows: pa.Table, steps: CompiledText) -> pa.ChunkedArray:
    """The labels by which partners are of one class."""
    return rows.column("label")


def partner_types(steps: CompiledText) -> dict[str, pa.DataType]:
    """The columns that a partner hands over: its text, its label, its id."""
    return dict.fromkeys(steps.partner_columns, pa.string())


def handed(rows: pa.Table, steps: CompiledText) -> dict[str, list[Any]]:
    """The same, of rows that are partners."""
    given = (rows.column(name).to_pylist() for name in ("text", "label", "row_id"))
    return dict(zip(steps.partner_columns, given, strict=True))

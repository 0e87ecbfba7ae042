"""Children of rows of several payloads: the steps of every payload in one list compiled, how many are made by one call.

A step that mixed one payload of two rows would part it from the others, and is refused: none has a partner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from udfs.fusion.compiled import CompiledFusion, FusionForm, compile_fusion_steps
from udfs.image.form import Form
from udfs.table.form import TableForm
from udfs.table.statistics import Statistics

CALL_ROWS = 2048  # children made by one call of the steps
CALL_BYTES = 64 << 20  # of their parents' decoded pixels


def form_of(recipe: Any, statistics: Statistics | None = None) -> FusionForm:
    """What rows hold; vocabularies of columns are those of the statistics."""
    series = recipe.series
    told = statistics.as_dict()["columns"] if statistics else None
    return FusionForm(
        Form.of(recipe.image) if recipe.image else None,
        recipe.text is not None,
        (series.length, len(series.channels)) if series else None,
        TableForm.of(recipe, told) if recipe.columns else None,
        tuple(recipe.columns),
    )


def compiled(recipe: Any, steps: Any, measured: Mapping[str, Any] | None = None) -> CompiledFusion:
    """The steps, with what was measured of the columns of train rows; without it they are only checked.

    Raises StepError for one that is none, one for another payload, an option that it does not take.
    """
    if not recipe.columns or measured is None:
        return compile_fusion_steps(steps, form_of(recipe))
    known = Statistics.from_dict(dict(measured))
    return compile_fusion_steps(steps, form_of(recipe, known), known)


def call_rows(steps: CompiledFusion) -> int:
    """Children that one call of the steps makes at most."""
    image = steps.form.image
    return max(1, min(CALL_ROWS, CALL_BYTES // image.bytes_per_image)) if image else CALL_ROWS


def label_name(steps: CompiledFusion) -> str:
    """The column by whose values copies are counted."""
    return "label"


def labels(rows: pa.Table, steps: CompiledFusion) -> pa.ChunkedArray:
    """The labels by which partners would be of one class."""
    return rows.column("label")


def partner_types(steps: CompiledFusion) -> dict[str, pa.DataType]:
    """No columns."""
    return {}


def handed(rows: pa.Table, steps: CompiledFusion) -> dict[str, list[Any]]:
    """Nothing."""
    return {}

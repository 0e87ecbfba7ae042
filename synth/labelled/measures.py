"""What answers of judges are measured by: as classes, or of series without labels as forecasts."""

from __future__ import annotations

from types import ModuleType

from conf.schema import Recipe
from synth.series import forecasts
from synth.tables import metrics
from synth.usefulness import Measure, of_classes


def measures_of(recipe: Recipe) -> ModuleType:
    """The module of `row_errors`, `measures` and `error_name`."""
    return metrics if recipe.labels else forecasts


def losses_for(recipe: Recipe) -> Measure:
    """The losses by which made rows are found of use, or worse."""
    return of_classes if recipe.labels else forecasts.losses_of

"""What the recipe says of single columns, as conditions on their cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf.schema import Column as Declared
from conf.schema import Recipe
from jobs.tabular.conditions import SHOWN, Condition
from jobs.tabular.parse import NOT_A

if TYPE_CHECKING:
    from pyspark.sql import Column


def text_column(name: str) -> str:
    """What a column of cleaned text is called beside its typed one; no recipe may declare such a name."""
    return f"row_text_{name}"


def column_conditions(recipe: Recipe) -> list[Condition]:
    """Conditions of all columns, the label's first: readable, not missing where required, finite, in range, a value.

    The frame has each column typed by its name, and its text as `row_text_<name>`.
    """
    assert recipe.task is not None
    label = recipe.task.label
    found = [*_label_conditions(recipe, label)]
    for name, said in recipe.columns.items():
        found += _readable(name, said)
        if name != label:
            found += _required(name, said)
        found += _bounded(name, said)
        if said.values is not None and name != label and said.type == "category":
            found.append(_among(name, said.values))
    return found


def cell(name: str) -> Column:
    """A cell as a person reads it: `age=abc`."""
    from pyspark.sql import functions as F

    return F.concat(F.lit(f"{name}="), F.substring(F.coalesce(F.col(name).cast("string"), F.lit("")), 1, SHOWN))


def _told(name: str) -> Column:
    """The text of a cell that could not be read."""
    from pyspark.sql import functions as F

    return F.concat(F.lit(f"{name}="), F.substring(F.coalesce(F.col(text_column(name)), F.lit("")), 1, SHOWN))


def _label_conditions(recipe: Recipe, label: str) -> list[Condition]:
    """A row needs a label, and one that the task knows."""
    from pyspark.sql import functions as F

    assert recipe.task is not None
    missing = F.lit(f"{label} is missing, and rows of a table need their label")
    found = [Condition(f"{label}: label_missing", "label_missing", F.col(text_column(label)).isNull(), missing)]
    if recipe.task.kind == "classification":
        unknown = F.col(label).isNotNull() & ~F.col(label).cast("string").isin(list(recipe.task.classes))
        found.append(Condition(f"{label}: label_unknown", "label_unknown", unknown, cell(label)))
    return found


def _readable(name: str, said: Declared) -> list[Condition]:
    from pyspark.sql import functions as F

    if said.type not in NOT_A:
        return []
    reason = NOT_A[said.type]
    unread = F.col(text_column(name)).isNotNull() & F.col(name).isNull()
    found = [Condition(f"{name}: {reason}", reason, unread, _told(name))]
    if said.type == "number":
        endless = F.isnan(name) | (F.abs(F.col(name)) == float("inf"))
        found.append(Condition(f"{name}: not_finite", "not_finite", endless, _told(name)))
    return found


def _required(name: str, said: Declared) -> list[Condition]:
    from pyspark.sql import functions as F

    if not said.required and not (said.fill and said.fill.method == "drop"):
        return []
    missing = F.col(text_column(name)).isNull() if said.type in NOT_A else F.col(name).isNull()
    return [Condition(f"{name}: value_missing", "value_missing", missing, F.lit(f"{name} is missing"))]


def _bounded(name: str, said: Declared) -> list[Condition]:
    if said.range is None:
        return []
    return [Condition(f"{name}: out_of_range", "out_of_range", outside(name, said.type, *said.range), cell(name))]


def outside(name: str, kind: str, low: Any, high: Any) -> Column:
    """Whether a value lies below `low` or above `high` (null: no bound)."""
    from pyspark.sql import functions as F

    of = {"date": "date", "datetime": "timestamp"}.get(kind, "double")
    found = F.lit(False)
    if low is not None:
        found = found | (F.col(name) < F.lit(low).cast(of))
    if high is not None:
        found = found | (F.col(name) > F.lit(high).cast(of))
    return found


def _among(name: str, values: list[str]) -> Condition:
    from pyspark.sql import functions as F

    return Condition(f"{name}: not_among_values", "not_among_values", ~F.col(name).isin(list(values)), cell(name))

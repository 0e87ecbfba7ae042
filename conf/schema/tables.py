"""What a recipe says of tables: columns with what may stand in them, and the task that rows are judged by."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from conf.schema.parts import Part, Positive

ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
NUMERIC = ("integer", "number", "date", "datetime")


class Fill(Part):
    """What stands in for a missing value; statistics come from train rows alone."""

    method: Literal["drop", "constant", "mean", "median", "mode", "group_median", "nearest", "model"]
    value: str | float | bool | None = None
    by: list[ColumnName] = []
    neighbours: Positive = 5

    @model_validator(mode="after")
    def _complete(self) -> Fill:
        """Each method has what it needs."""
        if self.method == "constant" and self.value is None:
            raise ValueError("fill by constant needs a value")
        if self.method == "group_median" and not self.by:
            raise ValueError("fill by group_median needs by: the columns that make the groups")
        return self


def _fill(value: Any) -> Any:
    """`fill: median` for `fill: {method: median}`."""
    return {"method": value} if isinstance(value, str) else value


class Column(Part):
    """One column: its type, what may stand in it, how its cells are read and repaired.

    Cells outside `range` or `values` refuse their row. Cells are first read (missing tokens, blanks, case, `rename`,
    number and date formats), then converted (value * scale + offset), then clipped.
    """

    type: Literal["integer", "number", "category", "boolean", "date", "datetime", "id"]
    about: str = ""
    range: tuple[float | str | None, float | str | None] | None = None
    values: list[str] | None = None
    required: bool = False
    missing: list[str] = []
    rename: dict[str, str] = {}
    case: Literal["lower", "upper", "title"] | None = None
    unicode: Literal["NFC", "NFKC"] | None = None
    spelling: float | None = Field(default=None, gt=0, lt=1)
    format: str | None = None
    decimal: Literal[".", ","] = "."
    scale: float = 1.0
    offset: float = 0.0
    clip: tuple[float | None, float | None] | None = None
    fill: Annotated[Fill | None, BeforeValidator(_fill)] = None
    flag_missing: bool = False
    model: bool = True

    @model_validator(mode="after")
    def _fits_its_type(self) -> Column:
        """What is said goes with the type."""
        said = [name for name in ("range", "clip") if getattr(self, name) is not None]
        if said and self.type not in NUMERIC:
            raise ValueError(f"{said[0]} goes with {', '.join(NUMERIC)}, not with {self.type}")
        words = [name for name in ("values", "case", "unicode", "spelling") if getattr(self, name) is not None]
        if words and self.type not in ("category", "boolean", "id"):
            raise ValueError(f"{words[0]} goes with category, boolean or id, not with {self.type}")
        if self.fill and self.fill.method in ("mean", "median", "group_median") and self.type not in NUMERIC:
            raise ValueError(f"fill by {self.fill.method} goes with {', '.join(NUMERIC)}, not with {self.type}")
        return self


class Task(Part):
    """What rows are judged by: a class or a number to be told from the other columns."""

    kind: Literal["classification", "regression"]
    label: ColumnName
    classes: list[str] = []
    positive: str | None = None

    @model_validator(mode="after")
    def _classes(self) -> Task:
        """Classes are named where there are any; `positive` is one of them."""
        if self.kind == "regression" and (self.classes or self.positive):
            raise ValueError("a regression has no classes and no positive one")
        if self.kind == "classification" and len(self.classes) < 2:
            raise ValueError("a classification names its classes, two or more: classes: [no, yes]")
        if self.positive is not None and self.positive not in self.classes:
            raise ValueError(f"positive is one of the classes {', '.join(self.classes)}")
        return self

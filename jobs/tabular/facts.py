"""What a profile knows of a column, and what follows from it: its type, whether it is an id, what its cells miss.

Pure: Spark counts (`jobs/tabular/profile.py`), this module judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SURE = 0.98  # so many of the cells must read as a type; the others are refused, one by one
ALWAYS_MISSING = (
    "",
    "?",
    "NA",
    "N/A",
    "n/a",
    "na",
    "NaN",
    "nan",
    "NULL",
    "Null",
    "null",
    "None",
    "#N/A",
    "<NA>",
    "(null)",
)
OFTEN_MISSING = ("unknown", "Unknown", "UNKNOWN", "missing", "Missing", "-", "--", ".", "none", "unk")
NEVER_IN_WORDS = ("-", "--", ".", "none")  # in a column of words these are words; among numbers they are holes
MAX_CATEGORIES = 1000
FEW_CLASSES = 20
LEAST_WORDS = 4.0  # of a column's cells on average, from which on they are texts
LEAST_DISTINCT = 0.5  # of their cells
ID_NAMES = ("id", "uuid", "guid", "key", "index", "rowid", "row")
TRUTHS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
FORMATS = ("yyyy-MM-dd", "d/M/yyyy", "M/d/yyyy", "d.M.yyyy", "yyyy/M/d")


@dataclass
class Facts:
    """One column: cells that are no missing token are `told`; of them, how many read as which type."""

    name: str
    theirs: str
    rows: int
    told: int
    numbers: int = 0
    wholes: int = 0
    moments: int = 0  # ISO dates with a time of day
    formats: dict[str, int] = field(default_factory=dict)
    distinct: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    quartiles: tuple[float, float, float] | None = None
    far: int = 0  # numbers far outside the quartiles
    leading_zeros: int = 0
    longest: int = 0
    words: float = 0.0  # of a cell, on average
    top: list[tuple[str, int]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The type that its cells have."""
        if not self.told:
            return "category"
        if self.numbers >= SURE * self.told and not self.leading_zeros:
            return "integer" if self.wholes == self.numbers else "number"
        if self.format is not None:
            return "datetime" if self.moments > SURE * self.told else "date"
        words = {word.lower() for word, _ in self.top}
        if self.distinct == 2 and words in TRUTHS:
            return "boolean"
        return "id" if self.is_key else "category"

    @property
    def format(self) -> str | None:
        """The first format in which (nearly) all cells are dates."""
        return next((name for name in FORMATS if self.formats.get(name, 0) >= SURE * self.told > 0), None)

    @property
    def is_key(self) -> bool:
        """Whether it names its rows: nearly every cell another, and whole numbers or words."""
        if self.told < 20 or self.distinct < 0.95 * self.told or (self.numbers > self.wholes and self.numbers):
            return False
        if self.numbers < SURE * self.told:
            return True
        runs = self.low is not None and self.high is not None and self.high - self.low < 1.1 * self.told
        return runs or self.name.lower().endswith(ID_NAMES)

    @property
    def is_text(self) -> bool:
        """Whether its cells are texts and no names: several words, and seldom the same ones."""
        several = self.words >= LEAST_WORDS and self.distinct >= LEAST_DISTINCT * self.told
        return several and self.kind in ("category", "id")

    @property
    def is_constant(self) -> bool:
        """Whether it says nothing: one value, and none missing; or nothing at all."""
        return self.told == 0 or (self.distinct <= 1 and self.told == self.rows)

    @property
    def unfit(self) -> int:
        """Cells that do not read as the column's type."""
        if self.kind in ("integer", "number"):
            return self.told - self.numbers
        return self.told - self.formats.get(self.format or "", self.told) if self.kind in ("date", "datetime") else 0


def missing_tokens(columns: Sequence[Facts]) -> list[str]:
    """Tokens that stand for missing in any of the columns."""
    found = {token for column in columns for token, count in column.missing.items() if count}
    return [token for token in (*ALWAYS_MISSING, *OFTEN_MISSING) if token in found or token == ""]


def is_regression(label: Facts) -> bool:
    """Whether the label is a number to be told, and no class."""
    return label.kind == "number" or (label.kind == "integer" and label.distinct > FEW_CLASSES)


def guessed_label(columns: Sequence[Facts]) -> Facts | None:
    """The column named like a label; else the last one that could be."""
    able = [column for column in columns if column.told and not column.is_constant and column.kind != "id"]
    usable = [column for column in able if not column.is_text] or able
    for name in ("label", "target", "class", "y", "outcome", "income"):
        for column in usable:
            if column.name.lower() == name:
                return column
    return usable[-1] if usable else None

"""A table's rows as tokens, and back: the columns that are sampled, and those that follow from them.

Tokens are int64[N, C], a column of them for each sampled column, the label's last: what a model learns and draws. All
that is needed to go back lies in plain arrays and JSON, so that a checkpoint holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.tables import dependencies
from synth.tables.column import ColumnTokens, Floats, Tokens, of_categories, of_numbers
from synth.tables.dependencies import Derived
from udfs.table.form import Column, TableForm


@dataclass(frozen=True)
class TableTokens:
    """How a matrix becomes tokens."""

    places: tuple[int, ...]  # of the sampled columns in the matrix, in the order in which they are drawn
    columns: tuple[ColumnTokens, ...]
    derived: tuple[Derived, ...]

    @property
    def sizes(self) -> list[int]:
        """Tokens of each sampled column."""
        return [column.size for column in self.columns]

    def encode(self, matrix: Floats) -> Tokens:
        """int64[N, C]: tokens of a float64[N, D] matrix."""
        tokens = np.empty((len(matrix), len(self.columns)), np.int64)
        for number, (place, column) in enumerate(zip(self.places, self.columns, strict=True)):
            tokens[:, number] = column.encode(matrix[:, place])
        return tokens

    def decode(self, tokens: Tokens, positions: Floats) -> Floats:
        """float64[N, D]: the matrix of tokens; `positions` float64[N, C] (0 to 1) say where within bins."""
        matrix = np.empty((len(tokens), len(self.places) + len(self.derived)), np.float64, order="F")
        for number, (place, column) in enumerate(zip(self.places, self.columns, strict=True)):
            matrix[:, place] = column.decode(tokens[:, number], positions[:, number])
        for each in self.derived:
            known = tokens[:, self.places.index(each.source)] if each.source >= 0 else np.zeros(len(tokens), np.int64)
            matrix[:, each.place] = each.of(known)
        return matrix

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Plain, finite arrays by name; with `facts` all that `from_arrays` needs."""
        told = {
            f"{place}.{name}": array
            for place, column in zip(self.places, self.columns, strict=True)
            for name, array in column.arrays().items()
        }
        for each in self.derived:
            told[f"{each.place}.derived"] = np.nan_to_num(each.table, nan=0.0)
            told[f"{each.place}.there"] = (~np.isnan(each.table)).astype(np.int64)
        return told

    def facts(self) -> dict[str, Any]:
        """As JSON: which columns are sampled in which order, and which follow from which."""
        return {"places": list(self.places), "derived": [[each.place, each.source] for each in self.derived]}

    @staticmethod
    def from_arrays(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TableTokens:
        """What `facts` and `arrays` told."""
        names = [field.name for field in fields(ColumnTokens)]
        columns = [ColumnTokens(**{name: arrays[f"{place}.{name}"] for name in names}) for place in facts["places"]]
        derived = [
            Derived(place, source, np.where(arrays[f"{place}.there"] > 0, arrays[f"{place}.derived"], np.nan))
            for place, source in facts["derived"]
        ]
        return TableTokens(tuple(facts["places"]), tuple(columns), tuple(derived))


def measure(matrix: Floats, form: TableForm, *, bins: int = 0) -> TableTokens:
    """Tokens of the modelled columns, from float64[N, D] train rows; `bins` 0 goes by the number of rows."""
    columns = [_tokens_of(matrix[:, place], column, form, bins) for place, column in enumerate(form.modelled)]
    tokens = np.stack([column.encode(matrix[:, place]) for place, column in enumerate(columns)], 1)
    derived = dependencies.find(matrix, columns, tokens, form.label_place)
    return _ordered(columns, derived, form.label_place)


def _tokens_of(values: Floats, column: Column, form: TableForm, bins: int) -> ColumnTokens:
    """One column's tokens; each class of a label is one, so that rows of it can be asked for."""
    whole = column.name == form.label and form.task == "classification"
    if column.is_numeric:
        return of_numbers(values, bins, whole=whole)
    return of_categories(values, column.size, whole=whole)


def _ordered(columns: Sequence[ColumnTokens], derived: Sequence[Derived], label: int) -> TableTokens:
    """The sampled columns in the table's own order, the label last: so that it is drawn with all others known."""
    gone = {each.place for each in derived}
    places = [place for place in range(len(columns)) if place not in gone and place != label]
    places.append(label)
    return TableTokens(tuple(places), tuple(columns[place] for place in places), tuple(derived))

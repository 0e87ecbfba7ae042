"""What a worker does to clean rows of several payloads: each payload by its own rules, and one verdict on the row.

The first reason counts, cells before image, text and series; flags of all are kept. Rows are copies of one another
where all their payloads are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from conf.schema import Recipe, Step
from conf.schema.fusion import LABEL
from jobs.decoding import MARKS, Decoding
from jobs.series.clean import Cleaning as SeriesCleaning
from jobs.series.judging import Judging
from jobs.texts.clean import Cleaning as TextCleaning
from udfs import hashing, records
from udfs.names import StepError
from udfs.rules import Rules, compile_rules
from udfs.series.compiled import SeriesRules, compile_series_rules
from udfs.text.compiled import TextRules, compile_text_rules

STAGE = "clean"
CHANGED = pa.field("changed", pa.list_(pa.string()))
MARK_BYTES = 16
_CELLS = hashing.word_of("fusion", "cells")
_TOLD = pa.schema([("row_flags", pa.list_(pa.string())), ("row_reason", pa.string()), ("row_detail", pa.string())])
_PLAIN = (pa.field("pixels", pa.string()), CHANGED, pa.field("row_stage", pa.string()), *_TOLD)


def rules_of(recipe: Recipe, payload: str) -> list[Step]:
    """The rules for one payload, in the order of the list. Raises StepError, with its place, for one of none."""
    for place, rule in enumerate(recipe.clean.rules):
        prefix = rule.name.partition(".")[0] if "." in rule.name else "columns"
        if prefix not in ("image", "text", "series", "columns") or not getattr(recipe, prefix):
            raise StepError(f"{rule.name} is a rule for {prefix}, which these rows do not have.", place)
    return [rule for rule in recipe.clean.rules if rule.name.partition(".")[0] == payload]


def image_rules(recipe: Recipe) -> Rules:
    """The rules for images."""
    return compile_rules(rules_of(recipe, "image"))


def text_rules(recipe: Recipe) -> TextRules:
    """The repairs and rules for texts."""
    return compile_text_rules(rules_of(recipe, "text"))


def series_rules(recipe: Recipe) -> SeriesRules:
    """The rules for series."""
    return compile_series_rules(rules_of(recipe, "series"))


@dataclass(frozen=True)
class Cleaning:
    """What a worker needs to clean a batch of raw rows whose cells have been read."""

    image: Decoding | None
    text: TextCleaning | None
    series: SeriesCleaning | None
    cells: tuple[str, ...]  # by which rows are copies
    schema: pa.Schema

    @staticmethod
    def of(recipe: Recipe) -> Cleaning:
        """By what the recipe says of each payload."""
        boxes = recipe.image is not None and recipe.image.boxes
        seen = [pa.field("image", pa.binary()), *([pa.field("boxes", records.BOXES)] if boxes else []), *_TOLD, *MARKS]
        labels, label = tuple(recipe.labels), pa.field(LABEL, pa.string())
        text = pa.schema([label, pa.field("text", pa.string()), *_PLAIN])
        series = pa.schema([label, pa.field("series", pa.list_(pa.float32())), *_PLAIN])
        named = recipe.clean.duplicates.columns or [n for n, said in recipe.columns.items() if said.type != "id"]
        marks = MARKS if recipe.image else [MARKS.field("pixels")]
        whole = pa.schema([*records.refused_schema(records.row_schema(recipe)), *marks, CHANGED])
        return Cleaning(
            Decoding(recipe.image, image_rules(recipe), pa.schema(seen), STAGE) if recipe.image else None,
            TextCleaning(recipe.text, text_rules(recipe), labels, text) if recipe.text else None,
            SeriesCleaning(Judging(recipe.series, series_rules(recipe), labels), series) if recipe.series else None,
            tuple(named),
            pa.schema([field.with_nullable(True) for field in whole]),
        )

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The rows in canonical form with their marks; refused ones with the reason."""
        whole = pa.Table.from_batches([batch])
        columns: dict[str, Any] = {name: whole.column(name) for name in whole.schema.names}
        told = [whole.select([name for name in _TOLD.names if name in whole.schema.names])]
        marks: list[Sequence[str | None]] = [self._cell_marks(whole)] if self.cells else []
        for cleaned in self._payloads(batch):
            own = {name: cleaned.column(name) for name in cleaned.schema.names if name not in _TOLD.names}
            marks.append(own.pop("pixels").to_pylist())
            columns |= own
            told.append(cleaned.select(_TOLD.names))
        columns |= verdict(told, batch.num_rows)
        columns["pixels"] = pa.array([_mark(row) for row in zip(*marks, strict=True)], pa.string())
        columns["row_stage"] = pa.repeat(STAGE, batch.num_rows)
        kept = {name: value for name, value in columns.items() if name in self.schema.names}
        return records.conform(pa.table(kept), self.schema)

    def _payloads(self, batch: pa.RecordBatch) -> list[pa.Table]:
        found = []
        if self.image is not None:
            boxes = pa.nulls(batch.num_rows, records.BOXES)  # sources bring none; steps that write text make some
            seen = {"image": batch.column("image"), **({"boxes": boxes} if self.image.form.boxes else {})}
            found.append(self.image(pa.RecordBatch.from_pydict(seen)))
        if self.text is not None:
            found.append(self.text(batch.select([LABEL, "text"])))
        if self.series is not None:
            found.append(self.series(batch.select([LABEL, "series"])))
        return found

    def _cell_marks(self, whole: pa.Table) -> list[str | None]:
        words = hashing.row_words(whole, self.cells, _CELLS)
        return hashing.hashes(words).to_pylist()


def verdict(told: Sequence[pa.Table], rows: int) -> dict[str, pa.Array]:
    """The first reason with its detail, and all flags."""
    reasons: list[str | None] = [None] * rows
    details: list[str | None] = [None] * rows
    flags: list[list[str]] = [[] for _ in range(rows)]
    for part in (each for each in told if "row_reason" in each.schema.names):
        for row, each in enumerate(part.to_pylist()):
            flags[row] += [flag for flag in each["row_flags"] or [] if flag not in flags[row]]
            if reasons[row] is None and each["row_reason"] is not None:
                reasons[row], details[row] = each["row_reason"], each.get("row_detail")
    columns = {"row_flags": flags, "row_reason": reasons, "row_detail": details}
    return {name: pa.array(columns[name], _TOLD.field(name).type) for name in _TOLD.names}


def _mark(parts: Sequence[str | None]) -> str | None:
    """One hash of a row's payloads; null where one could not be read."""
    if any(part is None for part in parts):
        return None
    return hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=MARK_BYTES).hexdigest()

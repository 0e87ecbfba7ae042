"""Clean, the part of behaviour: users' attributes read, short and endless sequences refused, then the recipe's rules.

Copies are users of the same items in the same order; near copies are not looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf import Config
from conf.errors import StageError
from conf.progress import Bar
from conf.runs import Place
from conf.schema import Recipe
from conf.schema.behaviour import Attribute, BehaviourForm
from jobs import verdicts
from jobs.duplicates import Copies, Near, row_id_of
from jobs.staging import lay_down
from udfs import hashing, records
from udfs.behaviour.compiled import BehaviourRules, compile_behaviour_rules, sequences_of
from udfs.behaviour.values import Events

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STAGE = "clean"
WORK = "work"
BATCH_ROWS = 512
ONE_STRATUM = "all"  # what every user has for a label where rows are split
LEAST_ITEMS = 2  # different ones: the last new item is what recommenders are asked for
_DIGEST = hashing.word_of("behaviour", "content")
_FLAGS = pa.list_(pa.string())
_SHOWN = 80  # characters of a cell that is refused, told in its detail
Told = tuple[str | None, str | None]  # the reason why a row is refused, null for none, and its detail


def label_column(recipe: Recipe) -> str | None:
    """None: users have no label."""
    return None


def check_rules(recipe: Recipe) -> None:
    """Raise StepError for a rule that is none, or an option that it does not take."""
    compile_behaviour_rules(recipe.clean.rules)


def copies(recipe: Recipe) -> Copies:
    """What makes rows copies of one another."""
    return Copies("the items are the same, in the same order", may_conflict=False)


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every user with typed attributes and marks, or with the reason why it is refused."""
    from jobs.spark import map_rows

    form = config.recipe.behaviour
    assert form is not None
    whole = records.refused_schema(records.row_schema(config.recipe))
    schema = pa.schema([*whole, pa.field("pixels", pa.string())])
    cleaning = Cleaning(form, compile_behaviour_rules(config.recipe.clean.rules), schema)
    return lay_down(spark, map_rows(raw, cleaning, schema, BATCH_ROWS), place.folder, f"{WORK}/read"), {}


@dataclass(frozen=True)
class Cleaning:
    """What a worker needs to clean a batch of users."""

    form: BehaviourForm
    rules: BehaviourRules
    schema: pa.Schema

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The rows in `schema`."""
        sequences, size = sequences_of(batch), batch.num_rows
        attributes, told = self._attributes(batch)
        sizes = [self._size(events) for events in sequences.users]
        refused, warned = self.rules(sequences)
        ruled = [(reason, None) for reason in refused]
        reasons = [
            next((each for each in row if each[0]), (None, None)) for row in zip(told, sizes, ruled, strict=True)
        ]
        columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names} | attributes
        columns |= {
            "pixels": hashing.hashes(hashing.row_words(batch, ["items"], _DIGEST)),
            "row_flags": pa.array(warned, _FLAGS),
            "row_stage": pa.array([STAGE] * size),
            "row_reason": pa.array([reason for reason, _ in reasons], pa.string()),
            "row_detail": pa.array([detail for _, detail in reasons], pa.string()),
        }
        loose = pa.schema([field.with_nullable(True) for field in self.schema])
        return records.conform(pa.table(columns), loose)

    def _attributes(self, batch: pa.RecordBatch) -> tuple[dict[str, pa.Array], list[Told]]:
        """Typed columns, null where a cell is missing or cannot be read, and why that refuses its row."""
        told: list[Told] = [(None, None)] * batch.num_rows
        columns = {}
        for name, said in self.form.attributes.items():
            read = [value_of(cell, said) for cell in batch.column(name).to_pylist()]
            columns[name] = pa.array([value for value, _ in read], self.schema.field(name).type)
            for row, (_, wrong) in enumerate(read):
                if wrong and told[row][0] is None:
                    told[row] = (f"attribute_{wrong}", f"{name}: {batch.column(name)[row].as_py()[:_SHOWN]}")
        return columns, told

    def _size(self, events: Events | None) -> Told:
        """Why a sequence is too short or too long."""
        length, form = 0 if events is None else len(events), self.form
        if length < form.min_events:
            return "too_few_events", f"{length:,} of at least {form.min_events:,} (behaviour.min_events)"
        if length > form.max_events:
            return "too_many_events", f"{length:,} of at most {form.max_events:,} (behaviour.max_events)"
        if events is not None and len(set(events.items)) < LEAST_ITEMS:
            return "one_item", f"every one of the {length:,} events is of {events.items[0][:_SHOWN]}"
        return None, None


def value_of(cell: str | None, said: Attribute) -> tuple[Any, str | None]:
    """A cell's value, and what is wrong with it: `unreadable`, `out_of_range` or `unknown`."""
    if cell is None:
        return None, None
    if said.type == "category":
        known = said.values is None or cell in said.values
        return (cell, None) if known else (None, "unknown")
    try:
        number = float(cell)
    except ValueError:
        return None, "unreadable"
    if not np.isfinite(number) or (said.type == "integer" and not number.is_integer()) or abs(number) > 2**53:
        return None, "unreadable"
    low, high = said.range or (None, None)
    if (low is not None and number < low) or (high is not None and number > high):
        return None, "out_of_range"
    return int(number) if said.type == "integer" else number, None


def facts(config: Config, rows: DataFrame) -> DataFrame:
    """What splits and copies are decided by: row_id, label, given, row_group, pixels, row_reason."""
    from pyspark.sql import functions as F

    label, given = F.lit(ONE_STRATUM).alias("label"), F.col("row_split").alias("given")
    return rows.select("row_id", label, given, "row_group", "pixels", "row_reason")


def group_of() -> Column:
    """The group of a decided row: its own, as near copies are not looked for."""
    from pyspark.sql import functions as F

    return F.coalesce("row_group", row_id_of(F.col("hub")))


def near(spark: SparkSession, config: Config, place: Place, marked: DataFrame, rows: DataFrame) -> Near | None:
    """No near copies."""
    return None


def finished(
    spark: SparkSession, config: Config, place: Place, rows: DataFrame, decided: DataFrame, bar: Bar
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with their verdicts. Raises StageError where nobody is left to learn from."""
    if not decided.where("row_split = 'train' and fate = 'kept'").head(1):
        why = decided.where("row_reason is not null").groupBy("row_reason").count().collect()
        raise StageError(_nobody(config, [f"{row['count']:,} {row['row_reason']}" for row in why]))
    return verdicts.beside(rows, decided), {}


def _nobody(config: Config, refused: Sequence[str]) -> str:
    told = ", ".join(refused) or "none"
    return f"{config.origin}: no user is left to train on; refused were: {told}. Loosen behaviour, clean or split."

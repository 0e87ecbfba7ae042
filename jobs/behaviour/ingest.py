"""Ingest, the part of behaviour: events, users and items are read as tables are, and events gathered to rows of users.

A row of `raw` is one user: its attributes as text and its events in the order of their times (those of one second by a
hash, as nobody knows which came first). Its id is that of the user in the source of events, so that a user who goes on
has the same row. An event that cannot be read is refused by itself, and its user stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config
from conf.runs import Place
from conf.schema import Recipe
from conf.schema.behaviour import EVENT_COLUMNS, BehaviourForm
from jobs.behaviour import events as events_of
from jobs.behaviour import people as people_of
from jobs.behaviour.fates import fate_of, tallied
from jobs.rows_read import BOOKKEEPING, STAGE, hashed
from jobs.spark import hand_off, map_rows
from jobs.staging import lay_down
from jobs.tabular import cells
from jobs.tabular.ingest import UNORDERED, frame, ids, pieces, positions, read_frame, read_piece
from udfs import hashing, records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["UNORDERED", "frame", "gathered", "ids", "pieces", "positions", "raw_schema", "read_frame", "read_piece"]

ITEMS = "items"  # the folder of items' names, where a source has them
_SALTS = (hashing.word_of("user", 1), hashing.word_of("user", 2))


def raw_schema(recipe: Recipe) -> pa.Schema:
    """The columns of records as they are read, before events are gathered: all as text."""
    names = [*EVENT_COLUMNS, *(recipe.behaviour.attributes if recipe.behaviour else ()), "title"]
    return records.table_schema(pa.schema([pa.field(name, pa.string()) for name in names]))


def row_schema(form: BehaviourForm) -> pa.Schema:
    """The columns of `raw`: users with their events, attributes as text."""
    return records.behaviour_schema(dict.fromkeys(form.attributes, "category"))


def gathered(
    spark: SparkSession, config: Config, place: Place, staged: DataFrame
) -> tuple[DataFrame, dict[str, Any], pa.Schema]:
    """(rows of users, and whatever is refused; counts; the columns of `raw`)."""
    from pyspark.sql import functions as F

    form = config.recipe.behaviour
    assert form is not None
    told = lay_down(spark, events_of.judged(staged, form), place.folder, "work/events")
    known = people_of.judged(staged, form)
    known = lay_down(spark, known, place.folder, "work/people") if known is not None else None
    sequences = events_of.sequences(told)
    rows = people_of.joined(sequences, known, form)
    schema = pa.schema([*records.refused_schema(row_schema(form)), *BOOKKEEPING])
    parts = [rows, events_of.refused(told)]
    parts += [people_of.refused(known)] if known is not None else []
    parts += [_items(spark, place, staged, form)] if form.items else []
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.unionByName(part, allowMissingColumns=True)
    missing = [name for name in schema.names if name not in whole.columns]
    whole = whole.withColumns({name: F.lit(None) for name in missing}).select(*schema.names)
    made = lay_down(spark, map_rows(whole, Finishing(form.events, schema), schema), place.folder, "work/rows")
    return made, _counts(form, staged, told, known, made), row_schema(form)


@dataclass(frozen=True)
class Finishing:
    """Gathered rows with what hangs on their content: ids of users, hashes of all."""

    source: str
    schema: pa.Schema

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The rows in `schema`."""
        loose = pa.schema([field.with_nullable(True) for field in self.schema])
        users = batch.column("user").cast(pa.string())
        words = hashing.record_words(pa.table({"user": users}), ["user"], _SALTS)
        own = cells.ids(self.source, words[0], words[1]).to_pylist()
        told = batch.column("row_id").to_pylist()
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns["row_id"] = pa.array([row or mine for row, mine in zip(told, own, strict=True)], pa.string())
        columns["row_stage"] = pa.array([STAGE] * batch.num_rows)
        arrays = [columns[field.name].cast(field.type) for field in loose]
        return hashed(pa.Table.from_arrays(arrays, schema=loose), loose)


def _items(spark: SparkSession, place: Place, staged: DataFrame, form: BehaviourForm) -> DataFrame:
    """Lay down the names of items, one of each; returns what is refused."""

    told = _told_items(staged, form)
    names = told.where("fate = 'kept'").select("item", "title").coalesce(1)
    hand_off(names, place.folder, ITEMS)
    return told.where("fate = 'refused'").select(*[name for name in told.columns if name.startswith("row_")])


def _told_items(staged: DataFrame, form: BehaviourForm) -> DataFrame:
    """Every record of the source of items with its fate: the first of each item is kept, its repetitions are merged."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    mine = staged.where(F.col("row_of") == F.lit(form.items)).withColumn("item", F.trim("item"))
    nameless = F.when(F.coalesce(F.length("item"), F.lit(0)) == 0, "item_missing")
    read = mine.withColumn("row_reason", F.coalesce("row_reason", nameless))
    same = F.when(F.col("row_reason").isNull(), F.col("item")).otherwise(F.col("row_id"))
    place = F.row_number().over(Window.partitionBy(F.col("row_reason").isNull(), same).orderBy("row_source"))
    return read.withColumn("fate", fate_of(place))


def _counts(
    form: BehaviourForm, staged: DataFrame, told: DataFrame, known: DataFrame | None, made: DataFrame
) -> dict[str, Any]:
    """What came of every source (in = kept + refused + merged + left out), and how many users and items there are."""
    from pyspark.sql import functions as F

    of_users = made.where("row_reason is null or row_reason = 'user_unknown'")
    sums = of_users.groupBy("row_reason").agg(F.count("*").alias("rows"), F.sum(F.size("items")).alias("events"))
    rows = {row["row_reason"]: (row["rows"], row["events"]) for row in sums.collect()}
    kept, (unknown, lost) = rows.get(None, (0, 0)), rows.get("user_unknown", (0, 0))
    counts = {form.events: tallied(told)}
    if lost:
        counts[form.events]["kept"] -= lost
        counts[form.events]["refused"]["user_unknown"] = lost
    if known is not None and form.users:
        counts[form.users] = people_of.counts(known, made)
    if form.items:
        counts[form.items] = tallied(_told_items(staged, form))
    items = made.where("row_reason is null").select(F.explode("items").alias("item")).distinct().count()
    return {"sources": counts, "rows": kept[0], "users_refused": unknown, "items": items}

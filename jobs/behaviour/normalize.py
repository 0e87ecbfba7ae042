"""Normalize, the part of behaviour: how many users have each item, which items meet, which ratings there are.

Two items meet where a user has them within REACH events of one another. All sums are of whole numbers, so they are the
same under any partitioning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config
from conf.runs import Place
from udfs.behaviour.values import as_written

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

REACH = 10  # events: what lies further apart is hardly of one mood
MOST_ITEMS = 20_000  # the most frequent ones, of which neighbours are told
NEIGHBOURS = 20  # of each item
LEAST_MEETINGS = 3  # fewer are chance
MOST_RATINGS = 1000  # different ones, the lowest, of which it is told how many there are
MOST_PAIRS = 1_000_000  # that a worker counts before it hands them on
_PAIRS = pa.schema([("one", pa.string()), ("other", pa.string()), ("met", pa.int64())])


def measured(config: Config, train: DataFrame) -> tuple[int, dict[str, Any]]:
    """How many users were measured; their events, the items' users, each item's neighbours, and ratings."""
    from pyspark.sql import functions as F

    sums = train.agg(
        F.count("*").alias("rows"),
        F.sum(F.size("items")).alias("events"),
        F.min(F.size("items")).alias("shortest"),
        F.max(F.size("items")).alias("longest"),
    ).first()
    rows = int(sums["rows"]) if sums else 0
    if not sums or not rows:
        return 0, {}
    each = train.select("row_id", F.explode(F.array_distinct("items")).alias("item"))
    users = each.groupBy("item").agg(F.count("*").alias("users"))
    popular = users.orderBy(F.desc("users"), "item").limit(MOST_ITEMS).cache()
    ratings = train.select(F.explode("ratings").alias("rating")).groupBy("rating").count().orderBy("rating")
    told = {
        "events": int(sums["events"]),
        "shortest": int(sums["shortest"]),
        "longest": int(sums["longest"]),
        "items": users.count(),
        "users": {row["item"]: row["users"] for row in popular.collect()},
        "ratings": {as_written(row["rating"]): row["count"] for row in ratings.limit(MOST_RATINGS).collect()},
        "near": near(train, popular),
    }
    popular.unpersist()
    return rows, told


def near(train: DataFrame, popular: DataFrame) -> dict[str, list[str]]:
    """Of each of the popular items those that it meets most, by the cosine of how often, ties by name."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    pairs = train.select("items").mapInArrow(meetings, from_arrow_schema(_PAIRS))
    met = pairs.groupBy("one", "other").agg(F.sum("met").alias("met"))
    often = met.where(F.col("met") >= LEAST_MEETINGS)
    both = often.unionByName(often.select(F.col("other").alias("one"), F.col("one").alias("other"), "met"))
    for name in ("one", "other"):
        users = popular.select(F.col("item").alias(name), F.col("users").alias(f"{name}_users"))
        both = both.join(F.broadcast(users), name)
    alike = (F.col("met") * F.col("met")) / (F.col("one_users") * F.col("other_users"))
    first = F.row_number().over(Window.partitionBy("one").orderBy(F.desc("alike"), "other"))
    best = both.withColumn("alike", alike).withColumn("place", first).where(F.col("place") <= NEIGHBOURS)
    lists = best.groupBy("one").agg(F.sort_array(F.collect_list(F.struct("place", "other"))).alias("others"))
    found = {row["one"]: [each["other"] for each in row["others"]] for row in lists.collect()}
    return dict(sorted(found.items()))


def meetings(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of the users of a partition: how many have each pair of items near one another, the first of a pair by name."""
    counted = Counter[tuple[str, str]]()
    for batch in batches:
        for items in batch.column("items").to_pylist():
            found = {pair for back in range(1, REACH + 1) for pair in zip(items, items[back:], strict=False)}
            counted.update({(min(pair), max(pair)) for pair in found if pair[0] != pair[1]})
            if len(counted) > MOST_PAIRS:
                yield _told(counted)
                counted = Counter()
    yield _told(counted)


def _told(counted: Counter[tuple[str, str]]) -> pa.RecordBatch:
    one, other = ([pair[place] for pair in counted] for place in (0, 1))
    return pa.RecordBatch.from_arrays(
        [pa.array(one, pa.string()), pa.array(other, pa.string()), pa.array(counted.values(), pa.int64())],
        schema=_PAIRS,
    )


def write(spark: SparkSession, config: Config, place: Place, told: dict[str, Any]) -> dict[str, Any]:
    """Nothing more."""
    return {}

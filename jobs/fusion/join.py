"""Rows of several sources joined into rows of several payloads: by a key, or by the nearest time.

The first source leads. Nothing is collected: keys meet in Spark's joins, and times in buckets as wide as the tolerance,
of which a row's partners can lie in three alone. Whoever finds no partner is refused: `unmatched`, `key_doubled` (a key
that stands twice in its own source), `partner_doubled`, `partner_taken` (its nearest lies nearer to another row),
`key_missing`, `time_unreadable`. A row that several leading rows may share needs `within`, which groups them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config
from conf.runs import Place
from conf.schema import Join, Recipe
from conf.schema.fusion import LABEL, columns_of, given_by
from jobs.moments import moment
from jobs.rows_read import hashed
from jobs.staging import lay_down
from udfs import records
from udfs.fusion.streams import MICROSECONDS, MOST_SECONDS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

WORK = "work/joined"
UNMATCHED, DOUBLED, PARTNER_DOUBLED, TAKEN = "unmatched", "key_doubled", "partner_doubled", "partner_taken"
NO_KEY, NO_TIME = "key_missing", "time_unreadable"
_KEYS = ("row_join_key", "row_join_time", "row_join_within")


def joined(spark: SparkSession, config: Config, place: Place, staged: DataFrame, schema: pa.Schema) -> DataFrame:
    """The staged records of all sources as rows of `schema`: joined ones under the first source, refused ones as they
    came.
    """
    from jobs.spark import map_rows

    join = config.recipe.join
    assert join is not None
    known = staged.withColumns(_keys(join))
    fit = known.where("row_reason is null").select("row_id", "row_of", "row_split", *_KEYS)
    names = [source.name for source in config.recipe.sources]
    marks = lay_down(spark, _marked(fit, join), place.folder, f"{WORK}/marks")
    pairs = [_matched(marks, names[0], name, join) for name in names[1:]]
    verdicts = lay_down(spark, _verdicts(marks, pairs, names, join), place.folder, f"{WORK}/verdicts")
    whole = _whole(known, verdicts, config.recipe, names)
    left = known.join(
        verdicts.where("row_join_reason is not null").select("row_id", "row_join_reason", "row_join_detail"), "row_id"
    )
    away = left.withColumns({"row_reason": _col("row_join_reason"), "row_detail": _col("row_join_detail")})
    unread = known.where("row_reason is not null")
    columns = schema.names
    refused = away.select(*columns).unionByName(unread.select(*columns))
    rehash = Rehash(schema)
    return lay_down(
        spark, map_rows(whole.select(*columns).unionByName(refused), rehash, schema), place.folder, f"{WORK}/rows"
    )


def _col(name: str) -> Column:
    from pyspark.sql import functions as F

    return F.col(name)


def _keys(join: Join) -> dict[str, Column]:
    """What rows are joined by: text without blanks, or whole microseconds of seconds (or of a moment with its day)."""
    from pyspark.sql import functions as F

    nothing = F.lit(None).cast("string")
    cell = F.nullif(F.trim(F.col(join.column)), F.lit(""))
    dated = F.unix_micros(moment(cell)) / 1e6
    time = F.coalesce(cell.try_cast("double"), dated) if join.by == "nearest_time" else F.lit(None).cast("double")
    time = F.when(F.abs(time) < MOST_SECONDS, F.round(time * MICROSECONDS).cast("long"))  # whole: ties are ties
    within = F.nullif(F.trim(F.col(join.within)), F.lit("")) if join.within else nothing
    return {"row_join_key": cell, "row_join_time": time, "row_join_within": within}


def _marked(fit: DataFrame, join: Join) -> DataFrame:
    """Each readable row with the reason why it cannot be joined by itself: no key, or one that stands twice."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    by = ["row_of", "row_join_key"] if join.by == "key" else ["row_of", "row_join_within", "row_join_time"]
    missing = F.col("row_join_key").isNull() if join.by == "key" else F.col("row_join_time").isNull()
    missing = missing | F.col("row_join_within").isNull() if join.within else missing
    number = F.count("*").over(Window.partitionBy(*by))
    reason = F.when(missing, NO_KEY if join.by == "key" else NO_TIME).when(F.col("row_join_number") > 1, DOUBLED)
    told = F.when(missing, F.lit(f"{join.column} is missing or cannot be read")).when(
        reason.isNotNull(),
        F.format_string(f"{join.column} %s stands %d times in its source", "row_join_key", "row_join_number"),
    )
    return fit.withColumn("row_join_number", number).withColumns({"row_join_reason": reason, "row_join_detail": told})


def _matched(marks: DataFrame, lead: str, other: str, join: Join) -> DataFrame:
    """(row_id, row_join_other, row_join_why): the leading rows with the row of one source that each takes, or why it
    takes none.
    """
    from pyspark.sql import functions as F

    mine = marks.where((F.col("row_of") == lead) & F.col("row_join_reason").isNull())
    theirs = marks.where(F.col("row_of") == other).where(
        F.col("row_join_reason").isNull() | (F.col("row_join_reason") == DOUBLED)
    )
    narrow = theirs.select(
        F.col("row_id").alias("row_join_other"),
        F.col("row_join_key").alias("other_key"),
        F.col("row_join_time").alias("other_time"),
        F.col("row_join_within").alias("other_within"),
        (F.col("row_join_reason") == DOUBLED).alias("other_doubled"),
    )
    found = _by_key(mine, narrow) if join.by == "key" else _by_time(mine, narrow, join)
    is_doubled = F.coalesce("other_doubled", F.lit(False))
    why = (
        F.when(is_doubled, PARTNER_DOUBLED)
        .when(F.col("row_join_taken"), TAKEN)
        .when(F.col("row_join_other").isNull(), UNMATCHED)
    )
    other_id = F.when(why.isNull(), F.col("row_join_other"))
    return found.select("row_id", other_id.alias("row_join_other"), why.alias("row_join_why"))


def _by_key(mine: DataFrame, theirs: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    once = theirs.groupBy("other_key").agg(
        F.min("row_join_other").alias("row_join_other"), F.bool_or("other_doubled").alias("other_doubled")
    )
    found = mine.join(once, mine["row_join_key"] == once["other_key"], "left")
    return found.withColumn("row_join_taken", F.lit(False))


def _by_time(mine: DataFrame, theirs: DataFrame, join: Join) -> DataFrame:
    """The nearest in time within the tolerance; of two as near the earlier. Used once, unless rows may share it."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    assert join.tolerance_s is not None
    width = max(1, round(join.tolerance_s * MICROSECONDS))
    bucket = _bucket(F.col("row_join_time"), width)
    asked = mine.withColumn("bucket", F.explode(F.array(bucket - 1, bucket, bucket + 1)))
    there = theirs.withColumn("bucket", _bucket(F.col("other_time"), width))
    alike = (asked["bucket"] == there["bucket"]) & asked["row_join_within"].eqNullSafe(there["other_within"])
    near = asked.join(there, alike).withColumn("apart", F.abs(F.col("row_join_time") - F.col("other_time")))
    near = near.where(F.col("apart") <= width)
    nearest = Window.partitionBy("row_id").orderBy("apart", "other_time", "row_join_other")
    taking = Window.partitionBy("row_join_other").orderBy("apart", "row_join_time", "row_id")
    best = near.withColumn("turn", F.row_number().over(nearest)).where("turn = 1")
    taken = F.lit(False) if join.reuse else F.row_number().over(taking) > 1
    found = best.withColumn("row_join_taken", taken).select(
        "row_id", "row_join_other", "other_doubled", "row_join_taken"
    )
    return (
        mine.select("row_id")
        .join(found, "row_id", "left")
        .withColumn("row_join_taken", F.coalesce("row_join_taken", F.lit(False)))
    )


def _bucket(time: Column, width: int) -> Column:
    """Which span of this width a time lies in, exactly."""
    from pyspark.sql import functions as F

    return ((time - F.pmod(time, F.lit(width))) / width).cast("long")


def _verdicts(marks: DataFrame, pairs: Sequence[DataFrame], names: Sequence[str], join: Join) -> DataFrame:
    """Of every readable row: the rows that it is joined with (`row_others`, in the order of the sources) or why it is
    refused; rows that are part of a joined one have neither.
    """
    from pyspark.sql import functions as F

    lead = marks.where(F.col("row_of") == names[0])
    for place, each in enumerate(pairs):
        told = each.select(
            "row_id", F.col("row_join_other").alias(f"row_other_{place}"), F.col("row_join_why").alias(f"why_{place}")
        )
        lead = lead.join(told, "row_id", "left")
    whys = [F.when(F.col(f"why_{place}").isNotNull(), F.lit(name)) for place, name in enumerate(names[1:])]
    first = F.coalesce(*(F.col(f"why_{place}") for place in range(len(pairs))))
    words = F.format_string(f"no row of %s at {join.column} %s", F.coalesce(*whys, F.lit("")), "row_join_key")
    reason = F.coalesce("row_join_reason", first)
    others = F.array(*(F.col(f"row_other_{place}") for place in range(len(pairs))))
    detail = F.coalesce("row_join_detail", F.when(first.isNotNull(), words))
    leading = lead.select(
        "row_id",
        F.when(reason.isNull(), others).alias("row_others"),
        reason.alias("row_join_reason"),
        detail.alias("row_join_detail"),
    )
    used = leading.where("row_others is not null").select(F.explode("row_others").alias("row_id")).distinct()
    used = used.withColumn("is_used", F.lit(True))
    rest = marks.where(F.col("row_of") != names[0]).join(used, "row_id", "left")
    lonely = F.format_string(f"no row of {names[0]} takes it at {join.column} %s", "row_join_key")
    reason = F.when(F.col("is_used"), None).otherwise(F.coalesce("row_join_reason", F.lit(UNMATCHED)))
    following = rest.select(
        "row_id",
        F.lit(None).cast("array<string>").alias("row_others"),
        reason.alias("row_join_reason"),
        F.when(reason.isNotNull(), F.coalesce("row_join_detail", lonely)).alias("row_join_detail"),
    )
    return leading.unionByName(following)


def _whole(known: DataFrame, verdicts: DataFrame, recipe: Recipe, names: Sequence[str]) -> DataFrame:
    """The joined rows: lineage of the leading one, each payload from the source that gives it."""
    from pyspark.sql import functions as F

    given = given_by(recipe)
    wanted = [name for name in columns_of(recipe) if name != LABEL or recipe.pairs is None]
    lead = known.where(F.col("row_of") == names[0]).join(verdicts.where("row_others is not null"), "row_id")
    lead = lead.drop("row_join_reason", "row_join_detail", *(name for name in wanted if name not in given[names[0]]))
    for place, name in enumerate(names[1:]):
        own = [column for column in given[name] if column in wanted]
        source = F.col("row_source").alias(f"row_source_{place}")
        theirs = known.select(F.col("row_id").alias(f"row_id_{place}"), *own, source)
        lead = lead.join(theirs, F.col("row_others")[place] == F.col(f"row_id_{place}"))
    missing = [name for name in columns_of(recipe) if name not in lead.columns]
    lead = lead.withColumns({name: F.lit(None).cast("string") for name in missing})
    sources = F.concat_ws(" + ", "row_source", *(f"row_source_{place}" for place in range(len(names) - 1)))
    group = F.coalesce("row_group", F.concat(F.lit("within:"), F.col("row_join_within")))
    ids = F.concat(F.lit(records.maker("joined", *names)), _which(len(names) - 1))
    return lead.withColumns({"row_source": sources, "row_group": group}).withColumn("row_id", ids)


def _which(others: int) -> Column:
    """24 hex digits of the ids of all parts: which one of the join's rows."""
    from pyspark.sql import functions as F

    told = reduce(lambda one, two: F.concat(one, F.lit("|"), two), [F.col("row_others")[at] for at in range(others)])
    return F.substring(F.sha2(F.concat(F.col("row_id"), F.lit("|"), told), 256), 1, records.WHICH_HEX)


class Rehash:
    """Batches with their hashes computed anew, as rows or reasons have changed."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = pa.schema([field.with_nullable(True) for field in schema])

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The same rows."""
        return hashed(pa.Table.from_batches([batch]).cast(self.schema), self.schema)


def counts(before: dict[str, Any], after: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Ingest's counts once sources are joined: what came of each, in = kept + refused + joined + left out."""
    told = {}
    for name in names:
        came, left = before["sources"][name], after["sources"][name]
        away = sum(left["refused"].values()) + left["left_out"]
        kept = left["kept"] if name == names[0] else 0
        told[name] = {**left, "in": came["in"], "kept": kept, "joined": came["in"] - away - kept}
    return {"sources": told, "rows": told[names[0]]["kept"]}

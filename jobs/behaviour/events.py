"""Events read and judged one by one: what is no event is refused, what stands there twice is one, what is left makes
each user's sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.schema.behaviour import EVENT_COLUMNS, BehaviourForm
from jobs.behaviour.fates import KEPT, REFUSED, fate_of
from jobs.moments import moment

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LAST_SECOND = 253_402_300_799  # of the year 9999
_SHOWN = 80  # characters of a cell that is refused, told in its detail


def judged(staged: DataFrame, form: BehaviourForm) -> DataFrame:
    """Every record of the source of events with its values, its `fate` and the reason where it is refused.

    Events of one user, item and time are one; where their ratings differ nobody knows which is right, and all are
    refused. A record that is refused and stands there again is told once.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    mine = staged.where(F.col("row_of") == form.events)
    texts = {name: F.when(F.trim(name) != "", F.trim(name)) for name in EVENT_COLUMNS}
    rating = F.expr("try_cast(rating as double)") if form.ratings else F.lit(1.0)
    read = mine.withColumns(texts).withColumns({"rating_value": rating, "time_value": _seconds(form)})
    read = read.withColumn("row_reason", F.coalesce("row_reason", _reason(form)))
    alike = Window.partitionBy("user", "item", "time_value", F.col("row_reason").isNull())
    read = read.withColumns({"lowest": F.min("rating_value").over(alike), "highest": F.max("rating_value").over(alike)})
    differ = F.when(F.col("lowest") != F.col("highest"), "rating_conflict")
    read = read.withColumn("row_reason", F.coalesce("row_reason", differ))
    is_good = F.col("row_reason").isNull()
    same = [F.when(is_good, F.col(name)) for name in ("user", "item", "time_value")]
    own = F.when(~is_good, F.col("row_id"))
    place = F.row_number().over(Window.partitionBy(*same, own).orderBy("row_source"))
    told = F.coalesce("row_detail", _detail())
    return read.withColumns({"fate": fate_of(place), "row_detail": told}).drop("lowest", "highest")


def _seconds(form: BehaviourForm) -> Column:
    """Whole seconds since 1970; null where the cell cannot be read so."""
    from pyspark.sql import functions as F

    if form.time == "iso":
        return F.unix_timestamp(moment(F.col("time")))
    number = F.expr("try_cast(time as double)")
    whole = F.when(F.abs(number) < 1e15, F.floor(number / (1000 if form.time == "milliseconds" else 1)))
    return whole.cast("long")


def _reason(form: BehaviourForm) -> Column:
    """Why a record is no event; null where it is one."""
    from pyspark.sql import functions as F

    low, high = form.ratings or (1.0, 1.0)
    rating, time = F.col("rating_value"), F.col("time_value")
    return (
        F.when(F.col("user").isNull(), "user_missing")
        .when(F.col("item").isNull(), "item_missing")
        .when(rating.isNull() | F.isnan(rating), "rating_unreadable")
        .when((rating < low) | (rating > high), "rating_out_of_range")
        .when(time.isNull(), "time_unreadable")
        .when((time < 0) | (time > LAST_SECOND), "time_out_of_range")
    )


def _detail() -> Column:
    """The cells of a record that is no event."""
    from pyspark.sql import functions as F

    shown = [
        F.concat(F.lit(f"{name} "), F.coalesce(F.substring(name, 1, _SHOWN), F.lit("?"))) for name in EVENT_COLUMNS
    ]
    return F.when(F.col("row_reason").isNotNull(), F.concat_ws(", ", *shown))


def sequences(told: DataFrame) -> DataFrame:
    """(user, items, ratings, times, row_source) of every user, in the order of the times."""
    from pyspark.sql import functions as F

    event = F.struct(
        F.col("time_value").alias("time"),
        F.xxhash64("user", "item").alias("tie"),
        "item",
        F.col("rating_value").cast("float").alias("rating"),
    )
    each = (
        told.where(F.col("fate") == KEPT)
        .groupBy("user")
        .agg(
            F.sort_array(F.collect_list(event)).alias("events"),
            F.min("row_source").alias("row_source"),
            F.first("row_of").alias("row_of"),
        )
    )
    parts = {name: F.expr(f"transform(events, each -> each.{name[:-1]})") for name in ("items", "ratings", "times")}
    return each.withColumns(parts).drop("events")


def refused(told: DataFrame) -> DataFrame:
    """The records that are no events, as rows: their user and item, as far as they have them."""
    from pyspark.sql import functions as F

    bad = told.where(F.col("fate") == REFUSED)
    items = F.when(F.col("item").isNotNull(), F.array("item"))
    kept = [name for name in bad.columns if name.startswith("row_")]
    return bad.select(*kept, "user", items.alias("items"))

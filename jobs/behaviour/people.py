"""What a source of users tells of them, joined to their sequences."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from conf.schema.behaviour import BehaviourForm
from jobs.behaviour.fates import KEPT, REFUSED, fate_of, tallied

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_UNKNOWN = "the source of users knows nothing of this user; behaviour.unknown_users: keep takes such users, too"
_CONFLICT = "the source of users tells of this user twice, and not the same"


def judged(staged: DataFrame, form: BehaviourForm) -> DataFrame | None:
    """Every record of the source of users with its `fate`; None where there is no such source.

    A user who is told of twice alike is known; of one who is told of differently nothing is known.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    if form.users is None:
        return None
    names = list(form.attributes)
    mine = staged.where(F.col("row_of") == form.users)
    read = mine.withColumns({name: F.when(F.trim(name) != "", F.trim(name)) for name in ("user", *names)})
    of_user = Window.partitionBy("user", F.col("row_reason").isNull())
    spread = [F.size(F.collect_set(F.coalesce(F.col(name), F.lit(""))).over(of_user)) > 1 for name in names]
    differs = reduce(lambda one, other: one | other, spread)
    own = F.when(F.col("user").isNull(), "user_missing").when(differs, "attributes_conflict")
    read = read.withColumn("row_reason", F.coalesce("row_reason", own))
    same = F.when(F.col("row_reason").isNull(), F.col("user")).otherwise(F.col("row_id"))
    place = F.row_number().over(Window.partitionBy(F.col("row_reason").isNull(), same).orderBy("row_source"))
    told = F.when(F.col("row_reason") == "attributes_conflict", _CONFLICT)
    return read.withColumns({"fate": fate_of(place), "row_detail": F.coalesce("row_detail", told)})


def joined(sequences: DataFrame, known: DataFrame | None, form: BehaviourForm) -> DataFrame:
    """Sequences with their users' attributes; a user of whom nothing is known is refused where the recipe says so."""
    from pyspark.sql import functions as F

    rows = sequences
    if known is not None:
        people = known.where(F.col("fate") == KEPT).select("user", *form.attributes, F.lit(True).alias("is_known"))
        rows = sequences.join(people, "user", "left")
        refuse = F.col("is_known").isNull() & F.lit(form.unknown_users == "refuse")
        rows = rows.withColumns(
            {"row_reason": F.when(refuse, "user_unknown"), "row_detail": F.when(refuse, _UNKNOWN)}
        ).drop("is_known")
    told = {"row_origin": F.lit("real"), "row_in_mix": F.lit(True), "row_id": F.lit(None).cast("string")}
    return rows.withColumns(told)


def refused(known: DataFrame) -> DataFrame:
    """The records that tell of no user, or of one otherwise than another record does."""
    from pyspark.sql import functions as F

    bad = known.where(F.col("fate") == REFUSED)
    return bad.select(*[name for name in bad.columns if name.startswith("row_")], "user")


def counts(known: DataFrame, made: DataFrame) -> dict[str, Any]:
    """in = kept + refused + merged + left out (users without events)."""
    found = tallied(known)
    with_events = made.where("row_reason is null").select("user")
    idle = known.where("fate = 'kept'").join(with_events, "user", "left_anti").count()
    return found | {"kept": found["kept"] - idle, "left_out": idle}

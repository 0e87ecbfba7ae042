"""Partners in Spark: rows grouped for `udfs/pairing.py`, and parents joined with what their partners hand over."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from udfs.children import AnyCompiled
from udfs.pairing import BY_VIEW, PAIRS, Chooser

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CELL_ROWS = 20_000  # of one class that are compared with each other: keeps `nearest` linear beyond


def choose_partners(
    parents: DataFrame, compiled: AnyCompiled, way: ModuleType, makers: tuple[str, ...], seed: int
) -> DataFrame:
    """The pairs of all children that want a partner: row_id, copy, partner_id."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    (kind,) = compiled.needs_partners
    chooser = Chooser(compiled, makers, seed, kind)
    label = way.label_of(compiled).alias("label")
    ids = parents.select("row_id", label)
    if kind in BY_VIEW:
        within = ["label"] if kind == "nearest" else []
        cells = ids.groupBy(*within).agg(F.ceil(F.count("*") / CELL_ROWS).alias("cells"))
        seen = way.views(parents, compiled)
        cell = F.pmod(F.xxhash64("row_id"), F.col("cells")).alias("cell")
        placed = seen.join(F.broadcast(cells), within) if within else seen.crossJoin(F.broadcast(cells))
        grouped = placed.select("row_id", "label", "view", cell).groupBy(*within, "cell")
    else:
        grouped = ids.groupBy("label") if kind == "same_label" else ids.groupBy()
    return grouped.applyInArrow(
        lambda group: chooser(group), from_arrow_schema(PAIRS)
    )  # by its argument Spark knows what to hand over


def with_partners(parents: DataFrame, pairs: DataFrame, compiled: AnyCompiled, way: ModuleType) -> DataFrame:
    """Parents with the column `partners`: for each copy that has one its number, and what the partner hands over."""
    from pyspark.sql import functions as F

    handed = way.partner_columns(compiled)
    told = pairs.join(parents.select(*[column.alias(name) for name, column in handed.items()]), "partner_id")
    lists = told.groupBy("row_id").agg(F.collect_list(F.struct("copy", *handed)).alias("partners"))
    return parents.join(lists, "row_id", "left")

"""Normalize, the part of texts: how long train rows are, and which words they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf import Config
from conf.runs import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_WORD = r"[\p{L}\p{N}]+(?:['’\-][\p{L}\p{N}]+)*"


def measured(config: Config, train: DataFrame) -> tuple[int, dict[str, Any]]:
    """How many rows were measured; their words and characters, and the most frequent words with the rows that have
    them.
    """
    from pyspark.sql import functions as F

    words = train.select(F.expr("length(text)").alias("size"), F.regexp_extract_all("text", F.lit(_WORD), 0).alias("w"))
    sums = words.agg(
        F.count("*").alias("rows"),
        F.sum("size").alias("characters"),
        F.max("size").alias("longest"),
        F.sum(F.size("w")).alias("words"),
    ).first()
    rows = int(sums["rows"]) if sums else 0
    if not sums or not rows:
        return 0, {}
    each = words.select(F.explode(F.array_distinct(F.transform("w", F.lower))).alias("word"))
    frequent = each.groupBy("word").count()
    most = frequent.orderBy(F.desc("count"), "word").limit(config.recipe.normalize.vocabulary).collect()
    return rows, {
        "characters": int(sums["characters"] or 0),
        "longest": int(sums["longest"] or 0),
        "words": int(sums["words"] or 0),
        "distinct_words": frequent.count(),
        "vocabulary": {row["word"]: row["count"] for row in most},
    }


def write(spark: SparkSession, config: Config, place: Place, told: dict[str, Any]) -> dict[str, Any]:
    """Nothing more."""
    return {}

"""Categories that are spelled almost like a frequent one, where the recipe asks: which words are put for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.schema import Recipe
from jobs.tabular.parse import parsings
from jobs.tabular.reading import with_texts
from udfs.table.spelling import respelled

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_WORDS = 50_000  # of a column, the most frequent; beyond, it is no list of categories


def repairs(recipe: Recipe, raw: DataFrame) -> dict[str, dict[str, str]]:
    """Words to put for words, by column."""
    from pyspark.sql import functions as F

    found = {}
    for how in parsings(recipe, {}):
        if how.said.spelling is None:
            continue
        words = with_texts(raw, [how], []).toDF("word").where("word is not null")
        counted = words.groupBy("word").count().orderBy(F.desc("count"), "word").limit(MAX_WORDS)
        put = respelled({row["word"]: row["count"] for row in counted.collect()}, how.said.spelling)
        if put:
            found[how.name] = put
    return found

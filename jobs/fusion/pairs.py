"""Pairs of an image and a text for matching: real rows match, and each gets texts of other rows of its own split.

Negatives are drawn by identity: the rows of a split stand in a ring in the order of a hash, another order for each
negative, and a row takes the text of the next one that is neither of its own group nor a text that its group has
(another caption of the same picture would be no mismatch). Hard ones come from rows of the same class, or from those
whose words are most alike. So a row that comes or goes changes few pairs, and none ever crosses a split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf import Config
from conf.runs import Place
from conf.schema.fusion import Pairs
from jobs.staging import lay_down
from jobs.verdicts import FATE, KEPT
from udfs import records
from udfs.rng import RowRandom
from udfs.text.near import normal_form, signatures

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

WORK = "work"
CELL_ROWS = 4000  # of one split (and class) that are paired with one another: keeps it linear beyond
LOOKED_AHEAD = 32  # rows of the ring, or most alike ones, until one is a mismatch
BLOCK_ROWS = 256
PERMUTATIONS = 64
MAKER = "pair"
CHOSEN = pa.schema(
    [
        ("row_id", pa.string()),
        ("row_new_id", pa.string()),
        ("row_other", pa.string()),
        ("row_place", pa.int32()),
        ("row_is_hard", pa.bool_()),
    ]
)


def with_negatives(
    spark: SparkSession, config: Config, place: Place, whole: DataFrame
) -> tuple[DataFrame, dict[str, Any]]:
    """The rows and, of those that are kept, their mismatches; how many of these there are, and how many are hard."""
    from pyspark.sql import functions as F

    pairs = config.recipe.pairs
    assert pairs is not None
    whole = lay_down(spark, whole, place.folder, f"{WORK}/matches")
    kept = whole.where(F.col(FATE) == KEPT)
    chosen = lay_down(spark, _chosen(kept, pairs, config.recipe.seed), place.folder, f"{WORK}/mismatches")
    row = chosen.agg(F.count("*").alias("made"), F.count_if("row_is_hard").alias("hard")).first()
    counts = {"made": int(row["made"]), "hard": int(row["hard"])} if row else {"made": 0, "hard": 0}
    texts = kept.select(F.col("row_id").alias("row_other"), F.col("text").alias("row_text"))
    told = kept.join(chosen, "row_id").join(texts, "row_other")
    group = F.coalesce("row_group", F.col("row_id"))
    made = told.withColumns(
        {
            "row_group": group,
            "row_parents": F.array("row_id", "row_other"),
            "row_source": F.concat(F.lit("image of "), "row_id", F.lit(", text of "), "row_other"),
            "label": F.lit(pairs.mismatch),
            "text": F.col("row_text"),
        }
    ).withColumn("row_id", F.col("row_new_id"))
    return whole.unionByName(made.select(*whole.columns)), counts


def _chosen(kept: DataFrame, pairs: Pairs, seed: int) -> DataFrame:
    """Of every kept row the rows whose text it gets, in CHOSEN."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    klass = F.col(pairs.same).cast("string") if pairs.same else F.lit(None).cast("string")
    group = F.coalesce("row_group", F.col("row_id")).alias("row_group")
    narrow = kept.select("row_id", "row_split", group, "text", klass.alias("row_class"))
    cells = narrow.groupBy("row_split").agg(F.ceil(F.count("*") / CELL_ROWS).alias("cells"))
    placed = narrow.join(F.broadcast(cells), "row_split").withColumn("cell", _cell())
    choose = Choosing(pairs, seed)
    return placed.groupBy("row_split", "cell").applyInArrow(
        lambda group: choose(group), from_arrow_schema(CHOSEN)
    )  # by its argument Spark knows what to hand over


def _cell() -> Column:
    """Which part of a split a row is paired in, by a hash of its group: captions of one picture see each other."""
    from pyspark.sql import functions as F

    return F.pmod(F.xxhash64("row_group"), F.col("cells"))


@dataclass(frozen=True)
class Choosing:
    """The rows of one part of a split to the pairs that are made of them."""

    pairs: Pairs
    seed: int

    def __call__(self, group: pa.Table) -> pa.Table:
        """CHOSEN; fewer pairs where there are no other texts."""
        rows = group.sort_by("row_id")
        ids, texts = rows.column("row_id").to_pylist(), rows.column("text").to_pylist()
        marks = _codes([normal_form(text) for text in texts])
        groups, classes = (_codes(rows.column(name).to_pylist()) for name in ("row_group", "row_class"))
        alike = self._alike(texts, marks, groups) if self.pairs.hard and self.pairs.by == "text" else None
        found: list[dict[str, Any]] = []
        taken: list[set[int]] = [set() for _ in ids]
        own = _by_group(groups, marks)
        for number in range(1, self.pairs.negatives + 1):
            random = RowRandom(ids, self.seed, "pairs", number)
            hard = random.bernoulli(self.pairs.hard)
            order = np.argsort(random.bits(), kind="stable")
            for row in range(len(ids)):
                known = taken[row] | own[int(groups[row])]
                other = self._hard(row, order, marks, groups, classes, alike, known) if hard[row] else None
                easy = _next(row, order, marks, groups, known) if other is None else other
                if easy is None:
                    continue
                taken[row].add(int(marks[easy]))
                found.append(_pair(ids[row], ids[easy], number, other is not None))
        return pa.Table.from_pylist(found, schema=CHOSEN)

    def _hard(
        self,
        row: int,
        order: NDArray[np.int64],
        marks: NDArray[np.int64],
        groups: NDArray[np.int64],
        classes: NDArray[np.int64],
        alike: NDArray[np.int64] | None,
        taken: set[int],
    ) -> int | None:
        """A text that is hard to tell from the row's own; null where there is none."""
        if alike is not None:
            fit = (int(each) for each in alike[row] if each >= 0 and int(marks[each]) not in taken)
            return next(fit, None)
        return _next(row, order[classes[order] == classes[row]], marks, groups, taken)

    def _alike(self, texts: Sequence[str], marks: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[N, LOOKED_AHEAD]: rows of other texts and groups, most alike first by shared shingles; -1 for none."""
        signed = signatures(list(texts), permutations=PERMUTATIONS)
        most = min(LOOKED_AHEAD, len(texts))
        found = np.full((len(texts), most), -1, np.int64)
        for at in range(0, len(texts), BLOCK_ROWS):
            part = slice(at, at + BLOCK_ROWS)
            shared = np.stack([(signed == one).sum(1) for one in signed[part]])
            strange = (marks[part, None] != marks[None]) & (groups[part, None] != groups[None])
            order = np.argsort(np.where(strange, -shared, 1), axis=1, kind="stable")[:, :most]
            found[part] = np.where(np.take_along_axis(strange, order, 1), order, -1)
        return found


def _codes(values: Sequence[Any]) -> NDArray[np.int64]:
    """Equal numbers for equal values."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values], np.int64)


def _by_group(groups: NDArray[np.int64], marks: NDArray[np.int64]) -> dict[int, set[int]]:
    """The texts that each group has."""
    found: dict[int, set[int]] = {}
    for group, mark in zip(groups.tolist(), marks.tolist(), strict=True):
        found.setdefault(group, set()).add(mark)
    return found


def _next(
    row: int, order: NDArray[np.int64], marks: NDArray[np.int64], groups: NDArray[np.int64], taken: set[int]
) -> int | None:
    """The row after this one in the ring whose text is another, of another group; null where there is none."""
    (at,) = np.flatnonzero(order == row)
    following = np.roll(order, -int(at) - 1)[: len(order) - 1]
    fit = (int(each) for each in following if groups[each] != groups[row] and int(marks[each]) not in taken)
    return next(fit, None)


def _pair(row_id: str, other: str, number: int, is_hard: bool) -> dict[str, Any]:
    made = records.child_id(records.maker(MAKER, number), [row_id, other])
    return {"row_id": row_id, "row_new_id": made, "row_other": other, "row_place": number, "row_is_hard": is_hard}

"""Near copies of tables: rows that agree in nearly all columns, found without comparing all pairs.

Of D columns, rows may differ in at most k = D * (1 - min_similarity), rounded down. The columns are dealt into k + 1
bands; two such rows agree wholly in at least one of them (pigeonhole), so only rows that share a band's cells are
compared, and a pair that shares several is reported in the first alone. A block of more than MAX_BLOCK rows is cut,
which may miss pairs and is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.schema import Recipe
from jobs.duplicates import PAIRS, blocks_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

MAX_BLOCK = 5_000
_CHUNK = 256
Cells = NDArray[np.int64]  # (N, D): a hash of each cell


def allowed_differences(recipe: Recipe) -> int:
    """In how many columns near copies may differ."""
    return int(len(compared(recipe)) * (1 - recipe.clean.duplicates.min_similarity) + 1e-9)


def compared(recipe: Recipe) -> list[str]:
    """The columns that are compared: those that the recipe names, else all but ids."""
    named = recipe.clean.duplicates.columns
    return named or [name for name, said in recipe.columns.items() if said.type != "id"]


def cell_hashes(recipe: Recipe) -> Column:
    """`cells`: a hash of each compared cell."""
    from pyspark.sql import functions as F

    return F.array(*[F.xxhash64(F.col(name), F.col(name).isNull()) for name in compared(recipe)]).alias("cells")


def near_pairs(nodes: DataFrame, recipe: Recipe) -> DataFrame:
    """Pairs (first < second) of nodes that agree in enough columns; a null `second` notes a block that was cut.

    `nodes` has node and `cell_hashes`.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    columns, most = len(compared(recipe)), allowed_differences(recipe)
    cells = [F.col("cells")[place] for place in range(columns)]
    bands = [
        F.struct(F.xxhash64(F.lit(band), *cells[band :: most + 1]).alias("key"), F.lit(band).alias("number"))
        for band in range(most + 1)
    ]
    spread = nodes.select("node", "cells", F.explode(F.array(*bands)).alias("of"))
    keyed = spread.select("node", "cells", F.col("of.key").alias("band"), F.col("of.number").alias("number"))
    sizes = keyed.groupBy("band").count().where("count > 1").select("band")
    ordered = keyed.join(sizes, "band").repartition("band").sortWithinPartitions("band", "node")
    return ordered.mapInArrow(_finder(most), from_arrow_schema(PAIRS))


def _finder(most: int) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _, block in blocks_of(batches):
            nodes = block.column("node").to_pylist()
            cells = np.array(block.column("cells").to_pylist(), np.int64)
            number = block.column("number")[0].as_py()
            for start in range(0, len(nodes), MAX_BLOCK):
                stop = min(len(nodes), start + MAX_BLOCK)
                told = [(nodes[start], None, stop - start)] if len(nodes) > MAX_BLOCK else []
                for one, two, apart in close_pairs(cells[start:stop], number, most):
                    first, second = sorted((nodes[start + one], nodes[start + two]))
                    told.append((first, second, apart))
                if told:
                    rows = [dict(zip(PAIRS.names, each, strict=True)) for each in told]
                    yield pa.RecordBatch.from_pylist(rows, schema=PAIRS)

    return find


def close_pairs(cells: Cells, band: int, most: int) -> Iterator[tuple[int, int, int]]:
    """Pairs of a block that differ in at most `most` columns, and in how many; `band` is the first that they share."""
    bands = most + 1
    for start in range(0, len(cells), _CHUNK):
        part = cells[start : start + _CHUNK]
        differs = np.zeros((len(part), len(cells)), np.int64)
        earlier = np.zeros((len(part), len(cells)), bool)  # whether an earlier band is shared
        for number in range(bands):
            apart = np.zeros_like(differs)
            for column in range(number, cells.shape[1], bands):
                apart += part[:, column, None] != cells[None, :, column]
            differs += apart
            if number < band:
                earlier |= apart == 0
        later = np.arange(len(cells))[None, :] > np.arange(start, start + len(part))[:, None]
        for one, two in zip(*np.nonzero((differs <= most) & later & ~earlier), strict=True):
            yield start + int(one), int(two), int(differs[one, two])

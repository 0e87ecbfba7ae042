"""Near copies among texts: candidates by MinHash bands (Broder 1997; Leskovec, Rajaraman, Ullman 2014), each pair then
asked what share of their shingles both have.

Only (band, node) travels between workers, some dozen bytes a band. What this gives up: of a band's value that more than
MAX_BLOCK texts share, each is compared with the first alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jobs.duplicates import PAIRS, blocks_of
from jobs.staging import lay_down
from udfs.text.near import NO_SHINGLE, band_keys, bands_for, likenesses, signatures

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MAX_BLOCK = 500  # texts of one band's value that are all compared with one another
PERMUTATIONS = 128
UNLIKE = 1000  # a pair's distance where nothing is shared
_BANDED = pa.schema([("node", pa.string()), ("band", pa.int64())])
_CANDIDATES = pa.schema([("first", pa.string()), ("second", pa.string())])
_BATCH_ROWS = 2048


def near_pairs(spark: SparkSession, nodes: DataFrame, min_similarity: float, folder: str) -> DataFrame:
    """Pairs (first < second) of nodes that share enough; a null `second` notes a block that was cut.

    `nodes` has node and text.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    from jobs.spark import map_rows

    texts = nodes.select("node", "text")
    banded = map_rows(texts, Banding(*bands_for(min_similarity, PERMUTATIONS)), _BANDED, _BATCH_ROWS)
    shared = banded.withColumn("others", F.count("*").over(Window.partitionBy("band"))).where("others > 1")
    ordered = shared.drop("others").sortWithinPartitions("band", "node")
    found = ordered.mapInArrow(_candidates, from_arrow_schema(_CANDIDATES)).distinct()
    laid = lay_down(spark, found, folder, "near/candidates")
    left, right = (texts.toDF(name, f"{name}_text") for name in ("first", "second"))
    whole = laid.where("second is not null").join(left, "first").join(right, "second")
    asked = map_rows(whole.select("first", "second", "first_text", "second_text"), Asking(min_similarity), PAIRS)
    cut = laid.where("second is null").select("first", "second", F.lit(0).cast("long").alias("distance"))
    return asked.unionByName(cut)


@dataclass(frozen=True)
class Banding:
    """Each text once for every band of its signature."""

    bands: int
    rows: int

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """(node, band) rows."""
        signed = signatures(batch.column("text").to_pylist(), permutations=PERMUTATIONS)
        some = np.flatnonzero((signed != NO_SHINGLE).any(1))  # texts without a word would all be candidates
        keys = band_keys(signed[some], self.bands, self.rows)
        nodes = batch.column("node").take(pa.array(np.repeat(some, keys.shape[1])))
        return pa.table([nodes, pa.array(keys.reshape(-1).view(np.int64))], schema=_BANDED)


def _candidates(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pairs of the nodes of one band's value."""
    for _, block in blocks_of(batches):
        nodes = block.column("node").to_pylist()
        pairs = list(_pairs(nodes))
        for at in range(0, len(pairs), 1 << 16):
            first, second = zip(*pairs[at : at + (1 << 16)], strict=True)
            yield pa.RecordBatch.from_arrays([pa.array(first), pa.array(second, pa.string())], schema=_CANDIDATES)


def _pairs(nodes: list[str]) -> Iterator[tuple[str, str | None]]:
    """All pairs in order; of too many nodes those with the first, and a note."""
    if len(nodes) > MAX_BLOCK:
        yield nodes[0], None
        yield from ((nodes[0], other) for other in nodes[1:])
        return
    for place, first in enumerate(nodes):
        yield from ((first, second) for second in nodes[place + 1 :])


@dataclass(frozen=True)
class Asking:
    """Candidates that share enough, with how far they are apart in thousandths."""

    min_similarity: float

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """Those pairs in PAIRS."""
        alike = likenesses(batch.column("first_text").to_pylist(), batch.column("second_text").to_pylist())
        kept = pa.array(alike >= self.min_similarity)
        distance = pa.array(np.round((1 - alike) * UNLIKE).astype(np.int64))
        return pa.table([batch.column("first"), batch.column("second"), distance], schema=PAIRS).filter(kept)

"""Copies: exact ones by a hash of the pixels, near ones by a perceptual hash and a check of the content.

Near copies are found without comparing all pairs. Two 64-bit hashes that differ in at most d bits agree wholly in at
least one of d + 1 bands (pigeonhole), so only rows that share a band's value are compared; a pair that shares several
is reported in the first alone. Groups are stars around one row, never chains: rows are taken in a fixed order, and
each that is not yet in a star becomes the hub of its near copies. What this gives up: a block of more than MAX_BLOCK
rows of one band value is cut by the next band too, which may miss pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.schema import Duplicates
from jobs.decoding import unpacked
from jobs.staging import lay_down
from udfs.image import same_content
from udfs.image.hashing import distance_bits, hash_bands

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

MAX_BLOCK = 20_000  # rows compared with one another, some seconds' work
MAX_PAIRS_ON_DRIVER = 200_000  # some 40 MB; beyond, stars are made in rounds on the workers
_CHUNK = 512
_BLOCKED = pa.schema([("node", pa.string()), ("look", pa.int64()), ("thumb", pa.binary()), ("band", pa.int64())])
PAIRS = pa.schema([("first", pa.string()), ("second", pa.string()), ("distance", pa.int64())])
_SEPARATOR = ":"


@dataclass(frozen=True)
class Copies:
    """What makes rows copies, in words, and whether copies of different labels are a conflict that refuses them."""

    detail: str
    may_conflict: bool = True


PIXELS = Copies("the pixels are the same")


def mark_exact(facts: DataFrame, rule: Duplicates, has_label_stage: bool, copies: Copies = PIXELS) -> DataFrame:
    """Facts with `rank`, `node`, `is_node` and, where already known, `fate`, `row_reason` and `row_detail`.

    `rank` is 0 for given test rows, 1 for given val rows, 2 for all others. Rows of equal pixels and rank are copies;
    `node` names the one that stands for them. A copy of a given test or val row is refused, and so are copies whose
    labels conflict: nobody knows which is right. Given test and val rows are not merged: the yardstick stays whole.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    rank = F.when(F.col("given") == "test", 0).when(F.col("given") == "val", 1).otherwise(2)
    alike = Window.partitionBy("pixels")
    equal = Window.partitionBy("pixels", "rank")
    order = F.concat_ws(
        _SEPARATOR, F.col("rank"), F.col("known").isNull().cast("int"), salted("star", "row_id"), "row_id"
    )
    best_first = equal.orderBy(F.col("label").isNull(), F.col("given").isNull(), F.col("known").isNull(), "row_id")
    marked = facts.withColumn("rank", rank).withColumns(
        {
            "top": F.min("rank").over(alike),
            "labels": F.array_sort(F.collect_set("label").over(equal)),
            "place": F.row_number().over(best_first),
            "node": F.first(order).over(best_first),
        }
    )
    merged = (F.col("place") > 1) & (F.col("rank") == 2) & F.lit(rule.exact == "drop")
    unlabelled = F.col("label").isNull() & ((F.col("rank") < 2) | F.lit(not has_label_stage))
    reason = (
        F.when(F.col("rank") > F.col("top"), F.when(F.col("top") == 0, "copy_of_test").otherwise("copy_of_val"))
        .when((F.size("labels") > 1) & F.lit(copies.may_conflict), "label_conflict")
        .when(~merged & unlabelled, "label_missing")
    )
    told = (
        F.when(reason == "label_conflict", F.concat(F.lit("copies are labelled "), F.concat_ws(", ", "labels")))
        .when(reason == "label_missing", "no label, and the recipe has no label stage that would give one")
        .when(reason.isNotNull(), copies.detail)
    )
    fate = F.when(reason.isNotNull(), "refused").when(merged, "merged")
    columns = {
        "row_reason": reason,
        "row_detail": told,
        "fate": fate,
        "is_node": (F.col("place") == 1) & reason.isNull(),
    }
    return marked.withColumns(columns).drop("top", "labels", "place")


def salted(salt: str, *columns: str, seed: int | None = None) -> Column:
    """16 hex digits: a hash of the columns that draws of other salts do not know of."""
    from pyspark.sql import functions as F

    told = [F.lit(salt), *([F.lit(str(seed))] if seed is not None else []), *(F.col(column) for column in columns)]
    return F.substring(F.sha2(F.concat_ws("|", *told), 256), 1, 16)


def row_id_of(node: Column) -> Column:
    """The row_id at a node's end."""
    from pyspark.sql import functions as F

    return F.element_at(F.split(node, _SEPARATOR), -1)


# ---- near copies ----


def near_pairs(nodes: DataFrame, max_distance_bits: int, shape: tuple[int, int, int]) -> DataFrame:
    """Pairs (first < second) of nodes with close hashes and the same content.

    A null `second` notes a block that was cut.

    `nodes` has node, look (the hash) and thumb (of `shape`).
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    from jobs.spark import map_rows

    blocked = map_rows(nodes.select("node", "look", "thumb"), _in_bands(max_distance_bits), _BLOCKED)
    shared = (
        blocked.withColumn("others", F.count("*").over(Window.partitionBy("band"))).where("others > 1").drop("others")
    )
    ordered = shared.sortWithinPartitions("band", "node")
    return ordered.mapInArrow(_pair_finder(max_distance_bits, shape), from_arrow_schema(PAIRS))


def _in_bands(bits: int) -> Callable[[pa.RecordBatch], pa.Table]:
    """Each node once for every band of its hash."""

    def spread(batch: pa.RecordBatch) -> pa.Table:
        bands = hash_bands(_words(batch.column("look")), bits)  # (N, bits + 1)
        rows = np.repeat(np.arange(batch.num_rows), bands.shape[1])
        return (
            pa.Table.from_batches([batch])
            .take(pa.array(rows))
            .append_column("band", pa.array(bands.reshape(-1).view(np.int64)))
        )

    return spread


def _words(column: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    return (
        column.to_numpy(zero_copy_only=False).view(np.uint64)
        if isinstance(column, pa.Array)
        else column.to_numpy().view(np.uint64)
    )


def _pair_finder(
    bits: int, shape: tuple[int, int, int]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for band, block in blocks_of(batches):
            nodes = block.column("node").to_pylist()
            looks, thumbs = _words(block.column("look")), unpacked(block.column("thumb"), shape)
            for rows, was_cut in _bounded(looks, band, bits):
                told = [(nodes[rows[0]], None, len(rows))] if was_cut else []
                for a, b, distance in zip(*close_pairs(looks[rows], thumbs[rows], band, bits), strict=True):
                    first, second = sorted((nodes[rows[a]], nodes[rows[b]]))
                    told.append((first, second, int(distance)))
                if told:
                    yield pa.RecordBatch.from_pylist(
                        [dict(zip(PAIRS.names, each, strict=True)) for each in told], schema=PAIRS
                    )

    return find


def blocks_of(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[np.uint64, pa.Table]]:
    """Runs of rows of one band's value, whole, however the batches cut them."""
    held: list[pa.RecordBatch] = []
    key: np.uint64 | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        bands = _words(batch.column("band"))
        starts = [0, *(np.flatnonzero(bands[1:] != bands[:-1]) + 1).tolist()]
        for start, stop in zip(starts, [*starts[1:], len(bands)], strict=True):
            if key is not None and bands[start] != key:
                yield key, pa.Table.from_batches(held)
                held = []
            key = bands[start]
            held.append(batch.slice(start, stop - start))
    if key is not None:
        yield key, pa.Table.from_batches(held)


def _bounded(looks: NDArray[np.uint64], band: np.uint64, bits: int) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """Rows to compare with one another: the block, or its parts of one value in the next band where it is too large."""
    rows = np.arange(len(looks))
    if len(rows) <= MAX_BLOCK:
        yield rows, False
        return
    bands = hash_bands(looks, bits)
    mine = int(np.argmax(bands[0] == band))
    values = bands[:, (mine + 1) % bands.shape[1]]
    for value in np.unique(values):
        part = rows[values == value]
        for begin in range(0, len(part), MAX_BLOCK):
            yield part[begin : begin + MAX_BLOCK], True


def close_pairs(
    looks: NDArray[np.uint64], thumbs: NDArray[np.uint8], band: np.uint64, bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a block and their distances.

    Hashes within `bits`, `band` the first band in which they agree, the same content.
    """
    bands = hash_bands(looks, bits)
    firsts, seconds, distances = [], [], []
    for start in range(0, len(looks), _CHUNK):
        distance = distance_bits(looks[start : start + _CHUNK, None], looks[None, :])  # (chunk, N)
        later = np.arange(len(looks))[None, :] > np.arange(start, start + len(distance))[:, None]
        row, column = np.nonzero((distance <= bits) & later)
        near = distance[row, column]
        row = row + start
        mine = bands[row, np.argmax(bands[row] == bands[column], axis=1)] == band
        row, column, near = row[mine], column[mine], near[mine]
        same = same_content(thumbs[row], thumbs[column]) if len(row) else np.zeros(0, bool)
        firsts.append(row[same])
        seconds.append(column[same])
        distances.append(near[same])
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(distances)


# ---- stars ----


@dataclass(frozen=True)
class Near:
    """Pairs of near copies (first, second), the stars made of them (node, hub), and blocks that were too large to
    compare whole.
    """

    pairs: DataFrame
    hubs: DataFrame
    cut_blocks: int


def near_copies(spark: SparkSession, found: DataFrame, folder: str) -> Near | None:
    """What `near_pairs` found, gathered where it is little, else laid down; None where there is nothing."""
    few = [(row["first"], row["second"]) for row in found.limit(MAX_PAIRS_ON_DRIVER + 1).collect()]
    if not few:
        return None
    if len(few) > MAX_PAIRS_ON_DRIVER:
        laid = lay_down(spark, found, folder, "near/pairs")
        pairs = laid.where("second is not null").select("first", "second")
        return Near(pairs, stars_in_rounds(spark, pairs, folder), laid.where("second is null").count())
    real = [(first, second) for first, second in few if second is not None]
    pairs = _frame(spark, ("first", "second"), real)
    return Near(pairs, _frame(spark, ("node", "hub"), sorted(stars(real).items())), len(few) - len(real))


def _frame(spark: SparkSession, names: tuple[str, str], rows: list[tuple[str, str]]) -> DataFrame:
    """Two columns of text as a table of one partition."""
    columns = list(zip(*rows, strict=True)) or [(), ()]
    schema = pa.schema([(name, pa.string()) for name in names])
    return spark.createDataFrame(
        pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)
    ).coalesce(1)


def merge_near(marked: DataFrame, hubs: DataFrame) -> DataFrame:
    """Rows of a star merged into its hub where they have the hub's label or none, and no split of their own."""
    from pyspark.sql import functions as F

    labels = (
        marked.where("is_node").join(hubs.where("node = hub"), "node").select("hub", F.col("label").alias("hub_label"))
    )
    starred = hubs.where("node != hub").join(labels, "hub").select("node", "hub_label")
    alike = F.col("label").isNull() | (F.col("label") == F.col("hub_label"))
    gone = F.col("fate").isNull() & F.col("hub_label").isNotNull() & F.col("given").isNull() & alike
    joined = marked.join(starred, "node", "left")
    merged = {
        "fate": F.when(gone, "merged").otherwise(F.col("fate")),
        "is_node": F.col("is_node") & ~F.coalesce(gone, F.lit(False)),
    }
    return joined.withColumns(merged).drop("hub_label")


def stars(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """node -> hub: nodes in their order.

    Each that is in no star yet becomes the hub of its neighbours that are in none.
    """
    neighbours: dict[str, list[str]] = defaultdict(list)
    for first, second in pairs:
        neighbours[first].append(second)
        neighbours[second].append(first)
    hub: dict[str, str] = {}
    for node in sorted(neighbours):
        if node not in hub:
            hub[node] = node
            for other in neighbours[node]:
                hub.setdefault(other, node)
    return hub


def stars_in_rounds(spark: SparkSession, pairs: DataFrame, folder: str) -> DataFrame:
    """The same stars, made on the workers.

    In each round every node that comes before all its undecided neighbours becomes a hub.

    That gives the hubs of the one-by-one order (Blelloch, Fineman, Shun 2012, "Greedy sequential maximal independent
    set and matching are parallel on average"), in about log n rounds as the order is random.
    """
    from pyspark.sql import functions as F

    pairs = pairs.select("first", "second")
    both = pairs.union(pairs.select(F.col("second"), F.col("first"))).toDF("node", "other")
    both = lay_down(spark, both, folder, "near/links")
    live, turn = both, 0
    claimed: list[DataFrame] = []
    while not live.isEmpty():
        lowest = live.groupBy("node").agg(F.min("other").alias("other"))
        hubs = lay_down(
            spark, lowest.where("node < other").select(F.col("node").alias("hub")), folder, f"near/hubs-{turn}"
        )
        taken = (
            live.join(hubs, live["other"] == hubs["hub"], "left_semi").select(F.col("node").alias("gone")).distinct()
        )
        claimed.append(lay_down(spark, taken, folder, f"near/claimed-{turn}"))
        gone = claimed[-1].union(hubs)
        rest = live.join(gone, live["node"] == gone["gone"], "left_anti").join(
            gone, F.col("other") == gone["gone"], "left_anti"
        )
        live = lay_down(spark, rest, folder, f"near/live-{turn}")
        turn += 1
    members = reduce(lambda one, two: one.union(two), claimed)
    # Whoever was never claimed is a hub, also a node whose neighbours were all claimed by others.
    own = both.select("node").distinct().join(members, F.col("node") == F.col("gone"), "left_anti")
    hubs = lay_down(spark, own.select(F.col("node").alias("hub")), folder, "near/hubs")
    starred = both.join(hubs, both["other"] == hubs["hub"]).join(members, F.col("node") == F.col("gone"), "left_semi")
    return hubs.select(F.col("hub").alias("node"), "hub").union(starred.groupBy("node").agg(F.min("hub").alias("hub")))
